using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Onnx.Proto;
namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Follows shapes through a graph and its subgraphs, as far as the operators are known. An operator that is not known, or whose inputs are
/// not, leaves its outputs to what the model declares about them; operands that cannot fit together are an error.
/// </summary>
internal static class ShapeInference
{
    /// <summary>Notes in the graph each shape that can be found out.</summary>
    /// <exception cref="InvalidModelException">A node is given operands that do not fit together.</exception>
    public static void Run(OnnxGraph graph)
    {
        var declared = new Dictionary<string, TensorShape>(StringComparer.Ordinal);
        foreach (var value in graph.Proto.ValueInfo.Concat(graph.Proto.Output))
        {
            if (TensorShape.From(value.Type) is { } shape) declared[value.Name] = shape;
        }

        graph.ExpectShapes();
        foreach (var value in graph.Proto.Input) graph.SetShape(value.Name, TensorShape.From(value.Type));
        foreach (var tensor in graph.Proto.Initializer) graph.SetShape(tensor.Name, TensorShape.Of(tensor.Dims));
        foreach (var node in graph.Nodes)
        {
            foreach (var subgraph in graph.Subgraphs(node)) Run(subgraph);
            var context = new ShapeContext(graph, node);
            if (node.IsStandard() && ShapeRules.ByOperator.TryGetValue(node.OpType, out var rule)) rule(context);
            for (var i = 0; i < node.Output.Count; i++)
            {
                var name = node.Output[i];
                if (!declared.TryGetValue(name, out var said)) continue;
                // What exporters write about values in between is sometimes wrong, and runtimes ignore it then; so do we.
                var inferred = context.OutputShape(i);
                graph.SetShape(name, inferred is null ? said : TensorShape.Merge(inferred, said) ?? inferred);
            }
        }
    }
}

/// <summary>Which rule finds the output shapes of which operator.</summary>
internal static class ShapeRules
{
    public static IReadOnlyDictionary<string, Action<ShapeContext>> ByOperator { get; } = Build();

    private static Dictionary<string, Action<ShapeContext>> Build()
    {
        var rules = new Dictionary<string, Action<ShapeContext>>(StringComparer.Ordinal);
        Add(
            Same, "Identity", "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "Mish", "Sigmoid", "HardSigmoid", "HardSwish",
            "Tanh", "Softplus", "Softsign", "ThresholdedRelu", "Softmax", "LogSoftmax", "Hardmax", "Exp", "Log", "Sqrt", "Abs", "Neg",
            "Reciprocal", "Erf",
            "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Clip", "Dropout", "LRN", "InstanceNormalization", "LpNormalization",
            "LayerNormalization", "GroupNormalization", "MeanVarianceNormalization", "CumSum", "Not", "IsNaN");
        Add(Cast, "Cast");
        Add(
            Broadcast, "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "Where", "And", "Or", "Xor", "Equal", "Less",
            "Greater", "LessOrEqual", "GreaterOrEqual", "Mod");
        Add(MatrixShapes.MatMul, "MatMul");
        Add(MatrixShapes.Gemm, "Gemm");
        Add(SpatialShapes.BatchNormalization, "BatchNormalization");
        Add(SpatialShapes.Conv, "Conv");
        Add(SpatialShapes.ConvTranspose, "ConvTranspose");
        Add(SpatialShapes.Pool, "MaxPool", "AveragePool", "LpPool");
        Add(SpatialShapes.GlobalPool, "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool");
        Add(LayoutShapes.Flatten, "Flatten");
        Add(LayoutShapes.Reshape, "Reshape");
        Add(LayoutShapes.Transpose, "Transpose");
        Add(LayoutShapes.Squeeze, "Squeeze");
        Add(LayoutShapes.Unsqueeze, "Unsqueeze");
        Add(LayoutShapes.Concat, "Concat");
        Add(LayoutShapes.Pad, "Pad");
        Add(LayoutShapes.Split, "Split");
        Add(LayoutShapes.Expand, "Expand");
        Add(LayoutShapes.Tile, "Tile");
        Add(SpatialShapes.Resize, "Resize", "Upsample");
        Add(SpatialShapes.DepthToSpace, "DepthToSpace");
        Add(SpatialShapes.SpaceToDepth, "SpaceToDepth");
        Add(MatrixShapes.Einsum, "Einsum");
        Add(
            LayoutShapes.Reduce, "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
            "ReduceSumSquare");
        Add(ContentShapes.Shape, "Shape");
        Add(ContentShapes.Gather, "Gather");
        Add(ContentShapes.Slice, "Slice");
        Add(ContentShapes.Constant, "Constant");
        Add(ContentShapes.ConstantOfShape, "ConstantOfShape");
        return rules;

        void Add(Action<ShapeContext> rule, params ReadOnlySpan<string> operators)
        {
            foreach (var name in operators) rules.Add(name, rule);
        }
    }

    private static void Same(ShapeContext node) => node.Output(0, node.Input(0));

    private static void Cast(ShapeContext node)
    {
        node.Output(0, node.Input(0));
        node.OutputContents(node.Contents(0));
    }

    private static void Broadcast(ShapeContext node)
    {
        // Up to opset 6 the smaller operand is aligned by an attribute, and the result has the shape of the first.
        if (node.Opset < 7)
        {
            Same(node);
            return;
        }

        var result = node.Input(0);
        for (var i = 1; i < node.Node.Input.Count && result is not null; i++)
        {
            var other = node.Input(i);
            if (other is null) result = null;
            else result = TensorShape.Broadcast(result, other)
                ?? throw node.Wrong("its inputs cannot be broadcast to one shape; align them at the last dimension, with equal sizes or 1");
        }

        node.Output(0, result);
    }
}

/// <summary>One node while its output shapes are found out.</summary>
internal sealed class ShapeContext(OnnxGraph graph, NodeProto node)
{
    public NodeProto Node => node;

    public long Opset => graph.Opset;

    public TensorShape? Input(int index) => graph.Shape(node.InputAt(index));

    public bool TryInput(int index, [NotNullWhen(true)] out TensorShape? shape)
    {
        shape = Input(index);
        return shape is not null;
    }

    public bool HasInput(int index) => node.InputAt(index).Length > 0;

    public TensorDimension[]? Contents(int index) => graph.Contents(node.InputAt(index));

    /// <summary>The parts of axes that the node, a Slice, takes; null where they are not known.</summary>
    public AxisRange[]? Ranges(int rank) => AxisRange.OfSlice(node, graph, rank);

    /// <summary>The sizes that the node, a Split, cuts an axis into; null where they are not known.</summary>
    public long[]? Parts(long size) => AxisRange.SizesOfSplit(node, graph, size);

    /// <summary>A constant of real numbers, or null.</summary>
    public double[]? Reals(int index) =>
        graph.Constant(node.InputAt(index)).Tensor is { Count: <= 64 } tensor ? tensor.ToArray() : null;

    public long[]? Numbers(int index) => graph.Integers(node.InputAt(index));

    public TensorShape? OutputShape(int index) => graph.Shape(node.Output[index]);

    public void Output(int index, TensorShape? shape)
    {
        if (index < node.Output.Count) graph.SetShape(node.Output[index], shape);
    }

    public void OutputContents(TensorDimension[]? elements) => graph.SetContents(node.Output[0], elements);

    /// <summary>Axes as an attribute (before opset 13) or as an input; null when they are not given or not constant.</summary>
    public long[]? Axes(int input) => node.Integers("axes") is { } given ? [.. given] : Numbers(input);

    /// <summary>An axis counted from the front.</summary>
    /// <exception cref="InvalidModelException">The axis lies outside the tensor.</exception>
    public int Axis(long axis, int rank)
    {
        if (axis < -rank || axis >= rank) throw Wrong($"axis {axis} lies outside a tensor of {rank} dimensions");
        return (int)(axis < 0 ? axis + rank : axis);
    }

    /// <exception cref="InvalidModelException">The input has another number of dimensions.</exception>
    public void RequireRank(int index, int least, int most = int.MaxValue)
    {
        if (Input(index) is not { } shape || (shape.Rank >= least && shape.Rank <= most)) return;
        var expected = least == most ? $"{least}" : most == int.MaxValue ? $"at least {least}" : $"{least} to {most}";
        throw Wrong($"its input '{node.InputAt(index)}' has shape {shape}, but {expected} dimensions are expected");
    }

    /// <exception cref="InvalidModelException">Both sizes are known and differ.</exception>
    public void RequireSame(TensorDimension actual, TensorDimension expected, string what)
    {
        if (actual.Size is { } a && expected.Size is { } e && a != e) throw Wrong($"{what} is {a}, but {e} is expected");
    }

    /// <summary>The error for operands that do not fit.</summary>
    public InvalidModelException Wrong(string problem)
    {
        var inputs = node.Input.Where(name => name.Length > 0).Select(name => $"{name}{graph.Shape(name)?.ToString() ?? "[?]"}");
        return new InvalidModelException($"{node.Describe()} has wrong shapes: {problem} (inputs: {string.Join(", ", inputs)}).");
    }
}
