using System.Runtime.Intrinsics;
using MlNetBatchNorm.Onnx.Execution.Direct;
using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>The losses that a kernel of our own computes, and their numbers in attributes of nodes.</summary>
internal enum LossFunction
{
    /// <summary>Cross-entropy of a softmax.</summary>
    Softmax = 0,

    /// <summary>Cross-entropy of a sigmoid.</summary>
    Sigmoid = 1,

    /// <summary>Half the squared difference.</summary>
    Squared = 2,

    /// <summary>The absolute difference.</summary>
    Absolute = 3,

    /// <summary>Huber's loss.</summary>
    Huber = 4,
}

/// <summary>A loss with its numbers; what they mean is written at <see cref="Loss"/>.</summary>
/// <param name="Function">Its kind.</param>
/// <param name="Smoothing">The smoothing of labels, or Huber's delta.</param>
/// <param name="ClassWeights">A weight for each class, for a sigmoid the negative one first; empty = all the same.</param>
internal sealed record LossForm(LossFunction Function, float Smoothing = 0, params IReadOnlyList<float> ClassWeights)
{
    /// <summary>The form as attributes of a node.</summary>
    /// <param name="outputs">The outputs that a row's loss is of.</param>
    /// <param name="members">The members of an ensemble, each with a loss of its own; otherwise 1.</param>
    public NodeArgument[] Attributes(int outputs, int members) =>
    [
        ("function", (long)Function), ("smoothing", Smoothing), ("weights", ClassWeights.Count == 0 ? [1f] : ClassWeights.ToArray()),
        ("outputs", outputs), ("members", members),
    ];
}

/// <summary>
/// The mean loss of a mini-batch, <c>[1]</c>, and its gradient, <c>[N, members·K]</c>. Inputs: the network's output, <c>[N, members·K]</c>,
/// the targets, <c>[N·members, K]</c>, and perhaps weights, <c>[N·members, 1]</c>. The loss is the mean over rows and members, the gradient
/// that of the sum over the members of each one's mean.
/// </summary>
internal sealed class LossOperator() : OwnOperator(Name, 3, 2)
{
    public new const string Name = "Loss";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes)
    {
        float[] weights = attributes.Floats("weights");
        return new LossKernel(
            (LossFunction)attributes.Integer("function"),
            attributes.Float("smoothing"),
            weights.Length == 1 ? null : weights,
            attributes.Integer("outputs"),
            attributes.Integer("members"));
    }
}

/// <summary>The loss of one node.</summary>
internal sealed unsafe class LossKernel(LossFunction function, float smoothing, float[]? weights, int outputs, int members) : OwnKernel
{
    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var output = context.Input(0);
        var target = context.Numbers(1);
        var rowWeights = context.Numbers(2);
        var rows = (int)(output.Count / outputs);
        var loss = context.Output(0, 1);
        var gradient = context.Output(1, rows / members, (long)members * outputs);
        var z = (float*)output.Numbers;
        var share = 1f / (rows / members);
        var sum = function switch
        {
            LossFunction.Softmax => Softmax(z, target, rowWeights, gradient, rows, share),
            LossFunction.Sigmoid => Sigmoid(z, target, rowWeights, gradient, rows, share),
            _ => Numbers(z, target, rowWeights, gradient, rows, share),
        };
        *loss = (float)(sum / rows);
    }

    // −Σ v·log softmax(z) = Σ v · log Σ e^(z−m) − Σ v·(z−m), with m the largest z and v the weighted, smoothed target.
    private double Softmax(float* z, float* target, float* rowWeights, float* gradient, int rows, float share)
    {
        double total = 0;
        for (var row = 0; row < rows; row++)
        {
            var (from, to) = ((long)row * outputs, ((long)row + 1) * outputs);
            var largest = z[from];
            for (var i = from + 1; i < to; i++) largest = MathF.Max(largest, z[i]);
            for (var i = from; i < to; i++) gradient[i] = z[i] - largest;
        }

        Exponentials(gradient, (long)rows * outputs);
        for (var row = 0; row < rows; row++)
        {
            var from = (long)row * outputs;
            total += Row(z + from, target + from, gradient + from, rowWeights is null ? 1 : rowWeights[row], share);
        }

        return total;
    }

    private double Row(float* z, float* target, float* gradient, float weight, float share)
    {
        float sum = 0, mean = 0, all = 0, hit = 0;
        var largest = z[0];
        for (var k = 0; k < outputs; k++)
        {
            sum += gradient[k];
            mean += target[k];
            largest = MathF.Max(largest, z[k]);
        }

        mean = smoothing * mean / outputs;
        for (var k = 0; k < outputs; k++)
        {
            var wanted = Wanted(target[k], mean, k);
            all += wanted;
            hit += wanted * (z[k] - largest);
        }

        var factor = (weights is null ? 1 : all) / sum;
        for (var k = 0; k < outputs; k++)
            gradient[k] = ((gradient[k] * factor) - Wanted(target[k], mean, k)) * (weight * share);
        return weight * ((all * MathF.Log(sum)) - hit);
    }

    private float Wanted(float target, float smoothed, int k)
    {
        var wanted = smoothing > 0 ? (target * (1 - smoothing)) + smoothed : target;
        return weights is null ? wanted : wanted * weights[k];
    }

    private static void Exponentials(float* x, long count)
    {
        long done = 0;
        if (Vector512.IsHardwareAccelerated) done = Exponentials<Lanes512, Vector512<float>>(x, done, count);
        if (Vector256.IsHardwareAccelerated) done = Exponentials<Lanes256, Vector256<float>>(x, done, count);
        done = Exponentials<Lanes128, Vector128<float>>(x, done, count);
        Exponentials<Lanes1, float>(x, done, count);
    }

    private static long Exponentials<TLanes, T>(float* x, long done, long count)
        where TLanes : ILanes<T>
        where T : struct
    {
        for (; done + TLanes.Count <= count; done += TLanes.Count)
            TLanes.Store(LaneMath<TLanes, T>.Exp(TLanes.Load(x + done)), x + done);
        return done;
    }

    // c·softplus(z) − w₊·t·z, and c·σ(z) − w₊·t.
    private double Sigmoid(float* z, float* target, float* rowWeights, float* gradient, int rows, float share)
    {
        var (negative, positive) = weights is null ? (1f, 1f) : (weights[0], weights[1]);
        double total = 0;
        for (var row = 0; row < rows; row++)
        {
            var t = (target[row] * (1 - smoothing)) + (smoothing / 2);
            var c = negative + ((positive - negative) * t);
            var small = MathF.Exp(-MathF.Abs(z[row]));
            var softplus = MathF.Max(z[row], 0) + float.LogP1(small);
            var sigmoid = (z[row] < 0 ? small : 1) / (1 + small);
            var weight = rowWeights is null ? 1 : rowWeights[row];
            total += weight * ((c * softplus) - (positive * t * z[row]));
            gradient[row] = ((c * sigmoid) - (positive * t)) * (weight * share);
        }

        return total;
    }

    private double Numbers(float* y, float* target, float* rowWeights, float* gradient, int rows, float share)
    {
        double total = 0;
        for (var row = 0; row < rows; row++)
        {
            var weight = rowWeights is null ? 1 : rowWeights[row];
            for (var i = (long)row * outputs; i < ((long)row + 1) * outputs; i++)
            {
                var error = y[i] - target[i];
                var held = function switch
                {
                    LossFunction.Huber => MathF.Max(-smoothing, MathF.Min(error, smoothing)),
                    LossFunction.Absolute => error > 0 ? 1 : error < 0 ? -1 : 0,
                    _ => error,
                };
                total += weight * (function == LossFunction.Absolute ? MathF.Abs(error) : held * (error - (0.5f * held)));
                gradient[i] = held * (weight * share);
            }
        }

        return total;
    }
}
