namespace MlNetBatchNorm.Trainer.Training;

/// <summary>
/// Looks on while a network is trained, on the training thread and more closely than <see cref="TrainingOptions.Progress"/>: after each
/// step, and at what comes before the first and after the last. It must be quick, and changes nothing of the result.
/// </summary>
internal abstract class TrainingWatch
{
    /// <summary>Something else than steps is being done from now on.</summary>
    /// <param name="what">What, as "folding".</param>
    public virtual void Stage(string what)
    {
    }

    /// <summary>A step was taken.</summary>
    public virtual void Step(TrainingPosition position)
    {
    }
}

/// <summary>Where a training stands.</summary>
/// <param name="Epoch">The epoch that is going on, from 1.</param>
/// <param name="Epochs">The most epochs that there can be.</param>
/// <param name="Step">The steps of this epoch that were taken, from 1.</param>
/// <param name="Steps">The steps of an epoch.</param>
/// <param name="Rows">The rows of the last step.</param>
internal readonly record struct TrainingPosition(int Epoch, int Epochs, int Step, int Steps, int Rows);
