using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class SafetyFoldTests
{
    [Fact]
    public void Fold_ConvOutputReadTwice_DeclinesWithReason()
    {
        var (test, conv) = ConvCase();
        var h = test.Graph.Node("Add", [test.BatchNorm(conv, 4), conv]);
        Declined(test.Fold(h), "'conv' is also read by Add");
    }

    [Fact]
    public void Fold_ConvOutputIsAGraphOutput_DeclinesWithReason()
    {
        var (test, conv) = ConvCase();
        var h = test.BatchNorm(conv, 4);
        test.Graph.Output("features", conv, DataType.Float, 2, 4, 4, 4);
        Declined(test.Fold(h), "'features' is also an output of the graph");
    }

    [Fact]
    public void Fold_ConvOutputReadInsideIf_DeclinesWithReason()
    {
        var (test, conv) = ConvCase();
        var h = test.BatchNorm(conv, 4);
        var condition = test.Graph.Input("condition", DataType.Bool);
        var branch = test.Graph.Node(
            "If", [condition], ("then_branch", Branch("then", ("Neg", conv.Name))), ("else_branch", Branch("else", ("Abs", conv.Name))));
        Declined(test.Fold(test.Graph.Node("Add", [h, branch])), "'conv' is also read inside If");
    }

    [Fact]
    public void Fold_OnlyTheShapeOfTheConvIsReadElsewhere_Folds()
    {
        var (test, conv) = ConvCase();
        var h = test.BatchNorm(conv, 4);
        var result = test.Fold(test.Graph.Node("Expand", [test.Graph.Node("Relu", [h]), test.Graph.Node("Shape", [conv])]));
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
    }

    [Fact]
    public void Fold_BatchNormInsideIf_FoldsWithWeightsFromTheOuterGraph()
    {
        var test = new FoldCase();
        var x = test.Input(2, 3, 6, 6);
        var condition = test.Graph.Input("condition", DataType.Bool);
        var w = test.Weight("w", 4, 3, 3, 3);
        var then = new FoldCase(seed: 2);
        var parameters = then.BatchNorm(then.Graph.Named("inner_conv", "Conv", [x, w]), 4, "inner_bn");
        then.Graph.Output("inner_y", parameters, DataType.Float, 2, 4, 4, 4);
        var other = new FoldCase(seed: 3);
        other.Graph.Output("other_y", other.Graph.Named("other_conv", "Conv", [x, w]), DataType.Float, 2, 4, 4, 4);
        var h = test.Graph.Node("If", [condition], ("then_branch", then.Graph.Build().Graph), ("else_branch", other.Graph.Build().Graph));
        var result = test.Fold(h);
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
        var branch = result.Model.Proto.Graph.Node[0].Attribute[0].G;
        Assert.Equal(["Conv"], branch.Node.Select(node => node.OpType));
        // The other branch still reads the shared weight as it was.
        Assert.Contains(result.Model.Proto.Graph.Initializer, tensor => tensor.Name == "w");
    }

    [Fact]
    public void Fold_BatchNormInsideLoop_Folds()
    {
        var test = new FoldCase();
        var x = test.Input(2, 4);
        var body = new FoldCase(seed: 2);
        body.Graph.Input("iteration", DataType.Int64);
        var keep = body.Graph.Input("keep", DataType.Bool);
        var state = body.Graph.Input("state", DataType.Float, 2, 4);
        var h = body.BatchNorm(body.Graph.Named("inner", "Gemm", [state, body.Weight("inner_w", 4, 4)]), 4, "inner_bn");
        body.Graph.Output("keep_out", keep, DataType.Bool);
        body.Graph.Output("state_out", h, DataType.Float, 2, 4);
        var count = test.Graph.Initializer(TensorData.Create("count", new long[] { 3 }));
        var result = test.Fold(test.Graph.Node("Loop", [count, Value.None, x], ("body", body.Graph.Build().Graph)));
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
        Assert.DoesNotContain(result.Model.Proto.Graph.Node[0].Attribute[0].G.Node, node => node.OpType == "BatchNormalization");
    }

    [Fact]
    public void Fold_WeightSharedWithAnotherConv_IsCopied()
    {
        var test = new FoldCase();
        var x = test.Input(2, 3, 6, 6);
        var w = test.Weight("w", 4, 3, 3, 3);
        var h = test.Graph.Node("Add", [test.BatchNorm(test.Graph.Node("Conv", [x, w]), 4), test.Graph.Node("Conv", [x, w])]);
        var result = test.Fold(h);
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
        Assert.Equal(2, result.Model.Proto.Graph.Initializer.Count(tensor => tensor.Dims.Count == 4));
    }

    [Fact]
    public void Fold_NamesThatItWouldGiveAreTaken_FindsOthers()
    {
        var test = new FoldCase();
        var taken = test.Weight("w_folded", 4, 3, 3, 3);
        var h = test.Graph.Named("conv", "Conv", [test.Input(2, 3, 6, 6), test.Weight("w", 4, 3, 3, 3), test.Weight("conv_shift", 4)]);
        h = test.Graph.Node(
            "Add", [test.BatchNorm(h, 4), test.Graph.Node("Conv", [test.Graph.Input("x2", DataType.Float, 2, 3, 6, 6), taken])]);
        Assert.Equal(FoldStatus.Folded, test.Fold(h).BatchNorms[0].Status);
    }

    [Fact]
    public void Fold_UnusedConstants_AreRemovedAndOthersKept()
    {
        var (test, conv) = ConvCase();
        test.Weight("never_read", 3);
        var result = test.Fold(test.BatchNorm(conv, 4));
        Assert.Equal(["never_read", "conv_shift", "w_folded"], result.Model.Proto.Graph.Initializer.Select(tensor => tensor.Name));
        Assert.True(result.ParametersAfter < result.ParametersBefore);
        Assert.Equal((2, 1), (result.NodesBefore, result.NodesAfter));
    }

    [Fact]
    public void Fold_ParameterThatCallersMayOverride_DeclinesUnlessForced()
    {
        foreach (var force in new[] { false, true })
        {
            var (test, conv) = ConvCase();
            var h = test.BatchNorm(conv, 4);
            test.Graph.Output("y", h, DataType.Float, 2, 4, 4, 4);
            var model = test.Graph.Build();
            Declare(model, "bn_gamma", 4);
            var result = FoldCase.Check(model, new FoldOptions { FoldOverridable = force });
            if (force) Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
            else Declined(result, "'bn_gamma' is also a graph input, which callers may override");
            Assert.Equal(model.Graph.Input, result.Model.Proto.Graph.Input);
        }
    }

    [Fact]
    public void Fold_IrVersion3_ListsNewInitializersAsInputs()
    {
        var test = new FoldCase(opset: 8);
        var h = test.BatchNorm(test.Graph.Named("conv", "Conv", [test.Input(2, 3, 6, 6), test.Weight("w", 4, 3, 3, 3)]), 4);
        test.Graph.Output("y", h, DataType.Float, 2, 4, 4, 4);
        var model = test.Graph.Build();
        Assert.Equal(3, model.IrVersion);
        foreach (var tensor in model.Graph.Initializer) Declare(model, tensor.Name, [.. tensor.Dims]);
        var result = FoldCase.Check(model);
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
        Assert.Equal(
            ["x", .. result.Model.Proto.Graph.Initializer.Select(tensor => tensor.Name)],
            result.Model.Proto.Graph.Input.Select(input => input.Name));
    }

    [Fact]
    public void Fold_ComputedParameter_DeclinesWithReason()
    {
        var (test, conv) = ConvCase();
        var gamma = test.Graph.Node("Exp", [test.Graph.Input("gamma", DataType.Float, 4)]);
        var h = test.Graph.Named(
            "bn", "BatchNormalization",
            [conv, gamma, test.Weight("beta", 4), test.Weight("mean", 4), test.WeightBetween(1, 2, "variance", 4)]);
        Declined(test.Fold(h), "its scale is not constant: 'Exp' is computed by Exp 'Exp'");
    }

    [Fact]
    public void Fold_ComputedWeight_DeclinesWithReason()
    {
        var test = new FoldCase();
        var w = test.Graph.Node("Exp", [test.Graph.Input("w", DataType.Float, 4, 3, 3, 3)]);
        Declined(
            test.Fold(test.BatchNorm(test.Graph.Named("conv", "Conv", [test.Input(2, 3, 6, 6), w]), 4)),
            "the weight of Conv 'conv' cannot be changed: 'Exp' is computed by Exp");
    }

    [Fact]
    public void Fold_TrainingMode_DeclinesWithReason()
    {
        var (test, conv) = ConvCase();
        var h = test.BatchNorm(conv, 4, attributes: ("training_mode", 1));
        test.Graph.Output("y", h, DataType.Float, 2, 4, 4, 4);
        Declined(BatchNormFolder.Fold(test.Graph.Build()), "training mode");
    }

    [Fact]
    public void Fold_SecondOutputBeforeOpset14_DeclinesWithReason()
    {
        var test = new FoldCase(opset: 9);
        var conv = test.Graph.Named("conv", "Conv", [test.Input(2, 3, 6, 6), test.Weight("w", 4, 3, 3, 3)]);
        var outputs = test.Graph.Nodes(
            "BatchNormalization", [conv, test.Weight("g", 4), test.Weight("b", 4), test.Weight("m", 4), test.WeightBetween(1, 2, "v", 4)],
            5);
        test.Graph.Output("y", outputs[0], DataType.Float, 2, 4, 4, 4);
        Declined(BatchNormFolder.Fold(test.Graph.Build()), "training mode (5 outputs)");
    }

    [Fact]
    public void Fold_NegativeVariance_DeclinesWithReason()
    {
        var (test, conv) = ConvCase();
        var h = test.Graph.Named(
            "bn", "BatchNormalization",
            [conv, test.Weight("g", 4), test.Weight("b", 4), test.Weight("m", 4), test.WeightBetween(-2, -1, "v", 4)]);
        test.Graph.Output("y", h, DataType.Float, 2, 4, 4, 4);
        Declined(BatchNormFolder.Fold(test.Graph.Build()), "variance plus epsilon");
    }

    [Fact]
    public void Fold_ExtremeScale_Warns()
    {
        var (test, conv) = ConvCase();
        var h = test.Graph.Named(
            "bn", "BatchNormalization",
            [conv, test.WeightBetween(5000, 6000, "g", 4), test.Weight("b", 4), test.Weight("m", 4), test.WeightBetween(0, 1e-9, "v", 4)]);
        var result = test.Fold(h);
        Assert.Contains("'bn': in 4 of 4 channels", Assert.Single(result.Warnings));
    }

    [Fact]
    public void Fold_BatchNormInAFunction_DeclinesAndKeepsTheFunction()
    {
        var test = new FoldCase();
        test.Graph.Output("y", test.Graph.Node("Relu", [test.Input(2, 3)]), DataType.Float, 2, 3);
        var model = test.Graph.Build();
        model.Functions.Add(new FunctionProto
        {
            Name = "Normalize",
            Domain = "local",
            Input = { "a", "g", "b", "m", "v" },
            Output = { "r" },
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 17 } },
            Node = { new NodeProto { OpType = "BatchNormalization", Input = { "a", "g", "b", "m", "v" }, Output = { "r" } } },
        });
        var result = BatchNormFolder.Fold(model);
        Declined(result, "function 'Normalize'");
        Assert.Equal(model.Functions, result.Model.Proto.Functions);
    }

    [Fact]
    public void Fold_CustomDomainsAndExtraText_PassThroughUntouched()
    {
        var test = new FoldCase();
        var conv = test.Graph.Named("conv", "Conv", [test.Input(2, 3, 6, 6), test.Weight("w", 4, 3, 3, 3)]);
        var h = test.Graph.Named("custom", "BatchNormalization", [test.BatchNorm(conv, 4)]);
        test.Graph.Output("y", h, DataType.Float, 2, 4, 4, 4);
        var model = test.Graph.Build();
        var custom = model.Graph.Node[^1];
        (custom.Domain, custom.DocString) = ("vendor", "keep me");
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "vendor", Version = 3 });
        model.DocString = "about the model";
        ModelFile.SetMetadata(model, "author", "someone");
        var result = BatchNormFolder.Fold(model);
        Assert.Single(result.BatchNorms);
        Assert.Equal(custom, result.Model.Proto.Graph.Node[^1]);
        Assert.Equal(
            (model.DocString, model.MetadataProps, model.OpsetImport),
            (result.Model.Proto.DocString, result.Model.Proto.MetadataProps, result.Model.Proto.OpsetImport));
    }

    [Fact]
    public void Fold_UnknownFields_AreKept()
    {
        var (test, conv) = ConvCase();
        test.Graph.Output("y", test.BatchNorm(conv, 4), DataType.Float, 2, 4, 4, 4);
        // Field 1000, a number that no ONNX version has, holding 42.
        byte[] unknown = [0xC0, 0x3E, 42];
        byte[] bytes = [.. Google.Protobuf.MessageExtensions.ToByteArray(test.Graph.Build()), .. unknown];
        var folded = Google.Protobuf.MessageExtensions.ToByteArray(BatchNormFolder.Fold(ModelFile.Parse(bytes)).Model.Proto);
        Assert.Equal(unknown, folded[^3..]);
    }

    private static (FoldCase Test, Value Conv) ConvCase()
    {
        var test = new FoldCase();
        return (test, test.Graph.Named("conv", "Conv", [test.Input(2, 3, 6, 6), test.Weight("w", 4, 3, 3, 3)]));
    }

    private static GraphProto Branch(string name, (string OpType, string Input) node)
    {
        var graph = new GraphBuilder(name);
        graph.Output($"{name}_y", graph.Named($"{name}_value", node.OpType, [new Value(node.Input)]), DataType.Float, 2, 4, 4, 4);
        return graph.Build().Graph;
    }

    private static void Declare(ModelProto model, string name, params long[] shape)
    {
        var dimensions = new TensorShapeProto();
        dimensions.Dim.AddRange(shape.Select(size => new TensorShapeProto.Types.Dimension { DimValue = size }));
        model.Graph.Input.Add(
            new ValueInfoProto
            {
                Name = name,
                Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float, Shape = dimensions } },
            });
    }

    private static void Declined(FoldResult result, string reason)
    {
        Assert.Equal(FoldStatus.Declined, result.BatchNorms[0].Status);
        Assert.Contains(reason, result.BatchNorms[0].Reason);
    }
}
