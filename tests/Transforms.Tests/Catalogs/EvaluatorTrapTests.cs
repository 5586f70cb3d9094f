using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MlNetBatchNorm.Transforms.Tests.Catalogs;

/// <summary>
/// What ML.NET's evaluators and readers make of some data, on columns that no network of ours has touched (docs/mlnet.md has it in a
/// table), and what our trainers and transformers say of such data.
/// </summary>
public sealed class EvaluatorTrapTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _warnings = [];

    public EvaluatorTrapTests() => _ml.Log += (_, message) =>
    {
        if (message.Kind == ChannelMessageKind.Warning) _warnings.Add(message.RawMessage);
    };

    [Fact]
    public void Evaluate_HalfOfTheScoresMissing_IsPerfectOnTheOthers()
    {
        var rows = Enumerable.Range(0, 100).Select(i => new Number { Label = i, Score = i % 2 == 0 ? float.NaN : i });
        var numbers = _ml.Regression.Evaluate(_ml.Data.LoadFromEnumerable(rows));
        Assert.Equal((1, 0), (numbers.RSquared, numbers.RootMeanSquaredError));

        var flags = Enumerable.Range(0, 100).Select(i => i % 2 == 0
            ? new Flag { Label = i % 3 == 0, Score = float.NaN, Probability = float.NaN }
            : Right(i % 3 == 0));
        var classes = _ml.BinaryClassification.Evaluate(_ml.Data.LoadFromEnumerable(flags));
        Assert.Equal((1, 50), (classes.Accuracy, classes.ConfusionMatrix.Counts.Sum(counts => counts.Sum())));

        static Flag Right(bool label) =>
            new() { Label = label, Score = label ? 1 : -1, Probability = label ? 0.9f : 0.1f, PredictedLabel = label };
    }

    [Fact]
    public void Evaluate_NoRowsAtAll_HasNoError()
    {
        var metrics = _ml.Regression.Evaluate(_ml.Data.LoadFromEnumerable(Array.Empty<Number>()));
        Assert.Equal((0, 0), (metrics.RootMeanSquaredError, metrics.MeanAbsoluteError));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1e6, false)]
    [InlineData(16_777_200, false)]
    public void Evaluate_LabelsFarFromZero_GivesAnotherRSquared(float offset, bool isRight)
    {
        var random = new Random(1);
        Number[] rows =
            [.. Enumerable.Range(0, 1000).Select(_ => new Number { Label = offset + random.Next(11), Score = offset + 5 })];
        var mean = rows.Average(row => (double)row.Label);
        double Squares(Func<Number, double> from) => rows.Sum(row => Math.Pow(row.Label - from(row), 2));
        var right = 1 - (Squares(row => row.Score) / Squares(_ => mean));
        Assert.InRange(right, -0.01, 0);
        var found = _ml.Regression.Evaluate(_ml.Data.LoadFromEnumerable(rows)).RSquared;
        if (isRight) Assert.Equal(right, found, 1e-4);
        else Assert.True(found > 0.9, $"R² {found}");
    }

    [Fact]
    public void Evaluate_CoinToss_HasALogLossOfOneBit()
    {
        var rows = Enumerable.Range(0, 100).Select(i => new Flag { Label = i % 2 == 0, Probability = 0.5f });
        Assert.Equal(1, _ml.BinaryClassification.Evaluate(_ml.Data.LoadFromEnumerable(rows)).LogLoss, 1e-6);
    }

    [Fact]
    public void KeyType_NumbersFromZero_BecomeOneMore()
    {
        var rows = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 4).Select(number => new Key { Class = (uint)number }));
        Assert.Equal([1u, 2u, 3u, 0u], rows.GetColumn<uint>("Class"));
        Assert.Equal([1u, 2u, 3u, 0u], _ml.Data.CreateEnumerable<Key>(rows, reuseRowObject: false).Select(row => row.Class));
    }

    [Fact]
    public void CrossValidate_MoreFoldsThanGroups_HasFoldsWithoutErrorOrRows()
    {
        var rows = Waves.Create(60).Select((row, i) => new Grouped { Features = row.Features, Label = row.Label, Group = i % 2 });
        var grouped = _ml.Data.LoadFromEnumerable(rows);
        var folds = _ml.Regression.CrossValidate(
            grouped, _ml.Regression.Trainers.BatchNormNetwork(Trainers.Quick with { Epochs = 1 }), 5, samplingKeyColumnName: "Group");
        Assert.Equal(3, folds.Count(fold => fold.Metrics.RootMeanSquaredError == 0));
        Assert.Equal(3, _warnings.Count(warning => warning.StartsWith("No row was scored: the view is empty", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(LearningTask.Binary, false)]
    [InlineData(LearningTask.Multiclass, false)]
    [InlineData(LearningTask.Regression, false)]
    [InlineData(LearningTask.Regression, true)]
    public void Transform_RowsWithMissingFeatures_SaysHowManyHaveNoScore(LearningTask task, bool loaded)
    {
        using var model = Trainers.Pipeline(_ml, task, Trainers.Quick with { Epochs = 1 }).Fit(Trainers.Data(_ml, task, 120));
        using var file = new MemoryStream();
        _ml.Model.Save(model, Trainers.Data(_ml, task, 1).Schema, file);
        file.Position = 0;
        ITransformer scoring = loaded ? _ml.Model.LoadBatched(file, out _) : model;
        var damaged = _ml.Transforms.CustomMapping<Vector, Vector>(
            (from, to) => to.Features = [from.Features[0] > 0 ? float.NaN : from.Features[0], from.Features[1]], null)
            .Fit(Trainers.Data(_ml, task, 300)).Transform(Trainers.Data(_ml, task, 300));
        var missing = damaged.GetColumn<float[]>("Features").Count(row => float.IsNaN(row[0]));
        Assert.InRange(missing, 1, 300);
        _warnings.Clear();

        Assert.Equal(300, Scores(scoring.Transform(Trainers.Data(_ml, task, 300))));
        Assert.Empty(_warnings);
        Assert.Equal(300, Scores(scoring.Transform(damaged)));

        var warning = Assert.Single(_warnings);
        Assert.StartsWith($"{missing} of 300 rows have no score (NaN), since 'Features' is NaN", warning, StringComparison.Ordinal);
        Assert.Contains("ReplaceMissingValues", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_KeysWithoutValues_WarnsThatTheyCountFromOne()
    {
        var seen = new List<TrainingWarning>();
        var rows = Clouds.Create(60).Select((row, i) => new Key { Features = row.Features, Class = (uint)(i % 3) });
        var options = Trainers.Quick with { LabelColumnName = "Class", Epochs = 1, Warning = seen.Add };
        using var model = _ml.MulticlassClassification.Trainers.BatchNormNetwork(options).Fit(_ml.Data.LoadFromEnumerable(rows));
        var warning = Assert.Single(seen, warning => warning.Kind == TrainingWarningKind.KeysWithoutValues);
        Assert.Contains("Put MapValueToKey in front of the trainer", warning.Message, StringComparison.Ordinal);
        Assert.Contains(warning.Message, _warnings);

        seen.Clear();
        using var other = Trainers.Pipeline(_ml, LearningTask.Multiclass, Trainers.Quick with { Epochs = 1, Warning = seen.Add })
            .Fit(Trainers.Data(_ml, LearningTask.Multiclass, 60));
        Assert.DoesNotContain(seen, warning => warning.Kind == TrainingWarningKind.KeysWithoutValues);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1e6, false)]
    [InlineData(1e9, true)]
    public void Fit_NumbersFarFromZero_WarnsOfTheEvaluator(float offset, bool expected)
    {
        var seen = new List<TrainingWarning>();
        var rows = Waves.Create(100).Select(row => new Number { Features = row.Features, Label = offset + row.Label });
        using var model = _ml.Regression.Trainers.BatchNormNetwork(Trainers.Quick with { Epochs = 1, Warning = seen.Add })
            .Fit(_ml.Data.LoadFromEnumerable(rows));
        Assert.Equal(expected, seen.Any(warning => warning.Kind == TrainingWarningKind.LabelFarFromZero));
    }

    private static int Scores(IDataView scored) => scored.Schema["Score"].Type is VectorDataViewType
        ? scored.GetColumn<VBuffer<float>>("Score").Count()
        : scored.GetColumn<float>("Score").Count();

    private sealed class Number
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [0, 0];

        public float Label { get; set; }

        public float Score { get; set; }
    }

    private sealed class Flag
    {
        public bool Label { get; set; }

        public float Score { get; set; }

        public float Probability { get; set; }

        public bool PredictedLabel { get; set; }
    }

    private sealed class Key
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [0, 0];

        [KeyType(3)]
        public uint Class { get; set; }
    }

    private sealed class Grouped
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [];

        public float Label { get; set; }

        public int Group { get; set; }
    }

    private sealed class Vector
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [];
    }
}
