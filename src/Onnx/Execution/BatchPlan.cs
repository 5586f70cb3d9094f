namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How a scorer's batches run: what may be chosen, and what was learned.</summary>
/// <param name="Threads">The threads that share an operator of a lane's own session; 0 = all cores.</param>
/// <param name="Choice">Chooses the way of each batch; null where all run as the lane's own session does.</param>
/// <param name="Pace">How long rows take on one thread.</param>
internal sealed record BatchPlan(int Threads, BatchChoice? Choice, RowPace Pace)
{
    /// <summary>What there is to choose.</summary>
    /// <param name="threads">The threads of the lanes' sessions.</param>
    /// <param name="free">Whether the settings leave the choice, and the device has threads.</param>
    /// <param name="twice">Whether the model may be loaded a second time.</param>
    /// <param name="pace">How long rows take on one thread.</param>
    public static BatchPlan For(int threads, bool free, bool twice, RowPace pace) =>
        new(threads, !free || (threads != 1 && !twice) ? null : new BatchChoice(sharedOperators: twice), pace);

    /// <summary>Whether a batch that goes that way runs on the lane's own session.</summary>
    public bool IsOwn(BatchWay way) => (way == BatchWay.SharedOperators) == (Threads != 1);

    /// <summary>The threads that may share the rows of a batch on the lane's own session, or on the other one.</summary>
    public int Workers(bool own) => Choice is not null && own == (Threads == 1) ? Environment.ProcessorCount : 1;
}
