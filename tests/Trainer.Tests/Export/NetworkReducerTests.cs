using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Trainer.Tests.Export;

/// <summary>Trained networks in fewer bits, judged by their figures.</summary>
public class NetworkReducerTests
{
    private static readonly TrainingData Rows = Circles(600, seed: 1);
    private static readonly Lazy<TrainedNetwork> Trained = new(() => NetworkTrainer.Train(
        Network.FeedForward(4, [64, 48], 1, Activation.Relu),
        Loss.SigmoidCrossEntropy,
        Rows,
        new TrainingOptions { Epochs = 12, BatchSize = 64 }));

    [Theory]
    [InlineData(ModelPrecision.Float16, 1e-3)]
    [InlineData(ModelPrecision.Float16Arithmetic, 1e-2)]
    [InlineData(ModelPrecision.Int8, 0.1)]
    public void Export_FewerBits_DeploysThemAndSaysWhatTheyCost(ModelPrecision precision, double difference)
    {
        var export = NetworkExporter.Export(Trained.Value, Rows, new NetworkExportOptions { Precision = precision });
        var reduced = export.Reduced!;
        Assert.Same(reduced.Model, export.Deployed);
        Assert.Equal((precision, 600), (reduced.Precision, reduced.Rows));
        Assert.InRange(reduced.Check.Comparison!.LargestRelative, 1e-7, difference);
        var auc = reduced.Metrics.Before[Metric.AreaUnderRocCurve];
        Assert.True(auc > 0.95, $"the network learnt nothing: {auc}");
        Assert.Equal(PrecisionNames.NameOf(precision), ModelFile.GetMetadata(export.Deployed.Proto, ModelMetadata.Precision));
        Assert.Equal(
            reduced.Check.Comparison.LargestRelative,
            double.Parse(
                ModelFile.GetMetadata(export.Deployed.Proto, ModelMetadata.PrecisionRelativeDifference)!,
                System.Globalization.CultureInfo.InvariantCulture));
        Assert.Null(ModelFile.GetMetadata(export.Folded.Proto, ModelMetadata.Precision));

        // The figures again, from what is deployed.
        using var scorer = OnnxScorer.Load(export.Deployed, new OnnxScorerOptions { Outputs = [TrainedNetwork.ProbabilityOutput] });
        var probabilities = new float[Rows.Count];
        scorer.ScoreBatch(Rows.FeatureArray, Rows.Count, probabilities);
        Assert.Equal(
            ClassificationMetrics.Accuracy(new PredictedRows(probabilities, Rows.TargetArray, 1)), reduced.Metrics.After[Metric.Accuracy]);
    }

    [Fact]
    public void Export_Cancelled_Stops()
    {
        var options = new NetworkExportOptions { Precision = ModelPrecision.Int8, CancellationToken = new CancellationToken(true) };
        Assert.Throws<OperationCanceledException>(() => Trained.Value.Export(Rows, options));
        Assert.Throws<OperationCanceledException>(() => PrecisionCheck.Run(
            Trained.Value.Export(Rows).Folded,
            ModelPrecision.Float16,
            options: new PrecisionCheckOptions { CancellationToken = options.CancellationToken }));
    }

    [Fact]
    public void Export_Float32_HasNothingReduced()
    {
        var export = NetworkExporter.Export(Trained.Value, Rows);
        Assert.Null(export.Reduced);
        Assert.Same(export.Folded, export.Deployed);
    }

    [Fact]
    public void Save_PathAndStream_WriteTheDeployedModel()
    {
        var export = Trained.Value.Export(Rows, new NetworkExportOptions { Precision = ModelPrecision.Float16 });
        var path = Path.Combine(Directory.CreateTempSubdirectory("mlnetbn-test-").FullName, "network.onnx");
        using var stream = new MemoryStream();

        export.Save(path);
        export.Save(stream);

        Assert.Equal(export.Deployed.Proto, ModelFile.Read(path));
        Assert.Equal(File.ReadAllBytes(path), stream.ToArray());
        Assert.Equal(export.Reduced!.Metrics.After[Metric.Accuracy], export.MetricsAfter!.Accuracy);
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    [Fact]
    public void Export_LossAboveWhatIsAllowed_IsRefused()
    {
        // No loss at all is allowed, not even a gain smaller than one: the AUC of 600 rows feels 8 bits.
        var exception = Assert.Throws<ModelVerificationException>(() =>
            NetworkExporter.Export(
                Trained.Value, Rows, new NetworkExportOptions { Precision = ModelPrecision.Int8, AllowedMetricLoss = -1 }));
        Assert.StartsWith("With int8, auc goes from ", exception.Message, StringComparison.Ordinal);
        Assert.EndsWith("nothing was written.", exception.Message, StringComparison.Ordinal);
    }

    // Inside or outside of a circle, with two columns of noise, one of them in millions.
    private static TrainingData Circles(int count, int seed)
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

        return new TrainingData(new SampleShape(4), 1, features, targets);
    }
}
