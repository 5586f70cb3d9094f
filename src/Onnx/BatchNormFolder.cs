using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx;

/// <summary>How <see cref="BatchNormFolder"/> treats what is a matter of choice.</summary>
public sealed record FoldOptions
{
    /// <summary>
    /// Whether a batch normalization that nothing can take in becomes a Mul and an Add. Default: false, it stays as it is.
    /// </summary>
    public bool Expand { get; init; }

    /// <summary>
    /// Whether an initializer that is also a graph input, so that callers may override it (IR version 4 and later), counts as a constant.
    /// Default: false, folding it is declined, because a caller's value would no longer have an effect.
    /// </summary>
    public bool FoldOverridable { get; init; }

    /// <summary>
    /// Whether a constant that is added or subtracted next to a batch normalization stays a node of its own, which the scale moves past.
    /// Default: false, the two become one: s·x + t. With features far from zero in relation to their spread (years, say) that costs digits,
    /// since s·x and t nearly cancel; s·(x − m) does not.
    /// </summary>
    public bool KeepSubtractions { get; init; }

    /// <summary>
    /// How long folding may take, proofs not counted; what is left then stays as it is, with that as the reason. Default: 10 minutes. Work
    /// is bounded by the size of the model anyway, so only models of many gigabytes meet it.
    /// </summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// How many times the size of the model's constants folding may add to the file, and hold in memory of what it works out from
    /// constants; a few MiB are always free. A fold that takes more is declined. Default: 4. Weights that many layers share, or that the
    /// model stores as one repeated value, have to be written out for each fold.
    /// </summary>
    public double MaximumGrowth { get; init; } = 4;
}

/// <summary>
/// Folds the batch normalizations of a model into the operators around them. At inference a batch normalization is y = a·x + b with
/// a = γ / √(σ² + ε) and b = β − a·μ (Ioffe and Szegedy 2015, Algorithm 2), and most neighbours can take that into their weights.
/// </summary>
public static class BatchNormFolder
{
    /// <summary>Folds what can be folded and says of everything else why not.</summary>
    /// <param name="model">The model; it is left as it is.</param>
    /// <param name="options">Matters of choice; null for the defaults.</param>
    /// <exception cref="InvalidModelException">The model is not valid.</exception>
    public static FoldResult Fold(OnnxModel model, FoldOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Fold(model.Proto, options);
    }

    /// <summary>Reads, folds, compares and writes a model, with fewer bits where the options say so.</summary>
    /// <param name="inputPath">The model; its external data is read from its own folder only.</param>
    /// <param name="outputPath">The file to write, which may be the same; it stays as it was unless the comparison succeeds.</param>
    /// <param name="options">How to fold, and how to compare; null for the defaults.</param>
    /// <exception cref="ArgumentException">The labels do not fit the rows or the model.</exception>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="DirectoryNotFoundException">The folder to write to does not exist.</exception>
    /// <exception cref="InvalidModelException">The model is invalid, or ONNX Runtime refuses it.</exception>
    /// <exception cref="DeviceNotAvailableException">The device to compare on cannot be used.</exception>
    /// <exception cref="ModelRunException">The model fails on the inputs.</exception>
    /// <exception cref="NotSupportedException">
    /// The precision cannot be had: its operator set is too old, or nothing in it can have fewer bits.
    /// </exception>
    public static FoldFileResult FoldFile(string inputPath, string outputPath, FoldFileOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(inputPath);
        ArgumentException.ThrowIfNullOrEmpty(outputPath);
        return FoldFileResult.Run(inputPath, outputPath, options ?? new FoldFileOptions());
    }

    /// <summary>The same for our own assemblies.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">Matters of choice.</param>
    /// <param name="trace">Says what is to stay, and takes down what was changed; null where nobody asks.</param>
    internal static FoldResult Fold(ModelProto model, FoldOptions? options = null, FoldTrace? trace = null)
    {
        GraphChecker.CheckForm(model);
        options ??= new FoldOptions();
        var functions = FunctionInlining.Of(model, "BatchNormalization");
        var given = functions.Model;
        var folded = given.Copy();
        var editor = new ModelEditor(folded, options.FoldOverridable);
        (editor.Budget.TimeLimit, editor.Budget.MaximumGrowth) = (options.TimeLimit, options.MaximumGrowth);
        editor.InferShapes();
        trace?.Begin(given, editor);
        var (log, chains) = (new FoldLog(trace), new List<(BatchNormOutcome Outcome, NodeProto Node)>());
        var batchNorms = FindAll(editor, log);
        FoldToFixedPoint(editor, batchNorms, options, log, chains);
        foreach (var batchNorm in batchNorms.Where(batchNorm => !batchNorm.IsGone))
        {
            batchNorm.MoveScaleOn();
            if (options.Expand) batchNorm.Expand();
        }

        editor.Finish(isLazy: trace is not null);
        trace?.End(editor, batchNorms, chains.Select(chain => chain.Node));
        var (before, after) = (OnnxModel.Size(model.Graph), OnnxModel.Size(folded.Graph));
        return new FoldResult
        {
            Model = new OnnxModel(folded),
            BatchNorms = [.. batchNorms.Select(batchNorm => batchNorm.Outcome), .. functions.Kept.SelectMany(InFunction)],
            Chains = [.. chains.Select(chain => chain.Outcome)],
            Warnings = [.. batchNorms.Select(batchNorm => batchNorm.Warning).OfType<string>()],
            NodesBefore = before.Nodes,
            NodesAfter = after.Nodes,
            ParametersBefore = before.Parameters,
            ParametersAfter = after.Parameters,
            BytesBefore = ModelFile.Size(model),
            BytesAfter = ModelFile.Size(folded),
        };
    }

    private static IEnumerable<BatchNormOutcome> InFunction((FunctionProto Function, string Reason) kept) =>
        from node in kept.Function.Node
        where node.Is("BatchNormalization")
        select new BatchNormOutcome(node.Label(), FoldStatus.Declined, string.Empty, kept.Reason)
        {
            WouldFoldIf = $"the body of '{kept.Function.Name}' stood in the place of its calls",
        };

    private static List<BatchNormFold> FindAll(ModelEditor editor, FoldLog log) =>
    [
        .. editor.Graphs.SelectMany(
            graph => graph.Nodes.Where(node => node.Is("BatchNormalization")).Select(node => new BatchNormFold(node, graph, log))),
    ];

    // One fold makes another possible: Conv-BN-Conv-BN, or a Concat whose branches become ready one by one.
    private static void FoldToFixedPoint(
        ModelEditor editor,
        List<BatchNormFold> batchNorms,
        FoldOptions options,
        FoldLog log,
        List<(BatchNormOutcome Outcome, NodeProto Node)> chains)
    {
        var arithmetic = editor.Graphs.SelectMany(graph => graph.Nodes.Where(MayMerge).Select(node => (graph, node))).ToList();
        // What stands behind is looked at first where it is moved down, so that a chain of any length goes in one pass.
        var backwards = arithmetic.AsEnumerable().Reverse().ToList();
        bool changed;
        do
        {
            // First what stands behind a batch normalization becomes part of it, so that the whole chain moves up in one go.
            changed = false;
            while (arithmetic.RemoveAll(IsMergedUp) > 0) changed = true;
            foreach (var batchNorm in batchNorms.Where(batchNorm => !batchNorm.IsGone)) changed |= batchNorm.TryFold();
            // What stands before one stays where it is when it can take the shift ("MatMul, Add"); only when nothing else helps it goes.
            if (!changed) changed = backwards.RemoveAll(IsMergedDown) > 0;
            // What is nobody's part is a normalization of its own, as exporters write it; without it another one may move on.
            if (!changed && !options.KeepSubtractions) changed = FoldChains(editor, log, chains);
        }
        while (changed);

        bool MayMerge(NodeProto node) => ArithmeticFold.IsArithmetic(node)
            && (node.OpType is not ("Add" or "Sub") || !options.KeepSubtractions) && log.WhyKept(node) is null;

        bool IsMergedUp((OnnxGraph Graph, NodeProto Node) pair) => ArithmeticFold.TryMergeUp(pair.Node, pair.Graph, log, MayMerge);

        bool IsMergedDown((OnnxGraph Graph, NodeProto Node) pair) => ArithmeticFold.TryMergeDown(pair.Node, pair.Graph, log, MayMerge);
    }

    private static bool FoldChains(ModelEditor editor, FoldLog log, List<(BatchNormOutcome Outcome, NodeProto Node)> outcomes)
    {
        outcomes.RemoveAll(chain => chain.Outcome.Status == FoldStatus.Declined);
        var before = outcomes.Count;
        foreach (var chain in editor.Graphs.ToList().SelectMany(graph => ChainFold.FindAll(graph, log)).ToList())
            if (chain.TryFold() is { } outcome) outcomes.Add((outcome, chain.Last));
        return outcomes.Skip(before).Any(chain => chain.Outcome.Status != FoldStatus.Declined);
    }
}
