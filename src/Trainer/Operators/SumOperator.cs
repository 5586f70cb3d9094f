using System.Numerics.Tensors;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// Joins gradients to one vector, a bucket, and starts to take its mean over the ranks; the rest of the way back goes on meanwhile. The
/// update (<see cref="UpdateOperator.OfRanks"/>), the only reader of the vector, waits for it.
/// </summary>
internal sealed class SumOperator() : OwnOperator(Name, 1, 1, isVariadic: true)
{
    public new const string Name = "StartMeanOfRanks";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) =>
        new SumKernel(Communicator.Of(attributes.Integer("ranks")), attributes.Integer("inputs"));
}

/// <summary>The bucket of one node.</summary>
internal sealed unsafe class SumKernel(Communicator ranks, int inputs) : OwnKernel
{
    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        long count = 0;
        for (var i = 0; i < inputs; i++) count += context.Input(i).Count;
        var bucket = context.Output(0, count);
        var to = bucket;
        var share = 1f / ranks.Size;
        for (var i = 0; i < inputs; i++)
        {
            var gradient = context.Input(i);
            for (long first = 0; first < gradient.Count; first += int.MaxValue)
            {
                var part = (int)Math.Min(int.MaxValue, gradient.Count - first);
                TensorPrimitives.Multiply(
                    new ReadOnlySpan<float>((float*)gradient.Numbers + first, part), share, new Span<float>(to + first, part));
            }

            to += gradient.Count;
        }

        // Those that are under way first: they have waited longest.
        ranks.Progress();
        ranks.StartSum((nint)bucket, count);
    }
}
