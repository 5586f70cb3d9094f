using System.Text.Json;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Cli.Tests;

public sealed class FoldCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Fold_DenseModel_WritesTheModelAndTheReport()
    {
        var result = Run(Write(Model()), "out.onnx", "--report", "report.json");
        Assert.Equal(0, result.ExitCode);
        Assert.DoesNotContain("warning", result.Error);
        Assert.Contains("nodes:      3 → 2", result.Output);
        Assert.Equal(["Gemm", "Relu"], ModelFile.Read(_folder.File("out.onnx")).Graph.Node.Select(node => node.OpType));
        using var report = JsonDocument.Parse(File.ReadAllText(_folder.File("report.json")));
        var root = report.RootElement;
        Assert.Equal(
            """{"name":"bn","status":"folded","into":"Gemm","reason":""}""", JsonSerializer.Serialize(root.GetProperty("batchNorms")[0]));
        Assert.Equal((3, 2), (root.GetProperty("nodesBefore").GetInt32(), root.GetProperty("nodesAfter").GetInt32()));
        Assert.Equal((32, 16), (root.GetProperty("parametersBefore").GetInt32(), root.GetProperty("parametersAfter").GetInt32()));
        Assert.InRange(root.GetProperty("maxRelativeDifference").GetDouble(), 0, 1e-5);
        Assert.InRange(root.GetProperty("maxAbsoluteDifference").GetDouble(), 0, 1e-5);
    }

    [Fact]
    public void Inspect_AModelThatOnnxRuntimeGetsWrong_SaysWhere()
    {
        var nodes = new GraphBuilder("pooling");
        var padded = nodes.Named("padded", "Pad", [nodes.Input("x", DataType.Float, 1, 1, 4, 4), nodes.Integers(0, 0, 1, 1, 0, 0, 1, 1)]);
        nodes.Output("y", nodes.Named("pool", "MaxPool", [padded], ("kernel_shape", new long[] { 2, 2 })), DataType.Float, 1, 1, 5, 5);
        ModelFile.Write(nodes.Build(), _folder.File("in.onnx"));
        var result = Tool.Run(_folder.Path, "inspect", "in.onnx");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("ONNX Runtime is wrong", result.Output);
        Assert.Contains("Pad_Fusion", result.Output);
        var sound = Tool.Run(_folder.Path, "inspect", Write(Model()), "--served").Output;
        Assert.DoesNotContain("ONNX Runtime is", sound);
        Assert.Contains("as the model says", sound);
    }

    [Theory]
    [InlineData("out.onnx", "--report", "in.onnx")]
    [InlineData("out.onnx", "--report", "./out.onnx")]
    [InlineData("--dry-run", "--report", "in.onnx")]
    public void Fold_ReportThatWouldReplaceAModel_IsWrongUsage(params string[] arguments)
    {
        var path = Write(Model());
        var bytes = File.ReadAllBytes(_folder.File(path));
        var result = Run([path, .. arguments]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("would replace the model", result.Error);
        Assert.Equal(bytes, File.ReadAllBytes(_folder.File(path)));
        Assert.Equal([path], _folder.Files());
    }

    [Theory]
    [InlineData("--proof-seconds", "abc")]
    [InlineData("--proof-memory", "inf")]
    [InlineData("--precision-tolerance", "abc")]
    [InlineData("--tolerance", "-1")]
    [InlineData("--tolerance", "NaN")]
    public void Fold_NumberThatIsNone_IsWrongUsage(string option, string value)
    {
        var result = Run(Write(Model()), "out.onnx", option, value);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(option, result.Error);
    }

    [Fact]
    public void Fold_OntoItself_ReplacesTheFile()
    {
        var path = Write(Model());
        Assert.Equal(0, Run(path, path).ExitCode);
        Assert.Equal(2, ModelFile.Read(_folder.File(path)).Graph.Node.Count);
        Assert.Equal([path], _folder.Files());
    }

    [Fact]
    public void Fold_InputsFromAFolder_AreUsed()
    {
        var inputs = Directory.CreateDirectory(_folder.File("inputs")).FullName;
        File.WriteAllBytes(
            Path.Combine(inputs, "input_0.pb"), Google.Protobuf.MessageExtensions.ToByteArray(TensorData.Create("x", [1f, 2f, 3f], 1, 3)));
        Assert.Contains("in 1 runs", Run(Write(Model()), "out.onnx", "--inputs", "inputs").Output);
    }

    [Fact]
    public void Fold_DifferenceAboveTheTolerance_ExitsWith3AndWritesNothing()
    {
        var result = Run(Write(Model()), "out.onnx", "--report", "report.json", "--tolerance", "0");
        Assert.Contains("the output 'y'", result.RequireOneLineOfError(3));
        Assert.Equal(["in.onnx"], _folder.Files());
    }

    [Theory]
    [InlineData("float16", 0.6)]
    [InlineData("float16-arithmetic", 0.7)]
    [InlineData("int8", 0.45)]
    public void Fold_WithAPrecision_WritesFewerBitsAndReportsThem(string precision, double share)
    {
        var result = Run(Write(Model(64)), "out.onnx", "--report", "report.json", "--precision", precision);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains($"{precision}: 1 of 1, ", result.Output, StringComparison.Ordinal);
        var written = ModelFile.Read(_folder.File("out.onnx"));
        Assert.Equal(precision, ModelFile.GetMetadata(written, ModelMetadata.Precision));
        Assert.DoesNotContain(written.Graph.Node, node => node.OpType == "BatchNormalization");
        using var report = JsonDocument.Parse(File.ReadAllText(_folder.File("report.json")));
        Assert.Equal(precision, report.RootElement.GetProperty("precision").GetString());
        var reduction = report.RootElement.GetProperty("reduction");
        Assert.Equal(new FileInfo(_folder.File("out.onnx")).Length, reduction.GetProperty("bytes").GetInt64(), 400.0);
        Assert.InRange((double)reduction.GetProperty("bytes").GetInt64() / reduction.GetProperty("bytesFloat32").GetInt64(), 0.2, share);
        Assert.InRange(reduction.GetProperty("largestRelativeDifference").GetDouble(), 1e-7, 0.1);
        Assert.Equal(1, reduction.GetProperty("weights").GetArrayLength());
    }

    [Fact]
    public void Fold_PrecisionLosesTooMuch_ExitsWith3AndWritesNothing()
    {
        var result = Run(Write(Model(64)), "out.onnx", "--report", "report.json", "--precision", "int8", "--precision-tolerance", "1e-6");
        var line = result.RequireOneLineOfError(3);
        Assert.Contains("'in.onnx' with int8: the output 'y' changes by ", line, StringComparison.Ordinal);
        Assert.Equal(["in.onnx"], _folder.Files());
    }

    [Fact]
    public void Fold_NothingToReduce_Fails()
    {
        var result = Run(Write(Model()), "out.onnx", "--precision", "int8");
        Assert.Contains("Nothing in the model can be int8", result.RequireOneLineOfError(), StringComparison.Ordinal);
        Assert.Equal(["in.onnx"], _folder.Files());
    }

    [Fact]
    public void Fold_UnknownPrecision_IsWrongUsage()
    {
        var result = Run(Write(Model()), "out.onnx", "--precision", "int7");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(
            "'int7' is no precision; write one of float32, float16, float16-arithmetic, int8", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Fold_NotAnOnnxFile_Fails()
    {
        _folder.Write("in.onnx", "This is a letter, not a model.");
        Fails("in.onnx", "not an ONNX model");
    }

    [Fact]
    public void Fold_CutOffFile_Fails()
    {
        var path = _folder.File(Write(Model()));
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..200]);
        Fails("in.onnx", "cut off");
    }

    [Fact]
    public void Fold_MissingFile_Fails() => Fails("nothing.onnx", "There is no file");

    [Fact]
    public void Fold_MissingInitializer_Fails() =>
        Fails(model => model.Graph.Initializer.RemoveAt(0), "reads 'w', but no node, input or initializer has that name");

    [Fact]
    public void Fold_ScaleOfTheWrongLength_Fails() =>
        Fails(
            model => model.Graph.Initializer[2] = TensorData.Create("gamma", new float[3], 3),
            "BatchNormalization 'bn' has wrong shapes: the length of scale ('gamma') is 3, but 4 is expected");

    [Fact]
    public void Fold_CyclicGraph_Fails() => Fails(model => model.Graph.Node[0].Input[0] = "y", "cycle");

    [Fact]
    public void Fold_AbsurdDimensions_Fails() =>
        Fails(
            model =>
            {
                model.Graph.Initializer[0].Dims.Clear();
                model.Graph.Initializer[0].Dims.AddRange([1L << 20, 1L << 20]);
            },
            "needs 1099511627776 Float elements");

    [Fact]
    public void Fold_AbsurdInputDimensions_IsProvedByPartsAndSaysWhyNotAsAWhole()
    {
        var model = Model();
        model.Graph.Input.Add(model.Graph.Input[0].Clone());
        model.Graph.Input[1].Name = "huge";
        foreach (var size in model.Graph.Input[1].Type.TensorType.Shape.Dim) size.DimValue = 1L << 20;
        ByPartsAlone(model, "as a whole: not compared: No generated inputs fit the model");
    }

    [Fact]
    public void Fold_ExternalDataOutsideTheFolder_Fails() =>
        Fails(
            model =>
            {
                var tensor = model.Graph.Initializer[0];
                tensor.ClearRawData();
                tensor.DataLocation = TensorProto.Types.DataLocation.External;
                tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = "../weights.bin" });
            },
            "'w' lies at '../weights.bin', outside of the model's folder");

    [Fact]
    public void Fold_ModelThatOnnxRuntimeRefuses_IsProvedByPartsAndSaysWhyNotAsAWhole()
    {
        var model = Model();
        model.Graph.Node[2].OpType = "Relux";
        ByPartsAlone(model, "as a whole: not compared: ONNX Runtime cannot load 'in.onnx'");
    }

    [Fact]
    public void Fold_ProofByParts_ComparesNoWholes()
    {
        var result = Run(Write(Model()), "out.onnx", "--proof", "parts");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("by parts:   1 proved", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("as a whole", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Fold_UnknownProof_IsWrongUsage()
    {
        var result = Run(Write(Model()), "out.onnx", "--proof", "reading");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("'reading' is no proof; write one of served, parts, none.", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--proof-seconds", "0.001", "was not done with 'in.onnx' after 0.001 seconds and was stopped")]
    [InlineData("--proof-memory", "1", "took more than 1 MiB of memory for 'in.onnx' and was stopped")]
    public void Fold_WholesTakeTooMuch_IsProvedByPartsAndSaysSo(string option, string limit, string expected)
    {
        var result = Run(Write(Model()), "out.onnx", option, limit);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains(expected, result.Output, StringComparison.Ordinal);
        Assert.Equal(2, ModelFile.Read(_folder.File("out.onnx")).Graph.Node.Count);
        Assert.Equal(["in.onnx", "out.onnx"], _folder.Files());
    }

    [Fact]
    public void Fold_NoFolderToWriteTo_Fails()
    {
        var result = Run(Write(Model()), "nowhere/out.onnx");
        Assert.Contains("There is no folder", result.RequireOneLineOfError());
    }

    [Fact]
    public void Fold_DryRun_ReportsAndWritesNothing()
    {
        var result = Run(Write(Model()), "--dry-run");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("batch normalizations gone or simpler: 1 of 1", result.Output, StringComparison.Ordinal);
        Assert.Contains("nothing was written", result.Error, StringComparison.Ordinal);
        Assert.Equal(["in.onnx"], _folder.Files());
    }

    [Theory]
    [InlineData("OUT.onnx is missing", "in.onnx")]
    [InlineData("--dry-run writes no model", "in.onnx", "out.onnx", "--dry-run")]
    public void Fold_FileToWriteAndDryRun_ExcludeEachOther(string expected, params string[] arguments)
    {
        Write(Model());
        var result = Run(arguments);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.Equal(["in.onnx"], _folder.Files());
    }

    [Fact]
    public void Fold_Explain_SaysWhatOneBatchNormIsAndWhatWouldHaveToBeTrue()
    {
        var graph = new GraphBuilder("test");
        Value Vector(string name, float first, float second) => graph.Initializer(TensorData.Create(name, [first, second], 2));
        var h = graph.Named("act", "Sigmoid", [graph.Input("x", DataType.Float, "N", 2)]);
        Value[] parameters = [Vector("gamma", 2, -4), Vector("beta", 1, 0), Vector("mean", 0, 0), Vector("variance", 4, 1)];
        h = graph.Node("Relu", [graph.Named("bn", "BatchNormalization", [h, .. parameters], ("epsilon", 0f))]);
        graph.Output("y", h, DataType.Float, "N", 2);
        var result = Run(Write(graph.Build()), "--explain", "bn");
        Assert.Equal(0, result.ExitCode);
        Assert.Equal(
            [
                "BatchNormalization 'bn': declined",
                "  what it does:  y = s·x + t in 2 channels, s from -4 to 1, t from 0 to 1",
                "  it reads:      'act' [N, 2], made by Sigmoid 'act'",
                "  read by:       Relu 'Relu'",
                "  not before it: Sigmoid 'act' can take in no scale or shift",
                "  not behind it: Relu 'Relu' is not linear, so a shift cannot pass it",
            ],
            result.Output.Split(Environment.NewLine)[..6]);
        Assert.Contains("would fold if:", result.Output, StringComparison.Ordinal);
        Assert.Equal(["in.onnx"], _folder.Files());
    }

    [Fact]
    public void Fold_ExplainOfANameThatThereIsNot_NamesThoseThatThereAre()
    {
        Write(Model());
        var error = Run("in.onnx", "--explain", "q").RequireOneLineOfError();
        Assert.Contains("no batch normalization named 'q'; it has 'bn'.", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Fold_NormalizationWrittenAsMulAndAdd_IsCountedAsWhatItIs()
    {
        var graph = new GraphBuilder("test");
        Value Weight(string name, params long[] shape) => graph.Initializer(
            TensorData.Create(name, Enumerable.Range(1, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(i => 1f / i).ToArray(), shape));
        var h = graph.Node("MatMul", [graph.Input("x", DataType.Float, "N", 3), Weight("w", 3, 2)]);
        h = graph.Named("shift", "Add", [graph.Named("scale", "Mul", [h, Weight("s", 2)]), Weight("t", 2)]);
        graph.Output("y", graph.Node("Relu", [h]), DataType.Float, "N", 2);
        var result = Run(Write(graph.Build()), "out.onnx", "--report", "report.json");
        const string expected = "batch normalizations gone or simpler: 0 of 0; written as constant arithmetic: 1 of 1";
        Assert.Contains(expected, result.Output, StringComparison.Ordinal);
        Assert.Equal(["MatMul", "Add", "Relu"], ModelFile.Read(_folder.File("out.onnx")).Graph.Node.Select(node => node.OpType));
        using var report = JsonDocument.Parse(File.ReadAllText(_folder.File("report.json")));
        Assert.Equal("Mul, Add", report.RootElement.GetProperty("chains")[0].GetProperty("operators").GetString());
    }

    private void ByPartsAlone(ModelProto model, string expected)
    {
        var result = Run(Write(model), "out.onnx", "--report", "report.json");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains(expected, result.Output, StringComparison.Ordinal);
        Assert.Contains("by parts:   1 proved", result.Output, StringComparison.Ordinal);
        using var report = JsonDocument.Parse(File.ReadAllText(_folder.File("report.json")));
        Assert.Equal(JsonValueKind.Null, report.RootElement.GetProperty("maxRelativeDifference").ValueKind);
        Assert.EndsWith(report.RootElement.GetProperty("whyNotCompared").GetString()!, result.Output.TrimEnd(), StringComparison.Ordinal);
    }

    private void Fails(Action<ModelProto> spoil, string expected)
    {
        var model = Model();
        spoil(model);
        Write(model);
        Fails("in.onnx", expected);
    }

    // One line on stderr, exit code 1, and nothing in the folder that was not there before.
    private void Fails(string input, string expected)
    {
        var before = _folder.Files();
        var result = Run(input, "out.onnx", "--report", "report.json");
        Assert.Contains(expected, result.RequireOneLineOfError());
        Assert.Equal(before, _folder.Files());
    }

    private ToolResult Run(params string[] arguments) => Tool.Run(_folder.Path, ["fold", .. arguments]);

    private string Write(ModelProto model)
    {
        ModelFile.Write(model, _folder.File("in.onnx"));
        return "in.onnx";
    }

    private static ModelProto Model(int width = 3)
    {
        var units = width == 3 ? 4 : width;
        var random = new Random(1);
        var graph = new GraphBuilder("test");
        var x = graph.Input("x", DataType.Float, "N", width);

        Value Weight(string name, params long[] shape) =>
            graph.Initializer(
                TensorData.Create(
                    name,
                    Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => 0.5f + random.NextSingle()).ToArray(),
                    shape));
        var h = graph.Node("Gemm", [x, Weight("w", width, units), Weight("c", units)]);
        h = graph.Named(
            "bn",
            "BatchNormalization",
            [h, Weight("gamma", units), Weight("beta", units), Weight("mean", units), Weight("variance", units)]);
        graph.Output("y", graph.Node("Relu", [h]), DataType.Float, "N", units);
        return graph.Build();
    }
}
