using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.StandIns.Tests;

public sealed class EvaluationTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void Binary_FourRows_MatchesHandComputedMetrics()
    {
        var metrics = _ml.BinaryClassification.Evaluate(_ml.Data.LoadFromEnumerable<Scored>(
        [
            new() { Label = true, Score = 2, Probability = 0.5f },
            new() { Label = true, Score = -1, Probability = 0.25f },
            new() { Label = false, Score = 1, Probability = 0.75f },
            new() { Label = false, Score = -1, Probability = 0.5f },
        ]));

        Assert.Equal(0.5, metrics.Accuracy);
        Assert.Equal(0.625, metrics.AreaUnderRocCurve);
        Assert.Equal((1 + 2 + 2 + 1) / 4.0, metrics.LogLoss, 1e-9);
        Assert.Equal(1, metrics.Entropy, 1e-9);
        Assert.Equal(-0.5, metrics.LogLossReduction, 1e-9);
        Assert.Equal(0.5, metrics.F1Score);
        Assert.Equal([[1.0, 1.0], [1.0, 1.0]], metrics.ConfusionMatrix.Counts);
        Assert.Equal(0.5 + (((1 / 2.0) + (2 / 3.0)) / 4), metrics.AreaUnderPrecisionRecallCurve, 1e-9);
        Assert.Equal(metrics.Accuracy, _ml.BinaryClassification.EvaluateNonCalibrated(_ml.Data.LoadFromEnumerable<Scored>(
            [new() { Label = true, Score = 1 }, new() { Label = false, Score = 3 }])).Accuracy);
    }

    [Fact]
    public void Binary_OneClassOnly_Throws()
        => Assert.ThrowsAny<ArgumentException>(() => _ml.BinaryClassification.Evaluate(
            _ml.Data.LoadFromEnumerable<Scored>([new() { Label = true, Score = 1, Probability = 0.9f }])));

    [Fact]
    public void Multiclass_FourRows_MatchesHandComputedMetrics()
    {
        Ranked[] rows =
        [
            new() { Label = 0, Score = [0.5f, 0.25f, 0.25f] }, new() { Label = 1, Score = [0.5f, 0.25f, 0.25f] },
            new() { Label = 2, Score = [0.25f, 0.25f, 0.5f] }, new() { Label = 2, Score = [0.5f, 0.25f, 0.25f] },
        ];
        var metrics = _ml.MulticlassClassification.Evaluate(_ml.Data.LoadFromEnumerable(rows), topKPredictionCount: 2);

        Assert.Equal(0.5, metrics.MicroAccuracy);
        Assert.Equal(0.5, metrics.MacroAccuracy, 1e-9);
        Assert.Equal(((2 * Math.Log(2)) + (2 * Math.Log(4))) / 4, metrics.LogLoss, 1e-6);
        Assert.Equal(0.75, metrics.TopKAccuracy);
        Assert.Equal([0.5, 0.75], metrics.TopKAccuracyForAllK);
        Assert.Equal([[1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 1.0]], metrics.ConfusionMatrix.Counts);
        Assert.Equal(1 - (metrics.LogLoss / ((Math.Log(4) / 2) + (Math.Log(2) / 2))), metrics.LogLossReduction, 1e-6);
    }

    [Fact]
    public void Regression_ThreeRows_MatchesHandComputedMetrics()
    {
        Predicted[] rows = [new() { Label = 1, Score = 2 }, new() { Label = 2, Score = 2 }, new() { Label = 6, Score = 4 }];
        var metrics = _ml.Regression.Evaluate(_ml.Data.LoadFromEnumerable(rows));

        Assert.Equal(1, metrics.MeanAbsoluteError);
        Assert.Equal(5 / 3.0, metrics.MeanSquaredError, 1e-9);
        Assert.Equal(metrics.MeanSquaredError, metrics.LossFunction, 1e-9);
        Assert.Equal(Math.Sqrt(5 / 3.0), metrics.RootMeanSquaredError, 1e-9);
        Assert.Equal(1 - (5 / 14.0), metrics.RSquared, 1e-9);
    }

    [Fact]
    public void CrossValidate_ThreeFolds_CoversEveryRowOnce()
    {
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 90).Select(i => new Predicted { Label = i, Score = i + 1 }).ToList());
        var folds = _ml.Regression.CrossValidate(data, _ml.Transforms.CopyColumns("Copy", "Score"), numberOfFolds: 3);

        Assert.All(folds, f => Assert.Equal(1, f.Metrics.MeanAbsoluteError));
        Assert.Equal(90, folds.SelectMany(f => f.ScoredHoldOutSet.GetColumn<float>("Label")).Distinct().Count());
    }

    private sealed class Predicted
    {
        public float Label { get; set; }

        public float Score { get; set; }
    }

    private sealed class Ranked
    {
        [KeyType(3)]
        public uint Label { get; set; }

        [VectorType(3)]
        public float[] Score { get; set; } = [];

        public uint PredictedLabel { get; set; }
    }
}
