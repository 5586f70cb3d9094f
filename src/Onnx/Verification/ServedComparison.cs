using System.Globalization;
using System.Text.Json.Nodes;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// Two models as wholes in ONNX Runtime: the one as it was with graph optimizations off, the other with them off too, and then as it is
/// served, with all on. Where serving makes a difference that rounding does not explain, the optimization that does it is looked for.
/// </summary>
internal sealed record ServedComparison
{
    // As in PartProof: other sums of the same numbers round differently.
    private const double RoundingsAllowed = 8;

    /// <summary>The difference with optimizations off; null where the models could not be compared.</summary>
    public ComparisonResult? Plain { get; init; }

    /// <summary>The difference as served; null where the models could not be compared.</summary>
    public ComparisonResult? Served { get; init; }

    /// <summary>How far the outputs move when the inputs move by their last digit, in relation to their scale.</summary>
    public double Noise { get; init; }

    /// <summary>What makes serving differ by more than rounding, as a clause; null where it does not.</summary>
    public string? Culprit { get; init; }

    /// <summary>Why the models could not be compared as wholes, as a clause; null where they were.</summary>
    public string? WhyNot { get; init; }

    /// <summary>Compares two files.</summary>
    /// <param name="reference">The model as it was.</param>
    /// <param name="candidate">The model as it is written.</param>
    /// <param name="inputs">Sets of inputs; null to generate them.</param>
    /// <param name="device">Where both run.</param>
    /// <param name="tolerance">What is allowed in relation to an output's scale, where rounding does not cost more.</param>
    /// <param name="options">How the model is served.</param>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="ModelRunException">The model fails on inputs that were given.</exception>
    public static ServedComparison Of(
        ComparedFile reference,
        ComparedFile candidate,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs,
        Device device,
        double tolerance,
        ExecutionOptions? options = null)
    {
        try
        {
            return Compare(
                ComparedModel.Of(reference), ComparedModel.Of(candidate), inputs, tolerance,
                (options ?? new ExecutionOptions()) with { Device = device });
        }
        catch (Exception exception) when (exception is InvalidModelException or NotSupportedException
            || (exception is ModelRunException && inputs is null))
        {
            return new ServedComparison { WhyNot = exception.Message.TrimEnd('.') };
        }
    }

    /// <summary>Compares a model in memory, as it is served, with itself on rows.</summary>
    /// <param name="model">The model.</param>
    /// <param name="inputs">A tensor for every input.</param>
    /// <param name="tolerance">As in the other.</param>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the model.</exception>
    /// <exception cref="ModelRunException">The model fails on the inputs.</exception>
    public static ServedComparison OfModel(ModelProto model, IReadOnlyDictionary<string, HostTensor> inputs, double tolerance)
    {
        var bytes = model.ToByteArray();
        var compared = new ComparedModel("the model", options => OnnxSession.Load(bytes, options));
        return Compare(compared, compared, [inputs], tolerance, new ExecutionOptions());
    }

    /// <summary>The difference that serving makes, as a sentence; null where rounding explains it.</summary>
    public string? Warning => Culprit is { } culprit ? Describe(Served!, culprit) : null;

    /// <summary>That serving makes a difference, as a sentence.</summary>
    /// <param name="served">The difference.</param>
    /// <param name="culprit">What makes it.</param>
    public static string Describe(ComparisonResult served, string culprit) => string.Create(
        CultureInfo.InvariantCulture,
        $"as it is served, the output '{served.Worst!.Output}' differs by {served.LargestRelative:G3} of its scale from what the model"
        + $" says; folding has no part in that: it is {culprit}.");

    /// <summary>What another process said.</summary>
    public static ServedComparison From(JsonObject json) => new()
    {
        Plain = Result(json["plain"]),
        Served = Result(json["served"]),
        Noise = Number(json["noise"]),
        Culprit = json["culprit"]?.GetValue<string>(),
        WhyNot = json["whyNot"]?.GetValue<string>(),
    };

    /// <summary>The form in which one process tells it another; numbers are texts, since JSON knows no infinity.</summary>
    public JsonObject ToJson() => new()
    {
        ["plain"] = ToJson(Plain),
        ["served"] = ToJson(Served),
        ["noise"] = Noise.ToString("R", CultureInfo.InvariantCulture),
        ["culprit"] = Culprit,
        ["whyNot"] = WhyNot,
    };

    private static ServedComparison Compare(
        ComparedModel reference,
        ComparedModel candidate,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs,
        double tolerance,
        ExecutionOptions served)
    {
        var plain = new ExecutionOptions
        {
            Device = served.Device,
            Optimization = GraphOptimization.None,
            Threads = ExecutionOptions.AllCores,
            Spinning = false,
        };
        List<(IReadOnlyDictionary<string, HostTensor> Inputs, IReadOnlyDictionary<string, HostTensor> Outputs)> runs;
        var noise = 0.0;
        using (var session = reference.Open(plain with { Name = reference.Name }))
        {
            runs = inputs is null ? [.. InputGenerator.Run(session)] : [.. inputs.Select(set => (set, session.Run(set)))];
            if (runs.Exists(run => Difference(run.Outputs, session.Run(run.Inputs)).Outputs.Any(output => output.LargestAbsolute != 0)))
                return new ServedComparison { WhyNot = $"{reference.Name} gives other answers each time that it runs on the same inputs" };
            if (runs.TrueForAll(run => TensorDifference.SaysNothing(run.Outputs.Values)))
                return new ServedComparison { WhyNot = $"{reference.Name} gives no number on any of the inputs, so they prove nothing" };
            noise = runs.Max(run => RoundingNoise.Measure(session, run.Inputs, run.Outputs).LargestRelative);
        }

        var asWritten = Differences(candidate, plain, runs);
        var asServed = Differences(candidate, served, runs);
        var allowed = Math.Max(tolerance, RoundingsAllowed * Math.Max(noise, asWritten.LargestRelative));
        var result = new ServedComparison { Plain = asWritten, Served = asServed, Noise = noise };
        if (asServed.LargestRelative <= allowed) return result;
        return result with
        {
            Culprit = FusionSearch.Find(served, options => Differences(candidate, options, runs).LargestRelative <= allowed),
        };
    }

    private static ComparisonResult Differences(
        ComparedModel model,
        ExecutionOptions options,
        List<(IReadOnlyDictionary<string, HostTensor> Inputs, IReadOnlyDictionary<string, HostTensor> Outputs)> runs)
    {
        using var session = model.Open(options with { Name = model.Name });
        var results = runs.ConvertAll(run => Difference(run.Outputs, session.Run(run.Inputs)));
        return new ComparisonResult(
            [.. results[0].Outputs.Select((output, i) => new OutputDifference(
                output.Output,
                results.Max(result => result.Outputs[i].LargestAbsolute),
                results.Max(result => result.Outputs[i].LargestRelative)))],
            runs.Count);
    }

    private static ComparisonResult Difference(
        IReadOnlyDictionary<string, HostTensor> expected, IReadOnlyDictionary<string, HostTensor> actual) =>
        new(
            [.. expected.Select(output =>
            {
                var (absolute, relative) = actual.TryGetValue(output.Key, out var tensor)
                    ? TensorDifference.Of(output.Value, tensor)
                    : (double.PositiveInfinity, double.PositiveInfinity);
                return new OutputDifference(output.Key, absolute, relative);
            })],
            1);

    private static JsonObject? ToJson(ComparisonResult? result) => result is null ? null : new JsonObject
    {
        ["runs"] = result.Runs,
        ["outputs"] = new JsonArray([.. result.Outputs.Select(output => new JsonObject
        {
            ["name"] = output.Output,
            ["absolute"] = output.LargestAbsolute.ToString("R", CultureInfo.InvariantCulture),
            ["relative"] = output.LargestRelative.ToString("R", CultureInfo.InvariantCulture),
        })]),
    };

    private static ComparisonResult? Result(JsonNode? json) => json is null ? null : new ComparisonResult(
        [.. json["outputs"]!.AsArray().Select(output => new OutputDifference(
            output!["name"]!.GetValue<string>(), Number(output["absolute"]), Number(output["relative"])))],
        json["runs"]!.GetValue<int>());

    private static double Number(JsonNode? json) => double.Parse(json!.GetValue<string>(), CultureInfo.InvariantCulture);
}

/// <summary>A model that is compared.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Name">What messages call it.</param>
internal sealed record ComparedFile(string Path, string Name);

/// <summary>A model that can be opened in several ways.</summary>
/// <param name="Name">What messages call it.</param>
/// <param name="Open">Opens it.</param>
internal sealed record ComparedModel(string Name, Func<ExecutionOptions, OnnxSession> Open)
{
    public static ComparedModel Of(ComparedFile file) => new(file.Name, options => OnnxSession.Load(file.Path, options));
}

/// <summary>Finds the change of ONNX Runtime's that makes a model give other answers, by switching changes off by their names.</summary>
internal static class FusionSearch
{
    // The names that ONNX Runtime 1.31 has for what it does on the CPU; names that a version does not know do no harm.
    private static readonly string[] Names =
    [
        "AttentionFusion", "Avx2WeightS8ToU8Transformer", "BiasDropoutFusion", "BiasGeluFusion", "BiasSkipLayerNormFusion",
        "BiasSoftmaxFusion", "CastChainElimination", "CastElimination", "ClipQuantRewrite", "CommonSubexpressionElimination",
        "ConstantFolding", "ConstantFoldingDQ", "ConstantSharing", "ConvActivationFusion", "ConvAddActivationFusion", "ConvAddFusion",
        "ConvBNFusion", "ConvMulFusion", "DQMatMulNBitsFusion", "DivMulFusion", "DoubleQDQPairsRemover", "DynamicQuantizeMatMulFusion",
        "EliminateDropout", "EliminateIdentity", "EliminateSlice", "EmbedLayerNormFusion", "EnsureUniqueDQForNodeUnit", "ExpandElimination",
        "FastGeluFusion", "FuseFp16InitializerToFp32NodeTransformer", "FuseReluClip", "GatherSliceToSplitFusion", "GatherToSliceFusion",
        "GeluFusionL1", "GeluFusionL2", "GemmActivationFusion", "GemmSumFusion", "GemmTransposeFusion", "GroupQueryAttentionFusion",
        "LabelEncoderFusion", "LayerNormFusionL1", "LayerNormFusionL2", "MatMulActivationFusion", "MatMulAddFusion",
        "MatMulIntegerToFloatFusion", "MatMulNBitsFusion", "MatMulScaleFusion", "MatMul_BatchNormalization_Fusion", "MatmulTransposeFusion",
        "NchwcTransformer", "NhwcTransformer", "NoopElimination", "NotWhereFusion", "Pad_Fusion", "PreShapeNodeElimination",
        "QDQFinalCleanupTransformer", "QDQPropagationTransformer", "QDQS8ToU8Transformer", "QDQSelectorActionTransformer",
        "QuickGeluFusion", "ReluQuantRewrite",
        "RemoveDuplicateCastTransformer", "ReshapeFusion", "SimplifiedLayerNormFusion", "SkipLayerNormFusion",
        "SliceConcatToSpaceToDepthFusion", "TransposeOptimizer", "UnsqueezeElimination", "WhereDummyDq",
    ];

    /// <summary>The change that is at fault, as a clause.</summary>
    /// <param name="served">How the model is served.</param>
    /// <param name="isRight">Whether it gives the right answers in some other way.</param>
    public static string Find(ExecutionOptions served, Func<ExecutionOptions, bool> isRight)
    {
        if (!IsRightWithout(Names)) return "something in ONNX Runtime that cannot be switched off by name";
        // Half of the rest at a time, while one half is enough.
        var suspects = Names;
        while (suspects.Length > 1)
        {
            var (first, second) = (suspects[..(suspects.Length / 2)], suspects[(suspects.Length / 2)..]);
            if (IsRightWithout(first)) suspects = first;
            else if (IsRightWithout(second)) suspects = second;
            else return $"ONNX Runtime's {string.Join(", ", OneByOne(suspects))} together";
        }

        return $"ONNX Runtime's {suspects[0]}";

        bool IsRightWithout(IReadOnlyList<string> names) =>
            isRight(served with { DisabledOptimizers = [.. served.DisabledOptimizers, .. names] });

        IEnumerable<string> OneByOne(string[] names)
        {
            var off = names.ToList();
            foreach (var name in names)
                if (IsRightWithout([.. off.Where(other => other != name)])) off.Remove(name);
            return off;
        }
    }
}
