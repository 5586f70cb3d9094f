using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Models that get fewer bits and are judged by the right answers.</summary>
public sealed class FoldLabelTests : IDisposable
{
    private const int Rows = 300, Width = 48;

    private readonly TemporaryFolder _folder = new();
    private readonly float[] _x;
    private readonly float[] _labels;

    public FoldLabelTests()
    {
        // Somebody's model: it knows nothing of tables or classes.
        var random = new Random(1);
        var graph = new GraphBuilder("test");
        Value Weight(string name, params long[] shape) =>
            graph.Initializer(
                TensorData.Create(
                    name,
                    Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f).ToArray(),
                    shape));
        var h = graph.Node(
            "Relu", [graph.Node("Gemm", [graph.Input("x", DataType.Float, "N", Width), Weight("w", Width, 64), Weight("c", 64)])]);
        graph.Output("p", graph.Node("Sigmoid", [graph.Node("Gemm", [h, Weight("v", 64, 1)])]), DataType.Float, "N", 1);
        var model = graph.Build();
        ModelFile.Write(model, _folder.File("in.onnx"));

        _x = [.. Enumerable.Range(0, Rows * Width).Select(_ => (2 * random.NextSingle()) - 1)];
        using var session = OnnxSession.Load(model);
        var p = (float[])session.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of(_x, Rows, Width) })["p"].Data;
        _labels = [.. p.Select((value, row) => value > 0.5f != row < 30 ? 1f : 0f)];
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("rows.npz")]
    [InlineData("rows.csv")]
    public void Fold_WithLabels_ReportsTheFiguresOfBoth(string file)
    {
        Write(file);
        var result = Run("--inputs", file, "--label", "bought", "--precision-loss", "0.03", "--report", "report.json");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("'p' in 300 rows with labels (allowed loss: 0.03):", result.Output, StringComparison.Ordinal);
        Assert.Matches("accuracy: 0[.]9000 → 0[.][89]", result.Output);
        Assert.Matches("one row: [0-9.]+ µs on this CPU, [0-9.]+ times the [0-9.]+ µs of float32", result.Output);
        using var report = JsonDocument.Parse(File.ReadAllText(_folder.File("report.json")));
        var figures = report.RootElement.GetProperty("reduction").GetProperty("figures");
        Assert.Equal(0.9, figures.GetProperty("float32").GetProperty("accuracy").GetDouble(), 1e-9);
        Assert.Equal(
            figures.GetProperty("loss").GetProperty("auc").GetDouble(),
            figures.GetProperty("float32").GetProperty("auc").GetDouble() - figures.GetProperty("reduced").GetProperty("auc").GetDouble(),
            1e-12);
        Assert.Equal(1, report.RootElement.GetProperty("reduction").GetProperty("speed")[0].GetProperty("rows").GetInt32());
        Assert.Equal("int8", ModelFile.GetMetadata(ModelFile.Read(_folder.File("out.onnx")), ModelMetadata.Precision));
    }

    [Fact]
    public void Fold_FiguresFallTooFar_ExitsWith3AndWritesNothing()
    {
        // Labels that the model is right about to the last digit: every change is a loss.
        using var session = OnnxSession.Load(_folder.File("in.onnx"));
        ((float[])session.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of(_x, Rows, Width) })["p"].Data).CopyTo(_labels, 0);
        Write("rows.npz");
        var line = Run("--inputs", "rows.npz", "--label", "bought", "--report", "report.json").RequireOneLineOfError(3);
        Assert.Contains("'in.onnx' with int8: rmse goes from 0 to ", line, StringComparison.Ordinal);
        Assert.EndsWith("more than the 0.01 allowed; nothing was written.", line, StringComparison.Ordinal);
        Assert.Equal(["in.onnx", "rows.npz"], _folder.Files());
    }

    [Theory]
    [InlineData("rows.npz", "Bought", "has no 'Bought' to take the labels from; it has x, bought")]
    [InlineData("rows.csv", "Bought", "Bought")]
    [InlineData("rows.npz", "x", "'x' is an input of the model")]
    public void Fold_LabelThatIsNotThere_Fails(string file, string label, string expected)
    {
        Write(file);
        Assert.Contains(expected, Run("--inputs", file, "--label", label).RequireOneLineOfError(), StringComparison.Ordinal);
        Assert.Equal(["in.onnx", file], _folder.Files());
    }

    [Fact]
    public void Fold_LabelThatIsNotANumber_NamesTheRow()
    {
        _labels[4] = float.NaN;
        Write("rows.npz");
        Assert.Contains(
            "'bought' is NaN in row 4", Run("--inputs", "rows.npz", "--label", "bought").RequireOneLineOfError(), StringComparison.Ordinal);
    }

    [Fact]
    public void Fold_UnknownOutput_ListsThoseThereAre()
    {
        Write("rows.npz");
        var line = Run("--inputs", "rows.npz", "--label", "bought", "--label-output", "q").RequireOneLineOfError();
        Assert.Contains("no output 'q' that could be compared with 'bought'; its outputs are p", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Fold_TableThatDoesNotFit_SaysWhy()
    {
        _folder.Write("rows.csv", "a,b,bought\n1,2,0\n3,4,1\n");
        Assert.Contains(
            "'rows.csv' gives 2 numbers (a, b)",
            Run("--inputs", "rows.csv", "--label", "bought").RequireOneLineOfError(),
            StringComparison.Ordinal);
        _folder.Write("rows.csv", "a,b,bought\n1,2,0\n3,four,1\n");
        Assert.Contains(
            "line 3, column b: 'four' is no number",
            Run("--inputs", "rows.csv", "--label", "bought").RequireOneLineOfError(),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--label is an array or a column of --inputs", "--label", "bought")]
    [InlineData("--label-output goes with --label", "--label-output", "p")]
    [InlineData("--precision-loss goes with --label", "--precision-loss", "0.1")]
    [InlineData("--label and --proof none exclude each other", "--label", "bought", "--inputs", "rows.npz", "--proof", "none")]
    public void Fold_OptionsThatDoNotGoTogether_AreWrongUsage(string expected, params string[] arguments)
    {
        var result = Run(arguments);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Fold_NetworkTrainedOnATable_IsJudgedByATable()
    {
        _folder.Write("customers.csv", ChurnTables.First(1200));
        Assert.Equal(0, Tool.Run(_folder.Path, "train", "customers.csv", "--label", "churn", "--epochs", "4", "--out", "out").ExitCode);
        var result = Tool.Run(
            _folder.Path, "fold", "out/model.batchnorm.onnx", "out/small.onnx", "--precision", "float16", "--inputs", "customers.csv",
            "--label", "churn");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("'Probability' in 1,200 rows with labels", result.Output, StringComparison.Ordinal);
        Assert.Matches("AUC: 0[.][789]", result.Output);
    }

    private ToolResult Run(params string[] arguments) =>
        Tool.Run(_folder.Path, ["fold", "in.onnx", "out.onnx", "--precision", "int8", .. arguments]);

    private void Write(string file)
    {
        if (file.EndsWith(".csv", StringComparison.Ordinal))
        {
            var lines = Enumerable.Range(0, Rows).Select(row =>
                string.Join(
                    ',',
                    _x.AsSpan(row * Width, Width).ToArray().Append(_labels[row]).Select(
                        value => value.ToString("R", CultureInfo.InvariantCulture))));
            _folder.Write(
                file,
                string.Join('\n', lines.Prepend(string.Join(',', Enumerable.Range(0, Width).Select(i => $"x{i}").Append("bought"))))
                    + "\n");
            return;
        }

        using var archive = ZipFile.Open(_folder.File(file), ZipArchiveMode.Create);
        foreach (var (name, shape, data) in new[] { ("x", $"{Rows}, {Width}", _x), ("bought", $"{Rows},", _labels) })
        {
            using var stream = archive.CreateEntry($"{name}.npy").Open();
            var header = Encoding.ASCII.GetBytes($"{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n");
            stream.Write([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0, (byte)header.Length, 0]);
            stream.Write(header);
            stream.Write(MemoryMarshal.AsBytes<float>(data));
        }
    }
}
