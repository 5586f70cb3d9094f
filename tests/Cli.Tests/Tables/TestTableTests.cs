using System.Globalization;
using System.Text;
using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>Test rows that are gone through in blocks, beside the same table in memory.</summary>
public sealed class TestTableTests : IDisposable
{
    // More than two blocks.
    private const int Rows = 40_000;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(LearningTask.Binary, null)]
    [InlineData(LearningTask.Binary, 100_000L)]
    [InlineData(LearningTask.Multiclass, null)]
    [InlineData(LearningTask.Regression, null)]
    public void Read_FileInBlocks_GivesWhatTheTableInMemoryGives(LearningTask task, long? memory)
    {
        var path = Write(Rows, ["north", "south", "elsewhere", "nowhere"]);
        var schema = TableSchema.Infer(Training(), LabelOf(task), task, new() { Weight = "weight", Ignore = Others(task) });
        var (whole, blocks) = (TestTable.Of(CsvTable.Read(path)), TestTable.Of(CsvSource.OfFile(path)));
        var looked = 0;

        var expected = whole.Read(schema, null, _ => { });
        var given = blocks.Read(schema, memory, block => looked += block.RowCount);

        Assert.Equal(Rows, looked);
        Assert.Equal(Rows, blocks.RowCount);
        Assert.Equal(memory is not null, given.FeatureRows.File is not null);
        Assert.Equal(expected.Features.ToArray(), given.Features.ToArray());
        Assert.Equal(expected.Targets.ToArray(), given.Targets.ToArray());
        Assert.Equal(expected.Weights!.Value.ToArray(), given.Weights!.Value.ToArray());
        Assert.Equal(whole.Classes.Order(), blocks.Classes.Order());
        Assert.Equal(whole.UnknownValues.Select(values => values.ToString()), blocks.UnknownValues.Select(values => values.ToString()));
        Assert.Contains("elsewhere", Assert.Single(blocks.UnknownValues).ToString(), StringComparison.Ordinal);
        var (one, other) = (whole.Column("place"), blocks.Column("place"));
        Assert.Equal(Enumerable.Range(0, Rows).Select(row => one[row]), Enumerable.Range(0, Rows).Select(row => other[row]));
        given.FeatureRows.File?.Dispose();
    }

    [Fact]
    public void Train_TestRowsInBlocks_FindsOutWhatItFindsOutInMemory()
    {
        var path = Write(Rows, ["north", "south"]);

        var (inMemory, inBlocks) = (Found(CsvTable.Read(path)), Found(TestTable.Of(CsvSource.OfFile(path))));

        Assert.Equal(inMemory.Figures, inBlocks.Figures);
        Assert.Equal(inMemory.Json, inBlocks.Json);

        // The columns, the linear model and the groups are there.
        foreach (var part in new[] { "columnImportance", "linearModel", "thresholds", "groups" })
            Assert.Contains($"\"{part}\":", inBlocks.Json, StringComparison.Ordinal);

        (string Figures, string Json) Found(TestTable test)
        {
            var options = new TableTrainingOptions
            {
                Label = "yes",
                Schema = new() { Ignore = Others(LearningTask.Binary) },
                Network = new()
                {
                    Preset = Preset.Fast,
                    HiddenLayers = [4],
                    Epochs = 2,
                    Seed = 1,
                    Device = Device.Cpu,
                    RowMemory = 1_000_000,
                },
            };
            var split = new TableSplit(Training(), null, test, "those of a file");
            using var trained = TableTrainer.Train(split.Training, test, options);
            var found = ModelAssessment.Of(trained, split, options, new AssessmentOptions());
            trained.RequireSaved(trained.Save(_folder.Path), test);
            return (
                string.Join(' ', trained.TestMetrics.Select(figure => figure.Value.ToString("R", CultureInfo.InvariantCulture))),
                found.ToJson().ToJsonString());
        }
    }

    [Theory]
    [InlineData("x", "seven", "line 30002, column 'x': 'seven' is not a number")]
    [InlineData("yes", "perhaps", "line 30002, column 'yes': the class 'perhaps' is among the rows to test on")]
    [InlineData("yes", "", "line 30002, column 'yes': the label is missing")]
    public void Train_ACellOfALaterBlockIsWrong_NamesItsLine(string column, string cell, string expected)
    {
        var lines = File.ReadAllLines(Write(Rows, ["north", "south"]));
        var cells = lines[30_001].Split(',');
        cells[Array.IndexOf(lines[0].Split(','), column)] = cell;
        lines[30_001] = string.Join(',', cells);
        _folder.Write("wrong.csv", string.Join('\n', lines));

        var exception = Assert.Throws<TableException>(() => TableTrainer.Train(
            Training(), TestTable.Of(CsvSource.OfFile(_folder.File("wrong.csv"))), new() { Label = "yes" }));

        var start = $"{_folder.File("wrong.csv")}, {expected}";
        Assert.Equal(start, exception.Message[..start.Length]);
    }

    private CsvTable Training() => CsvTable.Read(Write(600, ["north", "south"]));

    private static string LabelOf(LearningTask task) => task switch
    {
        LearningTask.Binary => "yes",
        LearningTask.Multiclass => "kind",
        _ => "amount",
    };

    // What says the label.
    private static string[] Others(LearningTask task) => [.. new[] { "yes", "kind", "amount" }.Where(name => name != LabelOf(task))];

    private string Write(int rows, string[] places)
    {
        var (random, csv) = (new Random(rows), new StringBuilder("x,day,place,weight,yes,kind,amount\n"));
        for (var row = 0; row < rows; row++)
        {
            var (x, place) = (random.NextDouble() * 10, random.Next(places.Length));
            var amount = x + (3 * place) + random.NextDouble();
            if (row % 97 != 5) csv.Append(CultureInfo.InvariantCulture, $"{x:0.000}");
            csv.Append(CultureInfo.InvariantCulture, $",{new DateOnly(2024, 1, 1).AddDays(row % 400):yyyy-MM-dd},{places[place]}")
                .Append(CultureInfo.InvariantCulture, $",{1 + (row % 3)},{(amount > 7 ? "yes" : "no")},k{(int)amount % 3}")
                .Append(CultureInfo.InvariantCulture, $",{amount:0.0000}\n");
        }

        _folder.Write($"{rows}.csv", csv.ToString());
        return _folder.File($"{rows}.csv");
    }
}
