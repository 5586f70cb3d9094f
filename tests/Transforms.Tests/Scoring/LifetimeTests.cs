using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Transforms.Tests.Saving;

namespace MlNetBatchNorm.Transforms.Tests.Scoring;

/// <summary>Who disposes of what, and what is said afterwards.</summary>
public sealed class LifetimeTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void PredictionEngine_ThatOwnsTheTransformer_EndsItAndTheErrorSaysSo()
    {
        var (model, data) = Train();
        using (_ml.Model.CreatePredictionEngine<Moons.Row, BinaryPrediction>(model))
        {
        }

        Action[] uses =
        [
            () => model.Transform(data),
            () => model.GetOutputSchema(data.Schema),
            () => model.GetRowToRowMapper(data.Schema),
        ];
        foreach (var use in uses)
        {
            var exception = Assert.Throws<ObjectDisposedException>(use);
            Assert.Equal(nameof(BatchNormBinaryTransformer), exception.ObjectName);
            Assert.Contains("PredictionEngine that was made from it", exception.Message, StringComparison.Ordinal);
            Assert.Contains("OwnsTransformer = false", exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void ViewAndEngine_OfADisposedTransformer_SayWhatWasDisposedOf()
    {
        var (model, data) = Train();
        var view = model.Transform(data);
        using var engine = _ml.Model.CreatePredictionEngine<Moons.Row, BinaryPrediction>(
            model, new PredictionEngineOptions { OwnsTransformer = false });
        engine.Predict(Moons.Create(1)[0]);

        model.Dispose();

        Assert.Contains("OwnsTransformer", Assert.Throws<ObjectDisposedException>(() => view.GetColumn<float>("Score").ToArray()).Message);
        Assert.Contains("OwnsTransformer", Assert.Throws<ObjectDisposedException>(() => engine.Predict(Moons.Create(2)[1])).Message);
    }

    [Fact]
    public void PredictionEngine_ThatDoesNotOwnTheTransformer_LeavesIt()
    {
        var (model, data) = Train();
        using (_ml.Model.CreatePredictionEngine<Moons.Row, BinaryPrediction>(
            model, new PredictionEngineOptions { OwnsTransformer = false }))
        {
        }

        Assert.Equal(60, model.Transform(data).GetColumn<float>("Score").Count());
        model.Dispose();
    }

    [Fact]
    public void CreateScorer_TransformerDisposed_GoesOnWithTheSameScores()
    {
        var (model, data) = Train();
        var expected = model.Transform(data).GetColumn<float>("Probability").First();
        using var scorer = model.CreateScorer();
        model.Dispose();

        var result = new float[scorer.ResultLength];
        scorer.Score(Moons.Create(60)[0].Features, result);

        Assert.Equal(["Score", "Probability"], scorer.Outputs.Select(output => output.Name));
        Assert.Equal(expected, result[1]);
    }

    [Fact]
    public void LoadBatched_Chain_EndsItsParts()
    {
        var data = GoldenModels.Rows(_ml, LearningTask.Multiclass);
        var chain = _ml.Model.LoadBatched(GoldenModels.ModelPath(LearningTask.Multiclass, 1), out _);
        var network = chain.OfType<BatchNormMulticlassTransformer>().Single();

        chain.Dispose();

        Assert.Throws<ObjectDisposedException>(() => network.GetOutputSchema(data.Schema));
    }

    private (BatchNormBinaryTransformer Model, IDataView Data) Train()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(60));
        return (_ml.BinaryClassification.Trainers.BatchNormNetwork(hiddenLayers: [4], epochs: 1).Fit(data), data);
    }
}
