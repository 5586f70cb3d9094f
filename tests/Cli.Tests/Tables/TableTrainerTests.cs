using System.Globalization;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Tests.Referees;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class TableTrainerTests
{
    /// <summary>The same numbers from 0, from 1,234,567,800 and in units of 1e300 are the same column to a network.</summary>
    [Theory]
    [InlineData("{0}", "123456789{0:00}")]
    [InlineData("{0}", "17000000000{0:00}")]
    [InlineData("{0}e3", "{0}e303")]
    [InlineData("{0}e-3", "{0}e-303")]
    public void Train_NumbersOfManyDigitsOrAnySize_LearnsAsFromTheDifferences(string plain, string given)
    {
        var (expected, actual) = (Train(plain), Train(given));

        Assert.True(expected > 0.98, $"{expected}");
        Assert.Equal(expected, actual, 0.01);
    }

    /// <summary>A label of 10 or 13 digits is learned and predicted as the same label from 0.</summary>
    [Theory]
    [InlineData("1234567800")]
    [InlineData("1700000000123")]
    [InlineData("-1000000000000.5")]
    public void Train_LabelOfManyDigits_PredictsAllOfThem(string start)
    {
        var random = new Random(1);
        double[] features = [.. Enumerable.Range(0, 300).Select(_ => random.Next(100) / 100.0)];
        var offset = decimal.Parse(start, CultureInfo.InvariantCulture);
        using var plain = Regression(features, 0);
        using var trained = Regression(features, offset);
        using var folder = new TemporaryFolder();

        Assert.Equal(plain.TestMetrics[Metric.RSquared]!.Value, trained.TestMetrics[Metric.RSquared]!.Value, 0.01);
        Assert.InRange(trained.TestMetrics[Metric.RSquared]!.Value, 0.9, 1);
        var report = trained.Schema.Reports.Single(column => column.Kind == ColumnKind.Label);
        Assert.Contains("apart at this size", report.Lost, StringComparison.Ordinal);
        Assert.InRange(trained.SavePipeline(folder.Path, Table(features, offset)).Pipeline.LargestRelative, 0, 1e-5);
        trained.Save(folder.Path);
        foreach (var model in new[] { "model.onnx", "model.zip" })
        {
            var path = Path.Combine(folder.Path, "scores.csv");
            using (var scorer = TableScorer.Open(Path.Combine(folder.Path, model)))
                PredictionTable.Write(path, [scorer.Score(Table(features, offset))]);
            decimal[] scores = [.. File.ReadLines(path).Skip(1).Select(line => decimal.Parse(line, CultureInfo.InvariantCulture))];
            for (var row = 0; row < scores.Length; row++)
                Assert.InRange(scores[row] - offset, (50 * (decimal)features[row]) - 12, (50 * (decimal)features[row]) + 12);
        }
    }

    /// <summary>What a label owes to one of 120 categories is learned, and is the same in every form that is saved.</summary>
    [Theory]
    [InlineData(Preset.Accurate)]
    [InlineData(Preset.Fast)]
    public void Train_ManyCategories_LearnsEachAndSavesThem(Preset preset)
    {
        var random = new Random(1);
        bool[] isLate = [.. Enumerable.Range(0, 120).Select(_ => random.Next(2) == 0)];
        string[] rows = [.. Enumerable.Range(0, 2400).Select(i => $"{random.Next(9)},p{i % 120},{(isLate[i % 120] ? "yes" : "no")}")];
        random.Shuffle(rows);
        var (training, test) = TableSplit.Every(CsvTable.Parse($"x,place,late\n{string.Join('\n', rows)}\n"), 0.2);
        var network = new BatchNormNetworkOptions { Preset = preset, Epochs = 12, BatchSize = 64, Seed = 0 };
        using var trained = TableTrainer.Train(training, test, new TableTrainingOptions { Label = "late", Network = network });
        using var folder = new TemporaryFolder();
        var asked = CsvTable.Parse("x,place\n1,p0\n2,p1\n3,p2\n1,nowhere\n1,\n");

        Assert.InRange(trained.TestMetrics[Metric.AreaUnderRocCurve]!.Value, 0.99, 1);
        Assert.InRange(trained.SavePipeline(folder.Path, test).Pipeline.LargestRelative, 0, 1e-4);
        trained.Save(folder.Path);
        string[][] scores = [.. new[] { "model.onnx", "model.zip" }.Select(model =>
        {
            var path = Path.Combine(folder.Path, "scores.csv");
            using (var scorer = TableScorer.Open(Path.Combine(folder.Path, model))) PredictionTable.Write(path, [scorer.Score(asked)]);
            return File.ReadAllLines(path);
        })];
        for (var place = 0; place < 3; place++)
            Assert.StartsWith(isLate[place] ? "yes," : "no,", scores[0][place + 1], StringComparison.Ordinal);
        Assert.Equal(scores[0][4][..6], scores[0][5][..6]); // The last row of a batch may round otherwise.
        Assert.Equal(scores[0].Select(line => line[..6]), scores[1].Select(line => line[..6]));
    }

    private static TrainedTable Regression(double[] features, decimal offset)
    {
        var (training, test) = TableSplit.Every(Table(features, offset), 0.2);
        var network = new BatchNormNetworkOptions { HiddenLayers = [8], Dropout = 0, Epochs = 60, BatchSize = 16, Seed = 0 };
        return TableTrainer.Train(
            training, test, new TableTrainingOptions { Label = "y", Task = LearningTask.Regression, Network = network });
    }

    private static CsvTable Table(double[] features, decimal offset) => CsvTable.Parse("x,y\n" + string.Concat(
        features.Select(x => string.Create(CultureInfo.InvariantCulture, $"{x},{offset + (50 * (decimal)x)}\n"))));

    private static double Train(string format)
    {
        var random = new Random(1);
        var rows = Enumerable.Range(0, 400).Select(_ => random.Next(100)).Select(number => string.Create(
            CultureInfo.InvariantCulture,
            $"{string.Format(CultureInfo.InvariantCulture, format, number)},{random.NextDouble():0.000},{(number > 50 ? 1 : 0)}"));
        var (training, test) = TableSplit.Every(CsvTable.Parse($"order,noise,y\n{string.Join('\n', rows)}\n"), 0.2);
        var network = new BatchNormNetworkOptions
        {
            Preset = Preset.Fast,
            HiddenLayers = [8],
            Epochs = 15,
            Seed = 0,
            Device = Device.Cpu,
        };
        using var trained = TableTrainer.Train(training, test, new TableTrainingOptions { Label = "y", Network = network });
        using var folder = new TemporaryFolder();
        Assert.InRange(trained.SavePipeline(folder.Path, test).Pipeline.LargestRelative, 0, 1e-5);
        return trained.TestMetrics[Metric.AreaUnderRocCurve]!.Value;
    }

    [Theory]
    [InlineData("churn.csv", "churn", LearningTask.Binary)]
    [InlineData("ames.csv", "Sale_Price", LearningTask.Regression)]
    [InlineData("letters.csv", "lettr", LearningTask.Multiclass)]
    public void SavePipeline_SampleTable_ReadsTheTablesColumns(string file, string label, LearningTask task)
    {
        var (training, test) = TableSplit.Every(CsvTable.Read(SampleData.PathOf(file)), 0.2);
        var network = new BatchNormNetworkOptions { HiddenLayers = [8], Epochs = 1, Seed = 0 };
        using var trained = TableTrainer.Train(training, test, new TableTrainingOptions { Label = label, Task = task, Network = network });
        using var folder = new TemporaryFolder();

        var (path, pipeline) = trained.SavePipeline(folder.Path, test);

        Assert.Equal(test.RowCount, pipeline.RowsCompared);
        Assert.True(pipeline.TakesBatches);
        Assert.Equal(
            trained.Schema.Features.Columns.Select(column => column.Name).Order(), pipeline.Inputs.Select(input => input.Name).Order());
        Assert.InRange(pipeline.LargestRelative, 0, 1e-5);
        if (OnnxChecker.IsInstalled) OnnxChecker.Require([(label, ModelFile.Read(path))]);
    }
}
