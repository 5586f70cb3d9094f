using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// How far a model's outputs move when its inputs move by the last digit. Two ways to compute the same function in float32 cannot be
/// expected to agree better than that: where a model divides by a deviation that is nearly 0 (group normalization over two values), they do
/// not.
/// </summary>
internal static class RoundingNoise
{
    /// <summary>
    /// Runs a model on inputs, and on the same with every float32 element moved to a neighbouring number, up or down by chance.
    /// </summary>
    /// <param name="model">The model; it runs on the CPU without graph optimizations, as in <see cref="ModelComparison"/>.</param>
    /// <param name="inputs">A tensor for every input.</param>
    /// <param name="seed">Draws the directions.</param>
    /// <returns>How far each output moved.</returns>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the model.</exception>
    /// <exception cref="ModelRunException">The model fails on the inputs.</exception>
    public static ComparisonResult Measure(ModelProto model, IReadOnlyDictionary<string, HostTensor> inputs, int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        using var session = ModelComparison.Open(model);
        return Measure(session, inputs, session.Run(inputs), seed);
    }

    /// <summary>The same for a model that is loaded.</summary>
    /// <param name="session">The model.</param>
    /// <param name="inputs">A tensor for every input.</param>
    /// <param name="outputs">What it gives on them.</param>
    /// <param name="seed">Draws the directions.</param>
    public static ComparisonResult Measure(
        OnnxSession session,
        IReadOnlyDictionary<string, HostTensor> inputs,
        IReadOnlyDictionary<string, HostTensor> outputs,
        int seed = 0)
    {
        var random = new Random(seed);
        var moved = inputs.ToDictionary(input => input.Key, input => Move(input.Value, random), StringComparer.Ordinal);
        var after = session.Run(moved);
        var differences = session.Outputs.Select(output =>
        {
            var (absolute, relative) = TensorDifference.Of(outputs[output.Name], after[output.Name]);
            return new OutputDifference(output.Name, absolute, relative);
        });
        return new ComparisonResult([.. differences], 1);
    }

    private static HostTensor Move(HostTensor tensor, Random random) => tensor.Data is float[] values
        ? tensor with
        {
            Data = Array.ConvertAll(values, value => random.Next(2) == 0 ? MathF.BitIncrement(value) : MathF.BitDecrement(value)),
        }
        : tensor;
}
