using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Onnx;

/// <summary>
/// Are two models the same function? Both run in ONNX Runtime on the same inputs, with its graph optimizations off: it folds batch
/// normalizations too, and a reference that is folded by somebody else proves nothing.
/// </summary>
public static class ModelComparison
{
    private static readonly ExecutionOptions Unoptimized = new() { Optimization = GraphOptimization.None, Threads = 0, Spinning = false };

    /// <summary>Compares two models in memory.</summary>
    /// <param name="reference">The model that is right.</param>
    /// <param name="candidate">The model that should give the same outputs, under the same names.</param>
    /// <param name="inputs">Rows for every input; null to generate them.</param>
    /// <param name="device">Where both run; null = the CPU.</param>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses one of the models.</exception>
    /// <exception cref="ModelRunException">A model fails on given inputs, or on everything that was generated.</exception>
    /// <exception cref="ModelVerificationException">All answers are NaN or infinite, which proves nothing.</exception>
    public static ComparisonResult Compare(OnnxModel reference, OnnxModel candidate, ModelInputs? inputs = null, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(candidate);
        return Compare(reference.Proto, candidate.Proto, inputs?.For(reference).Inputs, device);
    }

    /// <summary>The same for our own assemblies.</summary>
    internal static ComparisonResult Compare(
        ModelProto reference,
        ModelProto candidate,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs = null,
        Device? device = null) =>
        Compare(
            () => OnnxSession.Load(reference, On(device) with { Name = "the original model" }),
            () => OnnxSession.Load(candidate, On(device) with { Name = "the folded model" }),
            inputs);

    /// <summary>Compares two models in files.</summary>
    internal static ComparisonResult Compare(
        string referencePath,
        string candidatePath,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs = null,
        Device? device = null) =>
        Compare(() => OnnxSession.Load(referencePath, On(device)), () => OnnxSession.Load(candidatePath, On(device)), inputs);

    /// <summary>
    /// Compares a model with one that computes in other ways, which is run with all graph optimizations, as it will be served: they choose
    /// other kernels, and those may round differently.
    /// </summary>
    /// <param name="reference">The model as it is written.</param>
    /// <param name="candidate">The other one.</param>
    /// <param name="inputs">Sets of inputs; null to generate them.</param>
    /// <param name="device">Where both run.</param>
    /// <param name="seen">Gets the outputs of both for each set.</param>
    /// <returns>The differences of the outputs that are real numbers.</returns>
    internal static ComparisonResult CompareAsServed(
        ModelProto reference,
        ModelProto candidate,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs,
        Device device,
        Action<IReadOnlyDictionary<string, HostTensor>, IReadOnlyDictionary<string, HostTensor>> seen)
    {
        using var referenceSource = ModelSource.Of(reference);
        using var candidateSource = ModelSource.Of(candidate);
        return Compare(
            () => referenceSource.Open(On(device) with { Name = "the float32 model" }),
            () => candidateSource.Open(On(device) with { Name = "the model with fewer bits", Optimization = GraphOptimization.All }),
            inputs,
            seen,
            info => TensorData.IsReal((int)info.Type));
    }

    /// <summary>A model as it is compared.</summary>
    internal static OnnxSession Open(ModelProto model) => OnnxSession.Load(model, Unoptimized with { Name = "the original model" });

    private static ExecutionOptions On(Device? device) => Unoptimized with { Device = device ?? Device.Cpu };

    private static ComparisonResult Compare(
        Func<OnnxSession> openReference,
        Func<OnnxSession> openCandidate,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs,
        Action<IReadOnlyDictionary<string, HostTensor>, IReadOnlyDictionary<string, HostTensor>>? seen = null,
        Func<TensorInfo, bool>? which = null)
    {
        // One after the other: two loaded copies of a large model at once would double the memory for nothing.
        var runs = new List<(IReadOnlyDictionary<string, HostTensor> Inputs, IReadOnlyDictionary<string, HostTensor> Outputs)>();
        List<string> names;
        using (var session = openReference())
        {
            names = [.. session.Outputs.Where(which ?? (_ => true)).Select(output => output.Name)];
            if (inputs is null) runs.AddRange(InputGenerator.Run(session));
            else runs.AddRange(inputs.Select(set => (set, session.Run(set))));
        }

        if (runs.TrueForAll(run => TensorDifference.SaysNothing(run.Outputs.Values)))
            throw new ModelVerificationException(
                "The model gives no number on any of the inputs, only NaN or infinity, so that they prove nothing; give it inputs as it "
                + "was made for.");
        var worst = names.ToDictionary(name => name, _ => (Absolute: 0.0, Relative: 0.0), StringComparer.Ordinal);
        using (var session = openCandidate())
        {
            foreach (var (set, expected) in runs)
            {
                var actual = session.Run(set);
                seen?.Invoke(expected, actual);
                foreach (var name in names)
                {
                    var (absolute, relative) = actual.TryGetValue(name, out var tensor)
                        ? TensorDifference.Of(expected[name], tensor)
                        : (double.PositiveInfinity, double.PositiveInfinity);
                    worst[name] = (Math.Max(worst[name].Absolute, absolute), Math.Max(worst[name].Relative, relative));
                }
            }
        }

        return new ComparisonResult(
            [.. names.Select(name => new OutputDifference(name, worst[name].Absolute, worst[name].Relative))], runs.Count);
    }
}
