namespace MlNetBatchNorm.Transforms.Tasks;

/// <summary>
/// The options that <see cref="Preset.Accurate"/> stands for. They were chosen by out-of-fold rows of the tables of docs/defaults.md.
/// </summary>
internal static class AccurateRecipe
{
    private const int MembersOfEnsemble = 8;
    private const int ManyRows = 10_000;
    private const int UsualEpochs = 40;

    // Of several classes, each has a share of the rows only.
    private const int EpochsOfClasses = 60;
    private const int FewestSteps = 600;
    private const int MostSteps = 15_000;
    private const int LeastPatience = 8;
    private const int EpochsPerPatience = 5;
    private const float DropoutRate = 0.05f;

    // Rows that belong to neither class by what is known of them would otherwise draw logits apart without end. Of several classes, what
    // it takes from the right one goes to ones that are out of the question.
    private const float SmoothingOfTwo = 0.05f;

    /// <summary>The options for a task and so many rows.</summary>
    public static BatchNormNetworkOptions For(LearningTask task, int rows)
    {
        var batch = rows >= ManyRows ? 256 : 128;
        var stepsOfEpoch = Math.Max(1, rows / (double)Math.Min(batch, Math.Max(rows, 1)));
        var wanted = Math.Max(task == LearningTask.Multiclass ? EpochsOfClasses : UsualEpochs, Math.Ceiling(FewestSteps / stepsOfEpoch));
        var epochs = (int)Math.Max(1, Math.Min(wanted, MostSteps / stepsOfEpoch));
        return new BatchNormNetworkOptions
        {
            HiddenLayers = task == LearningTask.Multiclass ? [128, 64] : [64, 64],
            Activation = Activation.Silu,
            Members = MembersOfEnsemble,
            NumericEncoding = NumericEncoding.PiecewiseLinear(),
            TargetTransform = TargetTransform.Auto,
            Loss = task == LearningTask.Binary ? Loss.SmoothedSigmoidCrossEntropy(SmoothingOfTwo) : null,
            Dropout = DropoutRate,
            HiddenDropout = DropoutRate,
            BatchSize = batch,
            Epochs = epochs,

            // Where a few far-off rows decide, the first low loss is chance, and the best epochs are the last; classes have theirs early.
            EarlyStoppingPatience = task == LearningTask.Regression ? epochs : Math.Max(LeastPatience, epochs / EpochsPerPatience),
            ValidationFraction = 0,
            Optimizer = Optimizer.AdamW(2e-3f, 0.01f),
            Schedule = LearningRateSchedule.Cosine(),
        };
    }
}
