using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Sessions;

/// <summary>A change that ONNX Runtime makes to graphs while it loads them, and that gives other answers than the model.</summary>
/// <param name="Optimizers">The names by which it is switched off (<c>optimization.disable_specified_optimizers</c>).</param>
/// <param name="Where">The nodes that it concerns, as a sentence says it.</param>
/// <param name="Reason">What goes wrong there.</param>
/// <param name="MendedIn">The first version without the fault; null = none is known. There is no version known from before it.</param>
/// <param name="Find">The nodes in a model that it may concern: never too few.</param>
internal sealed record RuntimeFault(
    IReadOnlyList<string> Optimizers, string Where, string Reason, Version? MendedIn, Func<ModelPaths, IEnumerable<NodeProto>> Find)
{
    /// <summary>The faults that are known; <c>docs/onnx-runtime.md</c> is this list in words.</summary>
    public static IReadOnlyList<RuntimeFault> All { get; } =
    [
        new(
            ["MatMul_BatchNormalization_Fusion"],
            "MatMul, then Transpose or Reshape, then BatchNormalization",
            "channels are scaled as if they were still columns of the product: wrong where both axes have one size",
            null,
            paths => paths.Of("BatchNormalization").Where(node => paths.Leads(node, "MatMul", isDirectToo: false))),
        new(
            ["Pad_Fusion"],
            "Pad with zeros, then MaxPool, where values may be negative",
            "MaxPool's own padding never wins, a zero does",
            null,
            paths => paths.Of("MaxPool").Where(node => paths.PadsWithZeros(node))),
        new(
            ["MatMul_BatchNormalization_Fusion", "ConvBNFusion"],
            "BatchNormalization behind a MatMul or Conv in float16",
            "weights are multiplied in float16, where they overflow or lose digits; with a float32 scale the model does not load",
            null,
            paths => paths.UsesHalf
                ? paths.Of("BatchNormalization").Where(node => paths.Leads(node, "MatMul", true) || paths.Leads(node, "Conv", true))
                : []),
        new(
            ["ConvMulFusion"],
            "Mul by a constant behind a Conv in float16",
            "weights are multiplied in float16, where they overflow",
            null,
            paths => paths.UsesHalf ? paths.Of("Mul").Where(node => paths.Scales(node) && paths.Leads(node, "Conv", true)) : []),
        new(
            ["SimplifiedLayerNormFusion", "LayerNormFusionL1", "LayerNormFusionL2"],
            "a normalization of each row, then Mul by a constant that has more elements than the row",
            "the scale goes into a node that asks for one as wide as the row: each run fails",
            null,
            paths => paths.Of("ReduceMean").Any() ? paths.Of("Mul").Where(paths.Widens) : []),
    ];

    /// <summary>Whether a version of ONNX Runtime has the fault.</summary>
    public bool IsIn(Version runtime) => MendedIn is null || runtime < MendedIn;

    /// <summary>The faults of one version of ONNX Runtime that concern a model, with the nodes in question.</summary>
    public static IReadOnlyList<AvoidedFault> In(ModelProto model, Version runtime)
    {
        var paths = new ModelPaths(model);
        return
        [
            .. from fault in All
               where fault.IsIn(runtime)
               let nodes = fault.Find(paths).Select(node => node.Describe()).ToList()
               where nodes.Count > 0
               select new AvoidedFault(fault, nodes),
        ];
    }
}

/// <summary>A fault that a model would meet.</summary>
/// <param name="Fault">The fault.</param>
/// <param name="Nodes">The nodes that it concerns, as messages call them.</param>
internal sealed record AvoidedFault(RuntimeFault Fault, IReadOnlyList<string> Nodes)
{
    private const int MostNamed = 3;

    public override string ToString() =>
        $"{string.Join(", ", Fault.Optimizers)} at {TextList.First(Nodes, MostNamed)} ({Fault.Where}): {Fault.Reason}";
}

/// <summary>
/// What leads to the nodes of a model once ONNX Runtime has taken out what does nothing, put branches in place of an If, and functions in
/// place of their calls. Where that cannot be told from the model, everything may lead there.
/// </summary>
internal sealed class ModelPaths
{
    // A walk that has not ended by then may lead anywhere; keeps hostile models from costing the square of their size.
    private const int LongestWalk = 1000;

    private static readonly HashSet<string> Layouts = new(StringComparer.Ordinal)
    {
        "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Expand",
    };

    private static readonly HashSet<string> MayVanish = new(StringComparer.Ordinal)
    {
        "Identity", "Dropout", "Cast", "Slice", "Concat", "Sum", "Max", "Min", "Mean", "Pad", "Tile", "Where",
    };

    private static readonly HashSet<string> NeverNegative = new(StringComparer.Ordinal)
    {
        "Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs", "Exp", "Sqrt",
    };

    private readonly HashSet<string> _functions;
    private readonly Dictionary<string, List<NodeProto>> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<NodeProto, OnnxGraph> _homes = new(ReferenceEqualityComparer.Instance);

    public ModelPaths(ModelProto model)
    {
        _functions = model.Functions.Select(function => function.Name).ToHashSet(StringComparer.Ordinal);
        Add(new ModelEditor(model));
        foreach (var function in model.Functions) Add(ModelEditor.Of(new GraphProto { Node = { function.Node } }));
        UsesHalf = ExternalData.Tensors(model.Graph).Any(tensor => IsHalf(tensor.DataType))
            || model.Graph.Input.Any(input => IsHalf(input.Type?.TensorType?.ElemType ?? 0))
            || Of("Cast").Any(cast => IsHalf((int)cast.Integer("to", 0)));
    }

    /// <summary>Whether there are float16 tensors.</summary>
    public bool UsesHalf { get; }

    /// <summary>The nodes of one operator, subgraphs and functions included.</summary>
    public IEnumerable<NodeProto> Of(string opType) => _nodes.GetValueOrDefault(opType) ?? [];

    /// <summary>Whether an operator makes what a node reads.</summary>
    /// <param name="node">The reader.</param>
    /// <param name="opType">The operator.</param>
    /// <param name="isDirectToo">Whether that counts where nothing between them changes the layout.</param>
    public bool Leads(NodeProto node, string opType, bool isDirectToo)
    {
        if (!_nodes.ContainsKey(opType)) return false;
        var inputs = node.Is("Mul") ? node.Input.Take(2) : node.Input.Take(1);
        return inputs.Any(input => Sources(_homes[node], input).Any(source =>
            source.IsUnknown || (source.Node?.Is(opType) == true && (isDirectToo || source.IsMoved))));
    }

    /// <summary>Whether an operand of a node is constant.</summary>
    public bool Scales(NodeProto node) => node.Input.Any(operand => IsConstant(_homes[node], operand));

    /// <summary>Whether a constant makes the last axis of what a node divided longer.</summary>
    public bool Widens(NodeProto mul)
    {
        var graph = _homes[mul];
        var data = mul.Input.FirstOrDefault(operand => !IsConstant(graph, operand));
        var scale = mul.Input.FirstOrDefault(operand => IsConstant(graph, operand));
        if (data is null || scale is null) return false;
        if (!Sources(graph, data).Any(source => source.Node is { } node && (node.Is("Div") || node.Is("Mul")))) return false;
        return graph.Shape(data) is { Rank: > 0 } shape && graph.Shape(scale) is { Rank: > 0 } own
            && shape[shape.Rank - 1].Size == 1 && own[own.Rank - 1].Size is not 1;
    }

    /// <summary>Whether a Pad adds zeros to values, perhaps negative, that a node reads.</summary>
    public bool PadsWithZeros(NodeProto node)
    {
        if (!_nodes.ContainsKey("Pad")) return false;
        return Walk(_homes[node], node.InputAt(0)).Any(step => step.IsUnknown || (step.Node?.Is("Pad") == true && IsHarmful(step)));
    }

    private static bool IsHalf(int type) => (DataType)type is DataType.Float16 or DataType.Bfloat16;

    private bool IsHarmful(Step pad)
    {
        var (graph, node) = (pad.Graph, pad.Node!);
        if (node.Text("mode", "constant") != "constant") return false;
        if (node.Real("value", 0) != 0) return false;
        if (node.InputAt(2).Length > 0 && graph.Constant(node.InputAt(2)).Tensor is { Count: 1 } value && value.ToArray()[0] != 0)
            return false;
        return Sources(graph, node.InputAt(0)).Any(source => source.Node is null || !IsNeverNegative(source.Graph, source.Node));
    }

    private static bool IsNeverNegative(OnnxGraph graph, NodeProto node) =>
        (node.IsStandard() && NeverNegative.Contains(node.OpType)) ||
        (node.Is("Clip") && (node.InputAt(1).Length > 0
            ? graph.Constant(node.InputAt(1)).Tensor is { Count: 1 } least && least.ToArray()[0] >= 0
            : node.Real("min", -1) >= 0));

    private static bool IsConstant(OnnxGraph graph, string value) =>
        graph.Home(value) is { } home
        && ((home.Producer(value) is null && !home.IsInput(value)) || graph.Constant(value).Tensor is not null);

    // The ends of all walks: nodes that stay.
    private IEnumerable<Step> Sources(OnnxGraph graph, string value) =>
        Walk(graph, value).Where(step => step.Node is null || !Vanishes(step.Graph, step.Node));

    // Upwards through nodes that may vanish, and the node or the graph's input or constant at the end.
    private IEnumerable<Step> Walk(OnnxGraph graph, string value)
    {
        var seen = new HashSet<(string Value, bool IsMoved)>();
        var open = new Stack<(OnnxGraph Graph, string Value, bool IsMoved)>([(graph, value, false)]);
        while (open.TryPop(out var at))
        {
            if (at.Value.Length == 0 || !seen.Add((at.Value, at.IsMoved))) continue;
            var home = at.Graph.Home(at.Value);
            if (seen.Count > LongestWalk || home is null)
            {
                // A function's input, or too far away.
                yield return new(at.Graph, null, true, IsUnknown: true);
                if (home is null) continue;
                yield break;
            }

            if (home.Producer(at.Value) is not { } node)
            {
                yield return new(home, null, at.IsMoved, IsUnknown: false);
                continue;
            }

            if (home.Subgraphs(node).Count > 0 || (!node.IsStandard() && _functions.Contains(node.OpType)))
            {
                yield return new(home, null, true, IsUnknown: true);
                continue;
            }

            var isMoved = at.IsMoved || (node.IsStandard() && Layouts.Contains(node.OpType));
            yield return new(home, node, at.IsMoved, IsUnknown: false);
            if (!Vanishes(home, node)) continue;
            foreach (var input in node.Input) open.Push((home, input, isMoved));
        }
    }

    private static bool Vanishes(OnnxGraph graph, NodeProto node)
    {
        if (!node.IsStandard()) return false;
        if (Layouts.Contains(node.OpType) || MayVanish.Contains(node.OpType)) return true;
        return node.OpType switch
        {
            "Add" => Has(0, bothSides: true),
            "Sub" => Has(0, bothSides: false),
            "Mul" => Has(1, bothSides: true),
            "Div" => Has(1, bothSides: false),
            _ => false,
        };

        // The operand that changes nothing, or one that cannot be read.
        bool Has(double neutral, bool bothSides) =>
            (bothSides && IsNeutral(node.InputAt(0), neutral)) || IsNeutral(node.InputAt(1), neutral);

        bool IsNeutral(string operand, double neutral) =>
            IsConstant(graph, operand)
            && (graph.Constant(operand).Tensor is not { } tensor || Array.TrueForAll(tensor.ToArray(), element => element == neutral));
    }

    private void Add(ModelEditor editor)
    {
        foreach (var graph in editor.Graphs)
        {
            foreach (var node in graph.Nodes.Where(node => node.IsStandard()))
            {
                _homes[node] = graph;
                if (!_nodes.TryGetValue(node.OpType, out var nodes)) _nodes.Add(node.OpType, nodes = []);
                nodes.Add(node);
            }
        }
    }

    private readonly record struct Step(OnnxGraph Graph, NodeProto? Node, bool IsMoved, bool IsUnknown);
}
