using System.Globalization;
using System.Text.Json;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Networks, losses and training by the tool's options.</summary>
public sealed class TrainChoiceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TrainChoiceTests() => _folder.Write("data.csv", ChurnTables.First(300));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_ImagesAndANetworkFile_LearnsThemAndScoresAlike()
    {
        _folder.Write("images.csv", Images(300));
        _folder.Write(
            "net.txt",
            "conv2d 6 3; batchnorm; relu\nresidual\n  conv2d 6 3; batchnorm zerogamma=yes\nend\nrelu\nmaxpool 2; flatten; dense 3\n");
        var result = Run(
            "images.csv", "--label", "shape", "--task", "multiclass", "--network", "net.txt", "--input-shape", "1,6,6", "--label-smoothing",
            "0.05",
            "--epochs", "12", "--batch", "32", "--statistics", "population");
        Assert.True(result.ExitCode == 0, result.Error);
        using var metrics = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json")));
        Assert.True(metrics.RootElement.GetProperty("test").GetProperty("accuracy").GetDouble() > 0.9, result.Output);
        Assert.Equal(3, metrics.RootElement.GetProperty("batchNormsBefore").GetInt32());
        Assert.DoesNotContain("warning: The running statistics", result.Error, StringComparison.Ordinal);

        string[] scored = [.. new[] { "model.onnx", "model.zip" }.Select(model =>
        {
            Assert.Equal(0, Tool.Run(_folder.Path, "score", $"out/{model}", "images.csv", "--out", $"{model}.csv").ExitCode);
            return string.Join(',', File.ReadLines(_folder.File($"{model}.csv")).Skip(1).Select(line => line.Split(',')[0]));
        })];
        Assert.Equal(scored[0], scored[1]);
    }

    [Fact]
    public void Train_BatchNormThatCannotBeFolded_SaysWhichAndWhy()
    {
        // What goes around the inner layers is added as it is, so the batch normalization behind the branch has nothing in front of it.
        var result = Run(
            "data.csv", "--label", "churn", "--epochs", "1",
            "--network", "dense 8; residual; batchnorm; relu; dense 8; batchnorm; relu; dense 8; end; batchnorm; relu; dense 1");
        Assert.True(result.ExitCode == 0, result.Error);
        var kept = ModelFile.Read(_folder.File("out/model.onnx")).Graph.Node.Where(node => node.OpType == "BatchNormalization").ToList();
        Assert.NotEmpty(kept);
        var lines = result.Output.Split('\n').Where(line => line.StartsWith("not folded", StringComparison.Ordinal)).ToList();
        Assert.Equal(kept.Select(node => node.Name).Order(), lines.Select(line => line[20..].Split(':')[0].Trim()).Order());
        Assert.All(lines, line => Assert.True(line.Split(':', 2)[1].Length > 20, line));
    }

    [Fact]
    public void Train_EveryChoiceForATable_ReachesTheModel()
    {
        var result = Run(
            "data.csv", "--label", "churn", "--hidden", "8", "--activation", "leakyrelu:0.2", "--placement", "after", "--epsilon", "0.001",
            "--ghost", "16", "--dropout", "0.1",
            "--init", "orthogonal", "--class-weights", "Yes=3", "--epochs", "2", "--patience", "0", "--validation-fraction", "0",
            "--optimizer", "nesterov:0.9", "--lr", "0.01",
            "--weight-decay", "0.001", "--schedule", "step:0.1,0.5", "--clip", "1", "--statistics", "keras:0.9", "--no-standardize",
            "--opset", "13");
        Assert.True(result.ExitCode == 0, result.Error);
        var model = ModelFile.Read(_folder.File("out/model.batchnorm.onnx"));
        Assert.Equal(13, model.OpsetImport[0].Version);
        // Behind the activation the first layer keeps its bias; features that are not standardized need no nodes in front of it.
        Assert.Equal(["Gemm", "LeakyRelu", "BatchNormalization", "Gemm", "Sigmoid"], model.Graph.Node.Select(node => node.OpType));
        Assert.Equal(0.2f, model.Graph.Node.Single(node => node.OpType == "LeakyRelu").Attribute.Single().F);
        var norm = model.Graph.Node.Single(node => node.OpType == "BatchNormalization");
        Assert.Equal(1e-3f, norm.Attribute.Single(attribute => attribute.Name == "epsilon").F);
        Assert.Contains("Keras momentum 0.9", ModelFile.GetMetadata(model, ModelMetadata.Statistics), StringComparison.Ordinal);
    }

    [Fact]
    public void Train_SharedWeightsWavesAveragesAndSmoothing_ReachTheModel()
    {
        var result = Run(
            "data.csv", "--label", "churn", "--epochs", "2", "--members", "3", "--shared-weights", "--numbers", "periodic:3,0.5",
            "--weight-averaging", "0.9", "--label-smoothing", "0.1");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("2 before folding, 0 after", result.Output, StringComparison.Ordinal);
        var model = ModelFile.Read(_folder.File("out/model.onnx"));
        Assert.Contains(model.Graph.Node, node => node.OpType == "Sin");
        Assert.DoesNotContain("outOfFold", File.ReadAllText(_folder.File("out/metrics.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Train_GroupNormAndHuber_ReachTheModel()
    {
        // Groups of two: such a normalization keeps hardly more than which value is the larger, so that every rounding shows.
        var result = Run(
            "data.csv", "--label", "tenure", "--task", "regression", "--hidden", "32", "--normalization", "group:16", "--loss", "huber:0.5",
            "--epochs", "1");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("1 before folding, 0 after", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_WeightColumn_HidesRowsOfWeightZero()
    {
        // Half of the rows have their label turned round, and count for nothing.
        var lines = Enumerable.Range(0, 400).Select(i => (X: i % 20, IsHidden: i % 2 == 1)).Select(row =>
            string.Create(
                CultureInfo.InvariantCulture, $"{row.X},{((row.X >= 10) != row.IsHidden ? "yes" : "no")},{(row.IsHidden ? 0 : 1)}"));
        _folder.Write("weighted.csv", "x,label,w\n" + string.Join('\n', lines) + "\n");
        var result = Run("weighted.csv", "--label", "label", "--weight-column", "w", "--epochs", "60", "--test-fraction", "0.3");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("1 features from 1 columns", result.Error, StringComparison.Ordinal);
        using var metrics = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json")));
        Assert.True(metrics.RootElement.GetProperty("test").GetProperty("accuracy").GetDouble() > 0.9, result.Output);
    }

    [Theory]
    [InlineData("1,1,-2\n2,2,1\n", "line 2")]
    [InlineData("1,1,1\n2,2,\n", "line 3")]
    [InlineData("1,1,1\n2,2,much\n", "'much' is not a number")]
    public void Train_WeightThatIsNone_NamesTheLine(string rows, string expected)
    {
        _folder.Write("weighted.csv", "x,y,w\n" + rows + "3,3,1\n4,4,2\n5,5,1\n");
        var line = Run("weighted.csv", "--label", "y", "--task", "regression", "--weight-column", "w").RequireOneLineOfError();
        Assert.Contains(expected, line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--network", "dense 2", "end it with a dense layer of 1")]
    [InlineData("--class-weights", "Perhaps=2", "the classes are No, Yes")]
    [InlineData("--batch", "1", "at least 2 rows")]
    public void Train_ChoiceThatDoesNotFitTheTable_IsOneLine(string option, string value, string expected)
    {
        var result = Run("data.csv", "--label", "churn", option, value);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(expected, result.Error.TrimEnd().Split('\n')[^1], StringComparison.Ordinal);
        Assert.Equal(["data.csv"], _folder.Files());
    }

    [Theory]
    [InlineData("dense 4; tense 4; dense 1", "--network: Line 1, 'tense 4': 'tense' is not a layer")]
    [InlineData("none.txt", "--network: There is no file 'none.txt'")]
    public void Train_MistypedNetwork_IsWrongUsage(string network, string expected)
    {
        var line = Run("data.csv", "--label", "churn", "--network", network).RequireOneLineOfError(2);
        Assert.Contains(expected, line, StringComparison.Ordinal);
        Assert.Equal(["data.csv"], _folder.Files());
    }

    [Theory]
    [InlineData("--decimal-mark ;", "';' is no decimal mark")]
    [InlineData("--decimal-mark , --decimal-mark .", "All columns have two marks")]
    [InlineData("--thousands x", "'x' does not stand between thousands")]
    [InlineData("--statistics keras:1", "At 1 nothing is ever learned")]
    [InlineData("--statistics mean", "use pytorch[:MOMENTUM], keras[:MOMENTUM]")]
    [InlineData("--optimizer rmsprop", "'rmsprop' is not an optimizer")]
    [InlineData("--optimizer adam --weight-decay 0.1", "use adamw")]
    [InlineData("--schedule linear", "'linear' is not a schedule")]
    [InlineData("--task guessing --positive Yes", "guessing")]
    [InlineData("--normalization instance", "use batch, layer, group:GROUPS or none")]
    [InlineData("--normalization layer --ghost 8", "--ghost is for batch normalization")]
    [InlineData("--network relu --hidden 8", "--hidden has no effect on a --network of your own")]
    [InlineData("--input-shape 1,2,3", "--input-shape goes with --network")]
    [InlineData("--loss huber", "--task regression only")]
    [InlineData("--task regression --label-smoothing 0.1", "--task binary and multiclass only")]
    [InlineData("--members 1 --shared-weights", "there is one network only")]
    [InlineData("--weight-averaging 1", "--weight-averaging is 1, but must be from 0")]
    [InlineData("--numbers periodic:0", "from 1 to 1024 frequencies")]
    [InlineData("--network relu --shared-weights", "--shared-weights has no effect on a --network of your own")]
    [InlineData("--task regression --class-weights balanced", "--task binary and multiclass only")]
    [InlineData("--class-weights heavy", "write balanced, or each class once")]
    [InlineData("--ghost 1", "--ghost is 1, but must be from 2")]
    [InlineData("--opset 8", "--opset is 8, but must be from 9 to 21")]
    [InlineData("--init best", "'best' is not an initializer")]
    public void Train_ChoiceThatMakesNoSense_IsWrongUsage(string options, string expected)
    {
        var result = Run(["data.csv", "--label", "churn", .. options.Split(' ')]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Parameter '", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_PositiveWithoutATask_IsTheBinaryTaskS() =>
        Assert.Equal(0, Run("data.csv", "--label", "churn", "--positive", "No", "--epochs", "1").ExitCode);

    [Fact]
    public void Help_Train_GroupsItsOptions()
    {
        var result = Tool.Run(_folder.Path, "train", "--help");
        Assert.Equal(0, result.ExitCode);
        int[] headings = [.. new[] { "What to learn:", "What to write:", "The network:", "Training:" }.Select(
            heading => result.Output.IndexOf(heading, StringComparison.Ordinal))];
        Assert.DoesNotContain(-1, headings);
        Assert.Equal(headings.Order(), headings);
        Assert.Contains("zeros or ones", result.Output.ReplaceLineEndings(" "), StringComparison.Ordinal);
        Assert.All(result.Output.Split('\n'), line => Assert.True(line.Length <= 140, line));
    }

    private ToolResult Run(params string[] arguments) =>
        Tool.Run(_folder.Path, ["train", .. arguments, "--preset", "fast", "--out", "out"]);

    // A stripe down, across, or none; the first pixel is always the same.
    private static string Images(int count)
    {
        const int size = 6;
        var random = new Random(4);
        var lines = Enumerable.Range(0, count).Select(i =>
        {
            var at = 1 + random.Next(size - 1);
            var pixels = Enumerable.Range(0, size * size).Select(
                p => p == 0 ? 0 : random.Next(40) + ((i % 3) switch { 0 => p % size == at, 1 => p / size == at, _ => false } ? 120 : 0));
            return $"{new[] { "down", "across", "none" }[i % 3]},{string.Join(',', pixels)}";
        });
        return $"shape,{string.Join(',', Enumerable.Range(0, size * size).Select(p => $"p{p}"))}\n{string.Join('\n', lines)}\n";
    }
}
