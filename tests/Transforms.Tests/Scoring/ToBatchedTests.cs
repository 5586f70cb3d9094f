using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Onnx;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Transforms.Tasks;
using MlNetBatchNorm.Transforms.Tests.Saving;

namespace MlNetBatchNorm.Transforms.Tests.Scoring;

public sealed class ToBatchedTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void GoldenFile_OfFormat1_PredictsTheSameWithTheSameColumns(LearningTask task)
    {
        var loaded = _ml.Model.Load(GoldenModels.ModelPath(task, 1), out var schema);
        var fast = _ml.Model.ToBatched(loaded);
        GoldenModels.AssertClose(GoldenModels.Expected(task, 1), GoldenModels.Predict(_ml, fast, task));
        Assert.Equal(Columns(loaded.GetOutputSchema(schema)), Columns(fast.GetOutputSchema(schema)));
        (fast as IDisposable)?.Dispose();
    }

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void TrainedModel_SavedLoadedMadeFastAndSavedAgain_StaysTheSame(LearningTask task)
    {
        var data = GoldenModels.Rows(_ml, task);
        var trained = GoldenModels.Train(_ml, task);
        var expected = GoldenModels.Predict(_ml, trained, task);
        var model = trained;
        for (var round = 0; round < 2; round++)
        {
            model = _ml.Model.ToBatched(Models.SaveAndLoad(_ml, model, data.Schema, out _));
            GoldenModels.AssertClose(expected, GoldenModels.Predict(_ml, model, task));
            Assert.Equal(Columns(trained.GetOutputSchema(data.Schema)), Columns(model.GetOutputSchema(data.Schema)));
        }

        var network = Assert.IsAssignableFrom<BatchNormTransformer>(((IEnumerable<ITransformer>)model).Last());
        Assert.Equal(((IEnumerable<ITransformer>)_ml.Model.ToBatched(trained)).Last().GetType(), network.GetType());
        Assert.Equal(task, network.LearningTask);
        Assert.False(network.IsTrained);
        Assert.Contains(
            "loaded from a saved model", Assert.Throws<InvalidOperationException>(() => network.Model).Message, StringComparison.Ordinal);
        Assert.Equal("Features", network.FeatureColumnName);
        Assert.Equal(
            task == LearningTask.Multiclass ? Clouds.Classes : task == LearningTask.Binary ? ["false", "true"] : [], network.Classes);
        Assert.Equal(
            [TrainerOutputs(task), NetworkTask.Of(task).Name],
            [string.Join(",", network.Proto.Graph.Output.Select(output => output.Name)), network.Scorer.Metadata["mlnetbn.task"]]);
    }

    [Fact]
    public void Network_ThatReadsAColumnOfAnotherName_GoesOnReadingIt()
    {
        var data = _ml.Data.LoadFromEnumerable(Stripes.Create(120));
        using var trained = _ml.BinaryClassification.Trainers.BatchNormNetwork(
            new BatchNormNetworkOptions { FeatureColumnName = nameof(Stripes.Row.Pixels), HiddenLayers = [8], Epochs = 2 }).Fit(data);
        var fast = Assert.IsType<BatchNormBinaryTransformer>(
            Assert.Single((IEnumerable<ITransformer>)Models.SaveAndLoad(_ml, trained, data.Schema, batched: true)));
        Assert.Equal(nameof(Stripes.Row.Pixels), fast.FeatureColumnName);
        var expected = trained.Transform(data).GetColumn<float>("Score");
        Assert.All(expected.Zip(fast.Transform(data).GetColumn<float>("Score")), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }

    [Fact]
    public void Multiclass_LoadedAndMadeFast_HasTheNamesOfTheSlotsAgain()
    {
        var data = GoldenModels.Rows(_ml, LearningTask.Multiclass);
        var loaded = Models.SaveAndLoad(_ml, GoldenModels.Train(_ml, LearningTask.Multiclass), data.Schema, out _);
        Assert.Equal(Clouds.Classes, Slots(_ml.Model.ToBatched(loaded).GetOutputSchema(data.Schema)["Score"]));
    }

    [Fact]
    public void Multiclass_OnlyLoaded_HasTheNamesOfTheSlots()
    {
        var data = GoldenModels.Rows(_ml, LearningTask.Multiclass);
        var loaded = Models.SaveAndLoad(_ml, GoldenModels.Train(_ml, LearningTask.Multiclass), data.Schema, out _);
        Assert.Equal(Clouds.Classes, Slots(loaded.GetOutputSchema(data.Schema)["Score"]));
    }

    [Fact]
    public void Chains_Nested_KeepTheirOtherPartsAndScopes()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(50));
        using var network = (IDisposable)GoldenModels.Train(_ml, LearningTask.Binary);
        var inner = new TransformerChain<ITransformer>(
            [_ml.Transforms.CopyColumns("Copy", "Name").Fit(data), (ITransformer)network],
            [TransformerScope.TrainTest, TransformerScope.Everything]);
        var model = new TransformerChain<ITransformer>(_ml.Transforms.CopyColumns("Kept", "Weight").Fit(data), inner);
        var fast = Assert.IsType<TransformerChain<ITransformer>>(_ml.Model.ToBatched(Models.SaveAndLoad(_ml, model, data.Schema, out _)));
        Assert.Equal(
            ["Kept", "Score", "Probability", "PredictedLabel"], fast.GetOutputSchema(data.Schema).Skip(4).Select(column => column.Name));
        var innerFast = Assert.IsType<TransformerChain<ITransformer>>(fast.LastTransformer);
        Assert.IsType<BatchNormBinaryTransformer>(innerFast.LastTransformer);
        Assert.NotNull(innerFast.GetOutputSchema(data.Schema, TransformerScope.Training).GetColumnOrNull("Copy"));
        Assert.Null(innerFast.GetOutputSchema(data.Schema).GetColumnOrNull("Copy"));
    }

    [Fact]
    public void StockOnnxModel_GivesTheSameColumnsInBatchesAndIsSavedAsItWas()
    {
        var data = Numbers(3000);
        using var stream = new MemoryStream(OnnxModels.SumAndTwice(3));
        var stock = _ml.Transforms.ApplyOnnxModel(["twice", "sum"], ["x"], stream).Append(_ml.Transforms.CopyColumns("copy", "sum")).Fit(
            data);
        var loaded = Models.SaveAndLoad(_ml, stock, data.Schema, out _);
        var fast = _ml.Model.ToBatched(loaded);
        Assert.IsType<BatchedOnnxTransformer>(((IEnumerable<ITransformer>)fast).First());
        Assert.Equal(Columns(stock.GetOutputSchema(data.Schema)), Columns(fast.GetOutputSchema(data.Schema)));
        Assert.Equal(stock.Transform(data).GetColumn<float[]>("twice"), fast.Transform(data).GetColumn<float[]>("twice"));
        Assert.Equal(stock.Transform(data).GetColumn<float[]>("copy"), fast.Transform(data).GetColumn<float[]>("copy"));
        var again = Models.SaveAndLoad(_ml, fast, data.Schema, out _);
        Assert.IsType<OnnxTransformer>(((IEnumerable<ITransformer>)again).First());
        Assert.Equal(stock.Transform(data).GetColumn<float[]>("copy"), again.Transform(data).GetColumn<float[]>("copy"));
    }

    [Fact]
    public void StockOnnxModel_WithoutDimensionForRows_StaysWithMlNet()
    {
        var data = Numbers(5);
        using var stream = new MemoryStream(OnnxModels.WithoutRows());
        var stock = _ml.Transforms.ApplyOnnxModel(["y"], ["x"], stream).Fit(data);
        Assert.Same(stock, Assert.Single((IEnumerable<ITransformer>)_ml.Model.ToBatched(stock)));
    }

    [Fact]
    public void NothingToGain_GivesTheSameTransformers()
    {
        var data = Numbers(5);
        var model = _ml.Transforms.CopyColumns("copy", "x").Append(_ml.Transforms.DropColumns("x")).Fit(data);
        Assert.Equal(model, (IEnumerable<ITransformer>)_ml.Model.ToBatched(model));
    }

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void LoadBatched_FileAndStream_PredictTheSame(LearningTask task)
    {
        using var stream = File.OpenRead(GoldenModels.ModelPath(task, 1));
        using var fromStream = _ml.Model.LoadBatched(stream, out var streamSchema);
        using var fromFile = _ml.Model.LoadBatched(GoldenModels.ModelPath(task, 1), out var fileSchema);
        Assert.Equal(fileSchema?.Count, streamSchema?.Count);
        GoldenModels.AssertClose(GoldenModels.Expected(task, 1), GoldenModels.Predict(_ml, fromFile, task));
        GoldenModels.AssertClose(GoldenModels.Expected(task, 1), GoldenModels.Predict(_ml, fromStream, task));
    }

    [Fact]
    public void LaterFormat_SaysSo()
    {
        var model = ModelFile.Parse(OnnxModels.SumAndTwice(3));
        ModelFile.SetMetadata(model, ModelMetadata.Format, "2");
        using var stream = new MemoryStream();
        Google.Protobuf.MessageExtensions.WriteTo(model, stream);
        stream.Position = 0;
        using var stock = _ml.Transforms.ApplyOnnxModel(["sum"], ["x"], stream).Fit(Numbers(1));
        var exception = Assert.Throws<InvalidModelException>(() => _ml.Model.ToBatched(stock));
        Assert.Contains("written in format '2', by a later version", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Device_ThatIsNotThere_IsAnError()
    {
        var loaded = _ml.Model.Load(GoldenModels.ModelPath(LearningTask.Regression, 1), out _);
        Assert.Throws<DeviceNotAvailableException>(
            () => _ml.Model.ToBatched(loaded, new BatchedScoringOptions { Device = Device.Cuda(77) }));
    }

    private IDataView Numbers(int rows) =>
        _ml.Data.LoadFromEnumerable(Enumerable.Range(0, rows).Select(i => new Floats { x = [i, i % 7, -1] }));

    private static string TrainerOutputs(LearningTask task) => task == LearningTask.Regression ? "Score" : "Score,Probability";

    private static IEnumerable<string> Columns(DataViewSchema schema) =>
        schema.Where(column => !column.IsHidden).Select(column => $"{column.Name}: {column.Type}").Order(StringComparer.Ordinal);

    private static string[] Slots(DataViewSchema.Column column)
    {
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetSlotNames(ref names);
        return [.. names.DenseValues().Select(name => name.ToString())];
    }

    private sealed class Floats
    {
        [VectorType(3)]
        public float[] x { get; set; } = [];
    }
}
