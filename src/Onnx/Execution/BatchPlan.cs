namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How a scorer's batches run: what may be chosen, and what was learned.</summary>
/// <param name="Threads">The threads that share an operator of a lane's own session; 0 = all cores.</param>
/// <param name="Choice">Chooses the way of each batch; null where all run as the lane's own session does.</param>
/// <param name="Pace">How long rows take on one thread of the processor; null where no batch runs on one.</param>
internal sealed record BatchPlan(int Threads, BatchChoice? Choice, RowPace? Pace)
{
    // Calling a thread of the pool takes some microseconds, and it comes some tens of microseconds later.
    private static readonly TimeSpan LeastForEach = TimeSpan.FromMicroseconds(50);

    /// <summary>What there is to choose.</summary>
    /// <param name="threads">The threads of the lanes' sessions.</param>
    /// <param name="onCpu">Whether it is the processor that computes.</param>
    /// <param name="free">Whether the settings leave the choice.</param>
    /// <param name="twice">Whether the model may be loaded a second time.</param>
    /// <param name="pace">How long rows take on one thread.</param>
    public static BatchPlan For(int threads, bool onCpu, bool free, bool twice, RowPace pace)
    {
        var choice = onCpu && free && Environment.ProcessorCount > 1 && (threads == 1 || twice) ? new BatchChoice(sharedOperators: twice) : null;
        return new(threads, choice, onCpu && (threads == 1 || choice is not null) ? pace : null);
    }

    /// <summary>Whether a batch that goes that way runs on the lane's own session.</summary>
    public bool IsOwn(BatchWay way) => (way == BatchWay.SharedOperators) == (Threads != 1);

    /// <summary>The threads that share the rows of a batch that is divided: as many as have enough to do.</summary>
    /// <param name="expected">The time that one would take.</param>
    public static int Sharing(TimeSpan expected) => (int)Math.Clamp(expected / LeastForEach, 1, Environment.ProcessorCount);

    /// <summary>The threads that may share the rows of a batch on the lane's own session, or on the other one.</summary>
    public int Workers(bool own) => Choice is not null && own == (Threads == 1) ? Environment.ProcessorCount : 1;
}
