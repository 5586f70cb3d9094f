namespace MlNetBatchNorm.Onnx.Graph.Shapes;

/// <summary>Which rule finds the output shapes of which operator.</summary>
internal static class ShapeRules
{
    public static IReadOnlyDictionary<string, Action<ShapeContext>> ByOperator { get; } = Build();

    private static Dictionary<string, Action<ShapeContext>> Build()
    {
        var rules = new Dictionary<string, Action<ShapeContext>>(StringComparer.Ordinal);
        Add(Same, "Identity", "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "Mish", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh",
            "Softplus", "Softsign", "ThresholdedRelu", "Softmax", "LogSoftmax", "Hardmax", "Exp", "Log", "Sqrt", "Abs", "Neg", "Reciprocal", "Erf",
            "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Clip", "Dropout", "LRN", "InstanceNormalization", "LpNormalization",
            "LayerNormalization", "GroupNormalization", "MeanVarianceNormalization", "CumSum", "Not", "IsNaN");
        Add(Cast, "Cast");
        Add(Broadcast, "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "Where", "And", "Or", "Xor", "Equal", "Less", "Greater",
            "LessOrEqual", "GreaterOrEqual", "Mod");
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
        Add(LayoutShapes.Reduce, "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare");
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
