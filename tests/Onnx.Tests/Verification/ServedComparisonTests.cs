using MlNetBatchNorm.Cli.Tests;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Verification;

public sealed class ServedComparisonTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mlnetbn-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Of_FusionThatChangesTheAnswers_IsOffOrElseNamed()
    {
        // ONNX Runtime 1.31 takes a Pad with zeros into the MaxPool behind it, whose own padding never wins: wrong where all is negative.
        var graph = new GraphBuilder("pad");
        var x = graph.Node("Neg", [graph.Node("Abs", [graph.Input("x", DataType.Float, 1, 2, 6, 6)])]);
        var padded = graph.Node("Pad", [x, graph.Integers(0, 0, 1, 1, 0, 0, 1, 1)]);
        graph.Output("y", graph.Node("MaxPool", [padded], ("kernel_shape", new long[] { 3, 3 })), DataType.Float);
        var path = Write(graph.Build(), "model.onnx");
        var (was, now) = (new ComparedFile(path, "'model'"), new ComparedFile(path, "the folded model"));
        var known = ServedComparison.Of(was, now, null, Device.Cpu, 1e-4);
        Assert.Equal((0.0, 0.0), (known.Plain!.LargestRelative, known.Served!.LargestRelative));
        Assert.Null(known.Culprit);
        var allowed = ServedComparison.Of(was, now, null, Device.Cpu, 1e-4, new ExecutionOptions { AllowKnownWrongFusions = true });
        Assert.Equal(0, allowed.Plain!.LargestRelative);
        Assert.InRange(allowed.Served!.LargestRelative, 0.1, 10);
        Assert.Equal("ONNX Runtime's Pad_Fusion", allowed.Culprit);
    }

    [Theory]
    [InlineData("Pad_Fusion")]
    [InlineData("AttentionFusion")]
    [InlineData("WhereDummyDq")]
    public void Find_OneIsAtFault_NamesIt(string fault)
    {
        var tries = 0;
        var found = FusionSearch.Find(new ExecutionOptions { DisabledOptimizers = ["ConstantSharing"] }, options =>
        {
            tries++;
            Assert.Contains("ConstantSharing", options.DisabledOptimizers);
            return options.DisabledOptimizers.Contains(fault);
        });
        Assert.Equal($"ONNX Runtime's {fault}", found);
        Assert.InRange(tries, 2, 16);
    }

    [Fact]
    public void Find_TwoTogetherAreAtFault_NamesBoth()
    {
        var found = FusionSearch.Find(
            new ExecutionOptions(),
            options => options.DisabledOptimizers.Contains("Pad_Fusion") && options.DisabledOptimizers.Contains("ConvBNFusion"));
        Assert.Equal("ONNX Runtime's ConvBNFusion, Pad_Fusion together", found);
    }

    [Fact]
    public void Find_NoneIsAtFault_SaysSo() =>
        Assert.Contains("cannot be switched off by name", FusionSearch.Find(new ExecutionOptions(), _ => false), StringComparison.Ordinal);

    [Fact]
    public void Of_AllAnswersAreNaN_ProvesNothing()
    {
        var result = Compare(Scaled(float.NaN));
        Assert.Null(result.Plain);
        Assert.Contains("gives no number on any of the inputs", result.WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_GivenInputsThatDoNotFit_Fails()
    {
        var path = Write(Scaled(2), "x.onnx");
        Dictionary<string, HostTensor> inputs = new() { ["x"] = HostTensor.Of(new float[6], 1, 6) };
        Assert.Throws<ModelRunException>(
            () => ServedComparison.Of(new(path, "'x'"), new(path, "the folded model"), [inputs], Device.Cpu, 1e-4));
    }

    [Fact]
    public void ToJson_AndBack_IsTheSame()
    {
        var result = new ServedComparison
        {
            Plain = new ComparisonResult([new OutputDifference("y", 1.0 / 3, double.PositiveInfinity)], 2),
            Served = new ComparisonResult([new OutputDifference("ÿ \"quoted\"", double.NaN, 0)], 2),
            Noise = 1e-300,
            Culprit = "c",
        };
        var back = ServedComparison.From(System.Text.Json.Nodes.JsonNode.Parse(result.ToJson().ToJsonString())!.AsObject());
        Assert.Equal(result.Plain.Outputs, back.Plain!.Outputs);
        Assert.Equal(result.Served.Outputs, back.Served!.Outputs);
        Assert.Equal((2, 1e-300, "c", null), (back.Plain.Runs, back.Noise, back.Culprit, back.WhyNot));
    }

    [Fact]
    public void Answer_RequestOfAFile_IsTheComparison()
    {
        var (reference, candidate) = (Write(Scaled(2), "a.onnx"), Write(Scaled(3), "b.onnx"));
        var request = Path.Combine(_folder, "request.json");
        File.WriteAllText(request, new System.Text.Json.Nodes.JsonObject
        {
            ["reference"] = reference,
            ["referenceName"] = "'a'",
            ["candidate"] = candidate,
            ["candidateName"] = "b",
            ["device"] = "cpu",
            ["tolerance"] = 1e-4,
        }.ToJsonString());
        var answer = ServedComparison.From(System.Text.Json.Nodes.JsonNode.Parse(ComparisonProcess.Answer(request))!.AsObject());
        Assert.Equal(0.5, answer.Plain!.LargestRelative, 1e-6);
    }

    [UnixTheory]
    [InlineData("kill -9 $$", "ONNX Runtime crashed while it ran 'a' (exit code 137)")]
    [InlineData("echo '{'", "ONNX Runtime crashed while it ran 'a' (exit code 0)")]
    [InlineData("echo 'mlnetbn: out of luck.' >&2; exit 1", "out of luck")]
    [InlineData("exec sleep 100", "ONNX Runtime was not done with 'a' after 1 seconds and was stopped")]
    public void Compare_ChildThatEndsItselfOrHangs_IsOneClause(string script, string expected)
    {
        var process = new ComparisonProcess { FileName = "/bin/sh", Arguments = ["-c", script], TimeLimit = TimeSpan.FromSeconds(1) };
        Assert.Equal(expected, Ask(process).WhyNot);
    }

    [UnixTheory]
    [InlineData("exec sleep 100")]
    public void Compare_ChildTakesTooMuchMemory_IsStopped(string script)
    {
        var process = new ComparisonProcess { FileName = "/bin/sh", Arguments = ["-c", script], MemoryLimit = 1024 };
        Assert.Contains("took more than 0 MiB of memory for 'a' and was stopped", Ask(process).WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public void FoldFile_ChildCannotBeStarted_Fails()
    {
        var path = Write(Scaled(2), "a.onnx");
        var options = new FoldFileOptions { Process = new ComparisonProcess { FileName = Path.Combine(_folder, "nothing") } };
        var exception = Assert.Throws<IOException>(() => BatchNormFolder.FoldFile(path, Path.Combine(_folder, "out.onnx"), options));
        Assert.Contains("in which models are to be compared, cannot be started", exception.Message, StringComparison.Ordinal);
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [UnixTheory]
    [InlineData("kill -9 $$")]
    public void FoldFile_ChildEndsItself_WritesWhatIsProvedByParts(string script)
    {
        var test = new Folding.FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Gemm", [test.Input("N", 3), test.Weight("w", 3, 4)]), 4);
        test.Graph.Output("y", h, DataType.Float, "N", 4);
        var result = BatchNormFolder.FoldFile(
            Write(test.Graph.Build(), "a.onnx"),
            Path.Combine(_folder, "out.onnx"),
            new FoldFileOptions { Process = new ComparisonProcess { FileName = "/bin/sh", Arguments = ["-c", script] } });
        Assert.True(result.IsWritten);
        Assert.Equal(FoldStatus.Folded, result.Fold.BatchNorms[0].Status);
        Assert.Contains("ONNX Runtime crashed", result.WhyNotCompared, StringComparison.Ordinal);
        Assert.Single(ModelFile.Read(Path.Combine(_folder, "out.onnx")).Graph.Node);
    }

    private static ModelProto Scaled(float factor)
    {
        var graph = new GraphBuilder("scaled");
        graph.Output("y", graph.Node("Mul", [graph.Input("x", DataType.Float, "N", 2), graph.Constant(factor)]), DataType.Float, "N", 2);
        return graph.Build();
    }

    private static ServedComparison Ask(ComparisonProcess process) =>
        process.Compare(new("a.onnx", "'a'"), new("b.onnx", "b"), null, Device.Cpu, 1e-4);

    private ServedComparison Compare(ModelProto model)
    {
        var path = Write(model, "model.onnx");
        return ServedComparison.Of(new(path, "'model'"), new(path, "the folded model"), null, Device.Cpu, 1e-4);
    }

    private string Write(ModelProto model, string name)
    {
        var path = Path.Combine(_folder, name);
        ModelFile.Write(model, path);
        return path;
    }
}
