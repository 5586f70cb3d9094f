using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using AttributeType = MlNetBatchNorm.Onnx.Proto.AttributeProto.Types.AttributeType;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

/// <summary>Batch normalizations in model-local functions, which is what exporters make of modules.</summary>
public class FunctionFoldTests
{
    [Fact]
    public void Fold_LayersThatAreFunctions_FoldsBetweenThem()
    {
        // Conv and batch normalization are a function each, in a third one that is called twice; ε and the pads are attributes of the call.
        var test = Calls(out var model);
        var conv = Bound(Node("Conv", ["x", "w"], ["y"]), "pads", "pad", AttributeType.Ints);
        model.Functions.Add(Function("Conv2d", ["x", "w"], ["y"], ["pad"], conv));
        model.Functions.Add(Function(
            "Norm", ["x", "g", "b", "m", "v"], ["y"], ["eps"],
            Bound(Node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y"]), "epsilon", "eps", AttributeType.Float)));
        var block = Function(
            "Block", ["x", "w", "g", "b", "m", "v"], ["r"], [], Call("Conv2d", ["x", "w"], ["h"], ("pad", new long[] { 1, 1, 1, 1 })),
            Call("Norm", ["h", "g", "b", "m", "v"], ["n"], ("eps", 0.01f)), Node("Relu", ["n"], ["r"]));
        block.OpsetImport.Add(new OperatorSetIdProto { Domain = "local", Version = 1 });
        model.Functions.Add(block);
        var result = FoldCase.Check(model);
        Assert.Equal(2, result.Removed);
        Assert.Equal(["Conv", "Relu", "Conv", "Relu"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
        Assert.Empty(result.Model.Proto.Functions);
        Assert.Equal("Block/Conv2d/Conv", result.BatchNorms[0].Into);
        Assert.NotNull(test);
    }

    [Fact]
    public void Fold_FunctionWithASubgraph_KeepsItsNamesApart()
    {
        var test = Calls(out var model);
        static GraphProto Branch(string name, NodeProto node) =>
            new() { Name = name, Node = { node }, Output = { new ValueInfoProto { Name = node.Output[0] } } };
        var (then, otherwise) = (Branch("then", Node("Neg", ["h"], ["inner"])), Branch("else", Node("Abs", ["n"], ["inner2"])));
        var choice = Node("If", ["c"], ["r"]);
        choice.Attribute.Add(((NodeArgument)("then_branch", then)).Proto);
        choice.Attribute.Add(((NodeArgument)("else_branch", otherwise)).Proto);
        var always = Node("Constant", [], ["c"]);
        always.Attribute.Add(((NodeArgument)("value", new TensorProto { DataType = (int)DataType.Bool, Int32Data = { 1 } })).Proto);
        model.Functions.Add(Function(
            "Block", ["x", "w", "g", "b", "m", "v"], ["r"], [], Padded(Node("Conv", ["x", "w"], ["h"])),
            Node("BatchNormalization", ["h", "g", "b", "m", "v"], ["n"]), always, choice));
        var result = FoldCase.Check(model);
        Assert.All(result.BatchNorms, outcome => Assert.Contains("read inside If", outcome.Reason));
        Assert.Equal(2, result.BatchNorms.Count);
    }

    [Fact]
    public void Fold_FunctionThatReturnsWhatItIsGiven_FoldsAllTheSame()
    {
        var test = new FoldCase();
        var x = test.Input(2, 3, 5, 5);
        var w = test.Weight("w", 4, 3, 3, 3);
        Value[] parameters = [test.Weight("g", 4), test.Weight("b", 4), test.Weight("m", 4), test.WeightBetween(0.5, 2, "v", 4)];
        var outputs = test.Graph.Nodes("Block", [x, w, .. parameters], 3);
        test.Graph.Output("y", outputs[0], DataType.Float, 2, 4, 3, 3);
        test.Graph.Output("same", outputs[1], DataType.Float, 2, 3, 5, 5);
        test.Graph.Output("again", outputs[2], DataType.Float, 2, 4, 3, 3);
        var model = Local(test.Graph.Build());
        model.Functions.Add(Function(
            "Block", ["x", "w", "g", "b", "m", "v"], ["n", "x", "n"], [], Node("Conv", ["x", "w"], ["h"]),
            Node("BatchNormalization", ["h", "g", "b", "m", "v"], ["n"])));
        var result = BatchNormFolder.Fold(model);
        Assert.Equal(["Conv", "Identity", "Identity"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_FunctionOfAnotherOperatorSet_StaysAndSaysWhy()
    {
        Calls(out var model);
        var block = Block();
        block.OpsetImport[0].Version = 15;
        model.Functions.Add(block);
        var result = BatchNormFolder.Fold(model);
        Assert.Contains("written for operator set 15, and the model for 17", Assert.Single(result.BatchNorms).Reason);
        Assert.Equal(model.Functions, result.Model.Proto.Functions);
        Assert.Equal(2, result.NodesAfter);
    }

    [Fact]
    public void Fold_FunctionsThatGrowWithoutBounds_Stay()
    {
        Calls(out var model);
        model.Functions.Add(Block());
        for (var i = 0; i < 60; i++)
        {
            var name = i == 59 ? "Block" : $"Block{i}";
            model.Functions[^1].Name = i == 0 ? "Base" : $"Block{i - 1}";
            var inner = model.Functions[^1].Name;
            var twice = Function(
                name, ["x", "w", "g", "b", "m", "v"], ["r"], [], Call(inner, ["x", "w", "g", "b", "m", "v"], ["r1"]),
                Call(inner, ["x", "w", "g", "b", "m", "v"], ["r"]));
            twice.OpsetImport.Add(new OperatorSetIdProto { Domain = "local", Version = 1 });
            model.Functions.Add(twice);
        }

        Assert.Contains("call each other so often", Assert.Single(BatchNormFolder.Fold(model).BatchNorms).Reason);
    }

    // x → Block → Block → y, with parameters that each call is given.
    private static FoldCase Calls(out ModelProto model)
    {
        var test = new FoldCase();
        var h = test.Input(2, 4, 5, 5);
        for (var i = 0; i < 2; i++)
        {
            Value[] statistics = [test.Weight("m", 4), test.WeightBetween(0.5, 2, "v", 4)];
            h = test.Graph.Node("Block", [h, test.Weight("w", 4, 4, 3, 3), test.Weight("g", 4), test.Weight("b", 4), .. statistics]);
        }

        test.Graph.Output("y", h, DataType.Float, 2, 4, 5, 5);
        model = Local(test.Graph.Build());
        return test;
    }

    private static FunctionProto Block() => Function(
        "Block", ["x", "w", "g", "b", "m", "v"], ["r"], [], Padded(Node("Conv", ["x", "w"], ["h"])),
        Node("BatchNormalization", ["h", "g", "b", "m", "v"], ["r"]));

    private static ModelProto Local(ModelProto model)
    {
        foreach (var node in model.Graph.Node) node.Domain = "local";
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "local", Version = 1 });
        return model;
    }

    private static NodeProto Node(string opType, string[] inputs, string[] outputs) =>
        new() { OpType = opType, Input = { inputs }, Output = { outputs } };

    private static NodeProto Padded(NodeProto conv)
    {
        conv.Attribute.Add(((NodeArgument)("pads", new long[] { 1, 1, 1, 1 })).Proto);
        return conv;
    }

    private static NodeProto Call(string function, string[] inputs, string[] outputs, params ReadOnlySpan<NodeArgument> attributes)
    {
        var node = Node(function, inputs, outputs);
        (node.Domain, node.Name) = ("local", function);
        foreach (var attribute in attributes) node.Attribute.Add(attribute.Proto);
        return node;
    }

    private static NodeProto Bound(NodeProto node, string name, string parameter, AttributeType type)
    {
        node.Attribute.Add(new AttributeProto { Name = name, RefAttrName = parameter, Type = type });
        return node;
    }

    private static FunctionProto Function(string name, string[] inputs, string[] outputs, string[] attributes, params NodeProto[] nodes) =>
        new()
        {
            Name = name,
            Domain = "local",
            Input = { inputs },
            Output = { outputs },
            Attribute = { attributes },
            Node = { nodes },
            OpsetImport = { new OperatorSetIdProto { Domain = string.Empty, Version = 17 } },
        };
}
