using System.Globalization;
using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tests.Assessment;

/// <summary>What <c>train</c> finds out about a network, on tables of which it is known what is in them.</summary>
public sealed class AssessmentTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // The label is made of one number, one column of categories and a weekday; the others are noise.
    [Fact]
    public void Train_LabelOfThreeColumns_NamesTheseAndNoOthers()
    {
        var random = new Random(1);
        var start = new DateTime(2024, 1, 1);
        _folder.Write("data.csv", "noise,day,size,kind,also,label\n" + string.Concat(Enumerable.Range(0, 1200).Select(_ =>
        {
            var (day, size, kind) = (start.AddDays(random.Next(700)), random.NextDouble(), random.Next(4));
            var sum = (3 * size) + kind + (day.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday ? 3 : 0) + random.NextDouble();
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{random.NextDouble():0.000},{day:yyyy-MM-dd},{size:0.000},k{kind},a{random.Next(3)},{(sum > 4.2 ? "yes" : "no")}\n");
        })));

        var found = Train("--epochs", "12");

        var columns = found.GetProperty("columnImportance").GetProperty("columns").EnumerateArray().ToArray();
        Assert.Equal(["also", "day", "kind", "noise", "size"], columns.Select(Name).Order());
        Assert.Equal(["day", "kind", "size"], columns.Take(3).Select(Name).Order());
        foreach (var column in columns)
        {
            var (low, high) = (column.GetProperty("logLoss")[1].GetDouble(), column.GetProperty("logLoss")[2].GetDouble());
            Assert.True(low < high);
            if (Name(column) is "day" or "kind" or "size") Assert.True(low > 0, column.ToString());
            else Assert.InRange(column.GetProperty("logLoss")[0].GetDouble(), -0.05, 0.05);
        }

        static string Name(JsonElement column) => column.GetProperty("column").GetString()!;
    }

    // Three classes that lines divide: a linear model sees them all, and numbers of categories are no sizes to it.
    [Theory]
    [InlineData("multiclass", "accuracy", 0.8)]
    [InlineData("regression", "rSquared", 0.97)]
    [InlineData("binary", "auc", 0.98)]
    public void Train_LabelThatIsLinear_HasALinearModelBesideThatIsRight(string task, string key, double least)
    {
        var random = new Random(2);
        _folder.Write("data.csv", "x,y,shop,label\n" + string.Concat(Enumerable.Range(0, 3000).Select(_ =>
        {
            var (x, y, shop) = (1e5 + random.NextDouble(), random.NextDouble(), random.Next(150));
            var sum = (x - 1e5) + y + (shop % 2) + (0.02 * random.NextDouble());
            var label = task switch
            {
                "regression" => sum.ToString("0.0000", CultureInfo.InvariantCulture),
                "binary" => sum > 1.5 ? "yes" : "no",
                _ => sum < 1 ? "low" : sum < 2 ? "middle" : "top",
            };
            return string.Create(CultureInfo.InvariantCulture, $"{x:0.0000},{y:0.0000},s{shop},{label}\n");
        })));

        var found = Train("--task", task, "--epochs", "4").GetProperty("linearModel");

        var figure = found.GetProperty("test").GetProperty(key).GetDouble();
        Assert.True(figure > least, found.ToString());
        var ahead = found.GetProperty("networkAhead").GetProperty(key);
        using var metrics = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json")));
        Assert.Equal(metrics.RootElement.GetProperty("test").GetProperty(key).GetDouble() - figure, ahead[0].GetDouble(), 1e-9);
        Assert.InRange(ahead[0].GetDouble(), ahead[1].GetDouble(), ahead[2].GetDouble());
    }

    // Which rows are tested on decides nothing: the threshold is of the out-of-fold rows alone.
    [Fact]
    public void Train_Costs_ChoosesTheThresholdThatIsCheapestOutOfFold()
    {
        _folder.Write("data.csv", ChurnTables.First(700));

        var found = Train(
            ["--preset", "accurate", "--members", "3", "--epochs", "2", "--cost-false-negative", "5", "--no-explain"], "churn");

        Assert.False(found.TryGetProperty("columnImportance", out _));
        Assert.False(found.TryGetProperty("linearModel", out _));
        Assert.False(found.TryGetProperty("groups", out _));
        var thresholds = found.GetProperty("thresholds");
        var cheapest = thresholds.GetProperty("cheapest").GetDouble();
        var rows = File.ReadLines(_folder.File("out/outOfFold.csv")).Skip(1).Select(line => line.Split(','))
            .Select(cells => (IsYes: cells[2] == "Yes", Probability: double.Parse(cells[4], CultureInfo.InvariantCulture))).ToArray();
        var least = rows.Select(row => Cost(row.Probability)).Append(Cost(2)).Min();
        Assert.Equal(least, Cost(cheapest));
        Assert.Contains("out of fold", thresholds.GetProperty("chosenOn").GetString(), StringComparison.Ordinal);
        Assert.Contains(
            thresholds.GetProperty("test").EnumerateArray(), at => at.GetProperty("threshold").GetDouble() == cheapest);

        double Cost(double threshold) =>
            rows.Sum(row => row.Probability >= threshold ? (row.IsYes ? 0 : 1) : row.IsYes ? 5 : 0);
    }

    [Fact]
    public void Train_OneGroupIsOff_SaysSoInTheVerdict()
    {
        // In shop C the label is decided the other way round, of which the tests have much and the rows to learn from nothing.
        _folder.Write("data.csv", Rows(["A", "B"], isTurned: false));
        _folder.Write("test.csv", Rows(["A", "B"], isTurned: true));

        var found = Train("--epochs", "10", "--test", "test.csv", "--categorical", "shop");

        var groups = found.GetProperty("groups").EnumerateArray().ToArray();
        Assert.Equal(["A", "B"], groups.Select(group => group.GetProperty("value").GetString()).Order());
        var turned = groups.Single(group => group.GetProperty("value").GetString() == "B").GetProperty("auc");
        Assert.True(turned[2].GetDouble() < 0.5, turned.ToString());
        Assert.Contains(
            found.GetProperty("verdict").EnumerateArray(),
            sentence => sentence.GetString()!.StartsWith("Be careful: ", StringComparison.Ordinal)
                && sentence.GetString()!.Contains("shop is 'B'", StringComparison.Ordinal));

        static string Rows(string[] shops, bool isTurned)
        {
            var random = new Random(3);
            return "x,shop,label\n" + string.Concat(Enumerable.Range(0, 600).Select(row =>
            {
                var (x, shop) = (random.NextDouble(), shops[row % shops.Length]);
                var isYes = x + (0.2 * random.NextDouble()) > 0.6;
                if (isTurned && shop == "B") isYes = !isYes;
                return string.Create(CultureInfo.InvariantCulture, $"{x:0.000},{shop},{(isYes ? "yes" : "no")}\n");
            }));
        }
    }

    [Theory]
    [InlineData("--cost-false-positive 0 --cost-false-negative 0", "both 0")]
    [InlineData("--cost-false-negative -1", "--cost-false-negative")]
    [InlineData("--cost-false-positive x", "--cost-false-positive")]
    [InlineData("--task multiclass --cost-false-positive 2", "--task binary only")]
    public void Train_CostsThatMakeNoSense_AreWrongUsage(string options, string expected)
    {
        _folder.Write("data.csv", ChurnTables.First(100));
        var result = Tool.Run(_folder.Path, ["train", "data.csv", "--label", "churn", "--out", "out", .. options.Split(' ')]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    private JsonElement Train(params string[] arguments) => Train(["--preset", "fast", "--hidden", "16,8", .. arguments], "label");

    private JsonElement Train(string[] arguments, string label)
    {
        var result = Tool.Run(_folder.Path, ["train", "data.csv", "--label", label, "--out", "out", .. arguments]);
        Assert.True(result.ExitCode == 0, result.Error);
        using var metrics = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json")));
        return metrics.RootElement.GetProperty("assessment").Clone();
    }
}
