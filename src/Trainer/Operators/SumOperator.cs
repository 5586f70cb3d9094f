using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// Starts to add up gradients over the ranks; the rest of the way back goes on meanwhile. Several become one vector, a bucket, which is the
/// output; one by itself is added up where it lies, and the output is only what the update (<see cref="UpdateOperator.OfRanks"/>) waits
/// for. The update reads the sums, and waits for them to be there.
/// </summary>
internal sealed class SumOperator() : OwnOperator(Name, 1, 1, isVariadic: true)
{
    public new const string Name = "StartSumOfRanks";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) =>
        new SumKernel(Communicator.Of(attributes.Integer("ranks")), attributes.Integer("inputs"), attributes.Integer("inPlace") != 0);
}

/// <summary>The bucket of one node.</summary>
internal sealed unsafe class SumKernel(Communicator ranks, int inputs, bool isInPlace) : OwnKernel
{
    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var first = context.Input(0);
        var (numbers, count) = isInPlace ? (first.Numbers, first.Count) : Join(context);
        if (isInPlace) *context.Output(0, 1) = 0;

        // Those that are under way first: they have waited longest.
        ranks.Progress();
        ranks.StartSum(numbers, count);
    }

    private (nint Bucket, long Count) Join(KernelContext context)
    {
        long count = 0;
        for (var i = 0; i < inputs; i++) count += context.Input(i).Count;
        var bucket = context.Output(0, count);
        var to = bucket;
        for (var i = 0; i < inputs; i++)
        {
            var gradient = context.Input(i);
            Buffer.MemoryCopy((float*)gradient.Numbers, to, gradient.Count * sizeof(float), gradient.Count * sizeof(float));
            to += gradient.Count;
        }

        return ((nint)bucket, count);
    }
}
