using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Learning;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Trainer.Tests.Training;

public class OutOfFoldTests
{
    private static readonly TrainingOptions Options = new() { Epochs = 4, BatchSize = 32, Optimizer = Optimizer.AdamW(1e-2f), Seed = 2 };

    private static readonly Network Ensemble = Network.Input(3).Members(4, member => member.Dense(8).BatchNorm().Silu().Dense(1));

    [Theory]
    [InlineData("standardize")]
    [InlineData("piecewise:1")]
    [InlineData("periodic:4")]
    public void Train_AnotherLabelOfARow_DoesNotReachItsOwnPrediction(string encoding)
    {
        var rows = Rows(160);
        var options = Options with { Epochs = 1, Calibrate = false, NumericEncoding = NumericEncoding.Parse(encoding) };
        var labels = rows.TargetArray.ToArray();
        labels[17] = 1 - labels[17];
        var before = NetworkTrainer.Train(Ensemble, Loss.SquaredError, rows, options with { StandardizeTargets = false }).OutOfFold!;

        var changed = new TrainingData(rows.Shape, 1, rows.FeatureArray, labels);
        var after = NetworkTrainer.Train(Ensemble, Loss.SquaredError, changed, options with { StandardizeTargets = false }).OutOfFold!;

        Assert.Equal(before.Folds, after.Folds);
        Assert.Equal(before.Predictions.Span[17], after.Predictions.Span[17]);
        for (var row = 0; row < 160; row++)
            Assert.Equal(before.Folds.Span[row] == before.Folds.Span[17], before.Predictions.Span[row] == after.Predictions.Span[row]);
    }

    [Fact]
    public void Train_Ensemble_IsMeasuredByTheMemberThatDidNotLearnTheRow()
    {
        var rows = Rows(160);

        var trained = NetworkTrainer.Train(Ensemble, Loss.SigmoidCrossEntropy, rows, Options);

        Assert.All(trained.History, report => Assert.True(report.Validation!.IsOutOfFold));
        var predicted = trained.OutOfFold!;
        Assert.Same(rows, predicted.Rows);
        Assert.Equal([40, 40, 40, 40], predicted.Folds.ToArray().GroupBy(fold => fold).Select(fold => fold.Count()));
        var logLoss = predicted.Predictions.ToArray().Select((p, row) => -Math.Log(rows.TargetArray[row] == 1 ? p : 1 - p)).Average();
        Assert.Equal(logLoss, predicted.Metrics.Loss, 1e-5);
        Assert.Equal(trained.Best.Validation!.Loss, predicted.Metrics.Loss, 1e-6);
    }

    [Fact]
    public void Train_MembersThatShareWhatTheyLearn_AreMeasuredByRowsHeldOut()
    {
        var shared = Network.Input(3).Members(4, member => member.Dense(8).BatchNorm().Silu().Dense(1), shared: true);
        var inFront = Network.Input(3).Dense(5).Members(4, member => member.Dense(8).BatchNorm().Silu().Dense(1));
        foreach (var network in new[] { shared, inFront })
            foreach (var encoding in new[] { NumericEncoding.Standardize, NumericEncoding.PiecewiseLinear(6), NumericEncoding.Periodic(3) })
            {
                var rows = Rows(160);
                var trained = NetworkTrainer.Train(
                    network, Loss.SigmoidCrossEntropy, rows, Options with { ValidationFraction = 0.2, NumericEncoding = encoding });

                Assert.Null(trained.OutOfFold);
                Assert.All(trained.History, report => Assert.False(report.Validation!.IsOutOfFold));
                var export = NetworkExporter.Export(trained, rows);
                Assert.DoesNotContain(export.Folded.Proto.Graph.Node, node => node.OpType == "BatchNormalization");
            }
    }

    [Fact]
    public void Export_Ensemble_IsTheMeanOfItsMembersAtTheTemperature()
    {
        var rows = Rows(160);
        var trained = NetworkTrainer.Train(Ensemble, Loss.SigmoidCrossEntropy, rows, Options with { StandardizeFeatures = false });
        using var scorer = OnnxScorer.Load(NetworkExporter.Export(trained, rows).Folded);

        var scores = ModelEvaluation.Score(scorer, rows.FeatureRows);

        for (var row = 0; row < 10; row++)
        {
            var mean = Enumerable.Range(0, 4).Average(member => Logit(trained, member, rows.Row(row)));
            Assert.Equal(mean, scores[row], 1e-4);
        }

        Assert.NotEqual(1, trained.Temperature);
    }

    [Fact]
    public void Train_ValidationRows_ComeBeforeFolds()
    {
        var trained = NetworkTrainer.Train(Ensemble, Loss.SigmoidCrossEntropy, Rows(100), Options, Rows(60));

        Assert.Null(trained.OutOfFold);
        Assert.All(trained.History, report => Assert.False(report.Validation!.IsOutOfFold));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(1)]
    [InlineData(0.3)]
    public void Temperature_LogitsTimesANumber_IsThatNumber(double times)
    {
        // Labels drawn with the very probabilities of the logits, so that these are right as they are.
        var random = new Random(1);
        var logits = new float[40_000];
        var labels = new float[logits.Length];
        for (var row = 0; row < logits.Length; row++)
        {
            logits[row] = (float)((random.NextDouble() * 6) - 3);
            labels[row] = random.NextDouble() < 1 / (1 + Math.Exp(-logits[row])) ? 1 : 0;
        }

        var rows = new TrainingData(new SampleShape(1), 1, logits, labels);
        var (temperature, loss) = Temperature.Fit(Array.ConvertAll(logits, logit => (float)(logit * times)), rows);

        Assert.Equal(times, temperature, 0.04 * times);
        var grid = Enumerable.Range(20, 780).Min(i => CrossEntropy(i / 100.0));
        Assert.InRange(loss, grid - 1e-3, grid + 1e-6);

        double CrossEntropy(double t) => logits.Select((z, row) =>
            Math.Log(1 + Math.Exp(z * times / t)) - (labels[row] * z * times / t)).Average();
    }

    [Fact]
    public void Temperature_SeveralClasses_IsTheBestOfAGrid()
    {
        var random = new Random(2);
        var logits = new float[3000];
        var targets = new float[3000];
        for (var row = 0; row < 1000; row++)
        {
            for (var k = 0; k < 3; k++) logits[(row * 3) + k] = (float)(8 * random.NextDouble());
            targets[(row * 3) + random.Next(3)] = 1;
        }

        var (temperature, loss) = Temperature.Fit(logits, new TrainingData(new SampleShape(1), 3, new float[1000], targets));

        Assert.Equal(8, temperature, 1e-3);
        Assert.InRange(loss, 0, CrossEntropy(7.9));

        double CrossEntropy(double t) => Enumerable.Range(0, 1000).Average(row =>
        {
            var z = Enumerable.Range(0, 3).Select(k => logits[(row * 3) + k] / t).ToArray();
            return Math.Log(z.Sum(Math.Exp)) - z.Select((value, k) => value * targets[(row * 3) + k]).Sum();
        });
    }

    [Fact]
    public void TargetTransform_SkewedNumbers_AreLearnedAsLogarithmsAndComeBack()
    {
        var random = new Random(3);
        float[] targets = [.. Enumerable.Range(0, 501).Select(_ => (float)Math.Exp(3 * random.NextDouble()))];
        var rows = new TrainingData(new SampleShape(1), 1, new float[501], targets);

        var map = TargetMap.Fit(TargetTransform.Auto, rows)!;
        var learned = map.Apply(rows).TargetArray.ToArray();
        var median = targets.Order().ElementAt(250);

        Assert.Equal(Math.Log(1 + (10 * targets[7] / median)), learned[7], 1e-6);
        map.Restore(learned);
        for (var i = 0; i < targets.Length; i++) Assert.Equal(targets[i], learned[i], 1e-4f);
        float[] far = [1000, -1000];
        map.Restore(far);
        Assert.Equal([targets.Max(), targets.Min()], far);
        Assert.Null(TargetMap.Fit(TargetTransform.None, rows));
        Assert.Equal(0, TargetMap.Fit(TargetTransform.Auto, rows.With([.. Enumerable.Range(0, 501).Select(i => (float)i)], 0))!.Rate);
    }

    [Fact]
    public void Export_SkewedNumbers_IsTheMeanOfWhatTheMembersSayInTheirOwnUnit()
    {
        var rows = Rows(160);
        float[] skewed = [.. rows.TargetArray.Select((target, row) => MathF.Exp((3 * target) + (row % 5 * 0.7f)))];
        var prices = rows.With(skewed, 0);
        var options = Options with { StandardizeFeatures = false, TargetTransform = TargetTransform.Auto };
        var trained = NetworkTrainer.Train(Ensemble, Loss.SquaredError, prices, options);
        using var scorer = OnnxScorer.Load(NetworkExporter.Export(trained, prices).Folded);

        var scores = ModelEvaluation.Score(scorer, prices.FeatureRows);

        var map = trained.TargetMap!;
        Assert.True(map.Rate > 0);
        for (var row = 0; row < 10; row++)
        {
            var most = Math.Log(1 + (map.Rate * map.High));
            var mean = Enumerable.Range(0, 4).Average(
                member => (Math.Exp(Math.Min(Logit(trained, member, prices.Row(row)), most)) - 1) / map.Rate);
            Assert.Equal(Math.Clamp(mean * map.Factor, map.Low, map.High), scores[row], 1e-3 * map.High);
        }
    }

    [Fact]
    public void OutOfFold_SkewedNumbers_HaveTheFactorThatTheNetworkHas()
    {
        var rows = Rows(160);
        float[] skewed = [.. rows.TargetArray.Select((target, row) => MathF.Exp((3 * target) + (row % 5 * 0.7f)))];
        var options = Options with { StandardizeFeatures = false, TargetTransform = TargetTransform.Auto };

        var trained = NetworkTrainer.Train(Ensemble, Loss.SquaredError, rows.With(skewed, 0), options);

        var predicted = trained.OutOfFold!.Predictions.ToArray();
        Assert.NotEqual(1, trained.TargetMap!.Factor);
        var left = predicted.Zip(skewed, (p, y) => p * (double)y).Sum() / predicted.Sum(p => (double)p * p);
        Assert.Equal(1, left, 1e-2);
        var error = Math.Sqrt(predicted.Zip(skewed, (p, y) => Math.Pow(p - (double)y, 2)).Average());
        Assert.Equal(error, trained.OutOfFold.Metrics.RootMeanSquaredError!.Value, 1e-4 * error);
    }

    // What one member says, in float64 from the trained parameters: dense 8, batch norm, silu, dense 1.
    private static double Logit(TrainedNetwork trained, int member, ReadOnlySpan<float> x)
    {
        var p = trained.ParameterArrays;
        var sum = (double)p["members1/dense2.bias"][member];
        for (var unit = 0; unit < 8; unit++)
        {
            var (channel, z) = ((member * 8) + unit, 0.0);
            for (var i = 0; i < x.Length; i++) z += x[i] * p["members1/dense1.weight"][(i * 32) + channel];
            var scale = p["members1/batchnorm1.gamma"][channel] / Math.Sqrt(p["members1/batchnorm1.variance"][channel] + 1e-5);
            var y = (scale * (z - p["members1/batchnorm1.mean"][channel])) + p["members1/batchnorm1.beta"][channel];
            sum += y / (1 + Math.Exp(-y)) * p["members1/dense2.weight"][channel];
        }

        return sum;
    }

    private static TrainingData Rows(int count)
    {
        var random = new Random(7);
        var features = new float[count * 3];
        var labels = new float[count];
        for (var row = 0; row < count; row++)
        {
            for (var i = 0; i < 3; i++) features[(row * 3) + i] = (float)((random.NextDouble() * 2) - 1);
            labels[row] = features[row * 3] * features[(row * 3) + 1] + (0.3 * random.NextDouble()) > 0.1 ? 1 : 0;
        }

        return new TrainingData(new SampleShape(3), 1, features, labels);
    }
}
