using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Figures;
using MlNetBatchNorm.Onnx.Precision;

namespace MlNetBatchNorm.Trainer.Tests.Export;

/// <summary>Trained networks in fewer bits, judged by their figures.</summary>
public class NetworkReducerTests
{
    private static readonly LabeledRows Rows = Circles(600, seed: 1);
    private static readonly Lazy<TrainedNetwork> Trained = new(() => NetworkTrainer.Train(
        Network.ForTable(4, [64, 48], 1, Activation.Relu), Loss.SigmoidCrossEntropy, Rows, new TrainingOptions { Epochs = 12, BatchSize = 64 }));

    [Theory]
    [InlineData(ModelPrecision.Float16, 1e-3)]
    [InlineData(ModelPrecision.Float16Arithmetic, 1e-2)]
    [InlineData(ModelPrecision.Int8, 0.1)]
    public void Export_FewerBits_DeploysThemAndSaysWhatTheyCost(ModelPrecision precision, double difference)
    {
        var export = NetworkExporter.Export(Trained.Value, Rows, new ExportOptions { Precision = precision });
        var reduced = export.Reduced!;
        Assert.Same(reduced.Model, export.Deployed);
        Assert.Equal((precision, 600), (reduced.Precision, reduced.Rows));
        Assert.InRange(reduced.Check.Comparison!.LargestRelative, 1e-7, difference);
        Assert.True(reduced.Before["auc"] > 0.95, $"the network learnt nothing: {reduced.Before["auc"]}");
        Assert.Equal(PrecisionNames.NameOf(precision), ModelFile.GetMetadata(export.Deployed.Proto, ModelMetadata.Precision));
        Assert.Equal(
            reduced.Check.Comparison.LargestRelative,
            double.Parse(ModelFile.GetMetadata(export.Deployed.Proto, ModelMetadata.PrecisionRelativeDifference)!, System.Globalization.CultureInfo.InvariantCulture));
        Assert.Null(ModelFile.GetMetadata(export.Folded.Proto, ModelMetadata.Precision));

        // The figures again, from what is deployed.
        using var scorer = Scorer.Load(export.Deployed, new ScorerSettings { Outputs = [TrainedNetwork.ProbabilityOutput] });
        var probabilities = new float[Rows.Count];
        scorer.ScoreBatch(Rows.Features, Rows.Count, probabilities);
        Assert.Equal(ClassificationMetrics.Accuracy(probabilities, Rows.Targets, 1), reduced.After["accuracy"]);
    }

    [Fact]
    public void Export_Float32_HasNothingReduced()
    {
        var export = NetworkExporter.Export(Trained.Value, Rows);
        Assert.Null(export.Reduced);
        Assert.Same(export.Folded, export.Deployed);
    }

    [Fact]
    public void Export_LossAboveWhatIsAllowed_IsRefused()
    {
        // No loss at all is allowed, not even a gain smaller than one: the AUC of 600 rows feels 8 bits.
        var exception = Assert.Throws<VerificationException>(() =>
            NetworkExporter.Export(Trained.Value, Rows, new ExportOptions { Precision = ModelPrecision.Int8, PrecisionLoss = -1 }));
        Assert.StartsWith("With int8, auc goes from ", exception.Message, StringComparison.Ordinal);
        Assert.EndsWith("nothing was written.", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Losses_SharesFallAndErrorsGrow()
    {
        var losses = FigureLoss.Of(
            new Dictionary<string, double> { ["accuracy"] = 0.9, ["rmse"] = 200, ["rSquared"] = 0.8, ["mae"] = 0 },
            new Dictionary<string, double> { ["accuracy"] = 0.88, ["rmse"] = 210, ["rSquared"] = 0.81, ["mae"] = 0 });
        Assert.Equal(0.02, losses["accuracy"], 1e-12);
        Assert.Equal(0.05, losses["rmse"], 1e-12);
        Assert.Equal(-0.01, losses["rSquared"], 1e-12);
        Assert.Equal(0, losses["mae"]);
    }

    [Theory]
    [InlineData("accuracy", 0.9, 0.889, true)]
    [InlineData("accuracy", 0.9, 0.891, false)]
    [InlineData("rmse", 100, 101.1, true)]
    [InlineData("rmse", 100, 100.9, false)]
    [InlineData("rmse", 0, 1, true)]
    [InlineData("rmse", 100, double.NaN, true)]
    [InlineData("auc", double.NaN, double.NaN, false)]
    [InlineData("logLoss", 0.1, 0.5, false)]
    public void RequireWithin_OnePercent_IsTheLine(string figure, double before, double after, bool refused)
    {
        void Judge() => NetworkReducer.RequireWithin(
            ModelPrecision.Int8, new Dictionary<string, double> { [figure] = before }, new Dictionary<string, double> { [figure] = after }, 0.01);
        if (refused) Assert.Contains(figure, Assert.Throws<VerificationException>(Judge).Message, StringComparison.Ordinal);
        else Judge();
    }

    // Inside or outside of a circle, with two columns of noise, one of them in millions.
    private static LabeledRows Circles(int count, int seed)
    {
        var random = new Random(seed);
        var (features, targets) = (new float[count * 4], new float[count]);
        for (var row = 0; row < count; row++)
        {
            var (x, y) = ((2 * random.NextDouble()) - 1, (2 * random.NextDouble()) - 1);
            features.AsSpan(row * 4, 4).Clear();
            (features[row * 4], features[(row * 4) + 1]) = ((float)x, (float)(1e-3 * y));
            (features[(row * 4) + 2], features[(row * 4) + 3]) = (random.NextSingle(), 1e6f * random.NextSingle());
            targets[row] = (x * x) + (y * y) < 0.6 ? 1 : 0;
        }

        return new LabeledRows(new SampleShape(4), 1, features, targets);
    }
}
