using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>Each operator that is evaluated directly, beside ONNX Runtime, with vectors of each width.</summary>
public sealed class DirectOperatorTests
{
    private const int Width = 12;

    private static readonly Dictionary<string, (long[] Result, Func<GraphBuilder, Value, Value> Build)> Cases = new()
    {
        ["Abs"] = ([Width], (n, x) => n.Node("Abs", [x])),
        ["Neg"] = ([Width], (n, x) => n.Node("Neg", [x])),
        ["Sqrt"] = ([Width], (n, x) => n.Node("Sqrt", [x])),
        ["Reciprocal"] = ([Width], (n, x) => n.Node("Reciprocal", [x])),
        ["Exp"] = ([Width], (n, x) => n.Node("Exp", [x])),
        ["Log"] = ([Width], (n, x) => n.Node("Log", [x])),
        ["Floor"] = ([Width], (n, x) => n.Node("Floor", [x])),
        ["Ceil"] = ([Width], (n, x) => n.Node("Ceil", [x])),
        ["Round"] = ([Width], (n, x) => n.Node("Round", [x])),
        ["Relu"] = ([Width], (n, x) => n.Node("Relu", [x])),
        ["LeakyRelu"] = ([Width], (n, x) => n.Node("LeakyRelu", [x], ("alpha", 0.1f))),
        ["Elu"] = ([Width], (n, x) => n.Node("Elu", [x], ("alpha", 1.5f))),
        ["Selu"] = ([Width], (n, x) => n.Node("Selu", [x])),
        ["Sigmoid"] = ([Width], (n, x) => n.Node("Sigmoid", [x])),
        ["Silu"] = ([Width], (n, x) => n.Node("Mul", [x, n.Node("Sigmoid", [x])])),
        ["Tanh"] = ([Width], (n, x) => n.Node("Tanh", [x])),
        ["Softplus"] = ([Width], (n, x) => n.Node("Softplus", [x])),
        ["Softsign"] = ([Width], (n, x) => n.Node("Softsign", [x])),
        ["HardSigmoid"] = ([Width], (n, x) => n.Node("HardSigmoid", [x])),
        ["HardSwish"] = ([Width], (n, x) => n.Node("HardSwish", [x])),
        ["Erf"] = ([Width], (n, x) => n.Node("Erf", [x])),
        ["Gelu"] = ([Width], (n, x) => n.Node("Mul", [
            n.Node("Mul", [x, n.Constant(0.5f)]),
            n.Node("Add", [n.Node("Erf", [n.Node("Div", [x, n.Constant(1.41421356f)])]), n.Constant(1)])])),
        ["Clip"] = ([Width], (n, x) => n.Node("Clip", [x, n.Constant(-0.5f), n.Constant(1)])),
        ["Clip from below"] = ([Width], (n, x) => n.Node("Clip", [x, n.Constant(-0.5f)])),
        ["Pow 2"] = ([Width], (n, x) => n.Node("Pow", [x, n.Constant(2)])),
        ["Pow 3"] = ([Width], (n, x) => n.Node("Pow", [x, n.Constant(3)])),
        ["Add"] = ([Width], (n, x) => n.Node("Add", [x, DirectCase.Weights(n, Width)])),
        ["Sub from a constant"] = ([Width], (n, x) => n.Node("Sub", [DirectCase.Weights(n, 1, Width), x])),
        ["Mul"] = ([Width], (n, x) => n.Node("Mul", [x, n.Node("Abs", [x])])),
        ["Div"] = ([Width], (n, x) => n.Node("Div", [n.Constant(3), x])),
        ["Min"] = ([Width], (n, x) => n.Node("Min", [x, n.Node("Neg", [x]), n.Constant(0.25f)])),
        ["Max"] = ([Width], (n, x) => n.Node("Max", [x, DirectCase.Weights(n, Width)])),
        ["PRelu"] = ([Width], (n, x) => n.Node("PRelu", [x, DirectCase.Weights(n, Width)])),
        ["Where and Less"] = ([Width], (n, x) => n.Node(
            "Where", [n.Node("Less", [x, n.Constant(0.5f)]), n.Node("Neg", [x]), n.Constant(7)])),
        ["IsNaN"] = ([Width], (n, x) => n.Node("Cast", [n.Node("IsNaN", [x])], ("to", 1))),
        ["Where not NaN"] = ([Width], (n, x) => n.Node("Where", [n.Node("Not", [n.Node("IsNaN", [x])]), x, DirectCase.Weights(n, Width)])),
        ["Greater and Equal"] = ([Width], (n, x) => n.Node("Cast", [n.Node("Or", [
            n.Node("Greater", [x, n.Constant(0.5f)]), n.Node("Equal", [x, n.Constant(0)])])], ("to", 1))),
        ["Broadcast column"] = ([Width], (n, x) => n.Node("Mul", [x, n.Node("ReduceMean", [x], ("axes", new long[] { 1 }))])),
        ["Gemm"] = ([20], (n, x) => n.Node("Gemm", [x, DirectCase.Weights(n, Width, 20), DirectCase.Weights(n, 20)])),
        ["Gemm transposed, scaled"] = ([200], (n, x) => n.Node(
            "Gemm", [x, DirectCase.Weights(n, 200, Width), DirectCase.Weights(n, 1, 200)], ("transB", 1), ("alpha", 0.5f), ("beta", 2f))),
        ["MatMul, Add"] = ([3], (n, x) => n.Node(
            "Add", [n.Node("MatMul", [x, DirectCase.Weights(n, Width, 3)]), DirectCase.Weights(n, 3)])),
        ["Groups"] = ([4, 5], (n, x) => n.Node("Transpose", [n.Node("MatMul", [
            n.Node("Transpose", [n.Node("Reshape", [x, n.Integers(-1, 4, 3)])], ("perm", new long[] { 1, 0, 2 })),
            DirectCase.Weights(n, 4, 3, 5)])], ("perm", new long[] { 1, 0, 2 }))),
        ["Groups of 16, a bias"] = ([64], (n, x) => n.Node("Reshape", [n.Node("Transpose", [n.Node("Add", [n.Node("MatMul", [
            n.Node("Transpose", [n.Node("Reshape", [x, n.Integers(0, 4, -1)])], ("perm", new long[] { 1, 0, 2 })),
            DirectCase.Weights(n, 4, 3, 16)]), DirectCase.Weights(n, 4, 1, 16)])], ("perm", new long[] { 1, 0, 2 })), n.Integers(-1, 64)])),
        ["Groups, one matrix"] = ([4, 5], (n, x) => n.Node(
            "MatMul", [n.Node("Reshape", [x, n.Integers(0, 4, 3)]), DirectCase.Weights(n, 3, 5)])),
        ["Groups by axes in front"] = ([4, 1, 5], (n, x) => n.Node("MatMul", [
            n.Node("Unsqueeze", [n.Node("Reshape", [x, n.Integers(0, 4, 3)]), n.Integers(2)]), DirectCase.Weights(n, 4, 3, 5)])),
        ["Conv of groups"] = ([18], (n, x) => n.Node("Reshape", [n.Node("Conv", [
            n.Node("Reshape", [x, n.Integers(0, Width, 1)]), DirectCase.Weights(n, 18, 4, 1), DirectCase.Weights(n, 18)],
            ("group", 3)), n.Integers(-1, 18)])),
        ["Conv on one place"] = ([18], (n, x) => n.Node("Flatten", [n.Node("Conv", [
            n.Node("Unsqueeze", [x, n.Integers(-1, -2)]), DirectCase.Weights(n, 18, Width, 1, 1)])])),
        ["Softmax"] = ([Width], (n, x) => n.Node("Softmax", [x], ("axis", -1))),
        ["Softmax of groups"] = ([3, 4], (n, x) => n.Node("Softmax", [n.Node("Reshape", [x, n.Integers(-1, 3, 4)])], ("axis", 2))),
        ["LogSoftmax"] = ([Width], (n, x) => n.Node("LogSoftmax", [x], ("axis", 1))),
        ["ReduceMean of members"] = ([3], (n, x) => n.Node(
            "ReduceMean", [n.Node("Reshape", [x, n.Integers(-1, 4, 3)])], ("axes", new long[] { 1 }), ("keepdims", 0))),
        ["ReduceSum, last axis"] = ([4, 1], (n, x) => n.Node(
            "ReduceSum", [n.Node("Reshape", [x, n.Integers(-1, 4, 3)]), n.Integers(-1)], ("keepdims", 1))),
        ["Gather columns"] = ([5], (n, x) => n.Node("Gather", [x, n.Integers(3, 3, -1, 0, 7)], ("axis", 1))),
        ["Concat"] = ([Width + 2], (n, x) => n.Node("Concat", [n.Node("Gather", [x, n.Integers(5, 2)], ("axis", 1)), x], ("axis", 1))),
        ["Slice, steps"] = ([3], (n, x) => n.Node("Slice", [x, n.Integers(1), n.Integers(-5), n.Integers(1), n.Integers(2)])),
        ["Split"] = ([7], (n, x) => n.Nodes("Split", [x, n.Integers(5, 7)], 2, ("axis", 1))[1]),
        ["Transpose of a row"] = ([4, 3], (n, x) => n.Node(
            "Transpose", [n.Node("Reshape", [x, n.Integers(-1, 3, 4)])], ("perm", new long[] { 0, 2, 1 }))),
        ["Squeeze"] = ([Width], (n, x) => n.Node("Squeeze", [n.Node("Unsqueeze", [x, n.Integers(1)]), n.Integers(1)])),
        ["Identity"] = ([Width], (n, x) => n.Node("Identity", [x])),
        ["Dropout"] = ([Width], (n, x) => n.Node("Relu", [n.Node("Dropout", [x])])),
    };

    // Where ONNX Runtime's own formula is a rough one, or adds up in another order.
    private static readonly Dictionary<string, double> Units = new() { ["Tanh"] = 4, ["Broadcast column"] = 4 };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Operator_OrdinaryNumbers_AsOnnxRuntime(string name)
    {
        var (result, build) = Cases[name];
        var model = DirectCase.Model(Width, build, result);
        foreach (var count in (int[])[1, 3, 75])
            DirectCase.RequireAgreement(model, DirectCase.Rows(count, Width), Width, Units.GetValueOrDefault(name, 2));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Operator_UnusualNumbers_AsOnnxRuntime(string name)
    {
        float[] unusual =
        [
            0, -0f, 1, -1, 0.5f, -0.5f, 2.5f, float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.Epsilon, -1e-40f, 30, -30,
            88, -88, 89, -89, 104, -104, 1e10f, -1e10f, 1e-10f,
        ];
        var (result, build) = Cases[name];
        var model = DirectCase.Model(Width, build, result);
        var rows = new List<float>();
        foreach (var number in unusual)
        {
            foreach (var place in (int[])[0, 7])
            {
                var row = DirectCase.Rows(1, Width);
                row[place] = number;
                rows.AddRange(row);
            }
        }

        DirectCase.RequireAgreement(model, [.. rows], Width, Units.GetValueOrDefault(name, 2), eachRow: true);
    }
}
