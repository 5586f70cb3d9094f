using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Tests.Referees;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.Tests.WholePipeline;

/// <summary>What needs none of ML.NET's converter: networks, and transforms that compute nothing.</summary>
public class PipelineExportTests
{
    private static readonly MLContext Ml = new(seed: 1);
    private static readonly BatchNormNetworkOptions Small =
        new() { Preset = Preset.Fast, HiddenLayers = [8], Epochs = 3, Device = Device.Cpu, Seed = 0 };

    [Fact]
    public void Export_BinaryNetworkBehindCopiesAndSelections_GivesItsPredictions()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(300));
        var model = new EstimatorChain<ITransformer>()
            .Append<ITransformer>(Ml.Transforms.CopyColumns("Raw", "Features"))
            .Append<ITransformer>(Ml.Transforms.DropColumns("Features", "Weight"))
            .Append<ITransformer>(Ml.Transforms.Concatenate("X", "Raw"))
            .Append<ITransformer>(Ml.BinaryClassification.Trainers.BatchNormNetwork(Small with { FeatureColumnName = "X" }))
            .Append<ITransformer>(Ml.Transforms.SelectColumns("Score", "Probability", "PredictedLabel"))
            .Fit(data);

        using var file = new ExportedFile(model, data);

        Assert.Equal(["Features"], file.Inputs);
        Assert.Equal(
            ["Score: Float[N, 1]", "Probability: Float[N, 1]", "PredictedLabel: Bool[N, 1]"],
            file.Result.Outputs.Select(output => output.ToString()));
        Assert.Equal(300, file.Result.RowsCompared);
        Assert.True(file.Result.TakesBatches);
        Assert.Equal(2, file.Result.BatchNormsFolded);
        Assert.Equal(0, file.Count("BatchNormalization"));
        var rows = Ml.Data.CreateEnumerable<BinaryPrediction>(model.Transform(data), reuseRowObject: false).Take(2).ToArray();
        var features = Moons.Create(300).Take(2).SelectMany(row => row.Features).ToArray();
        var results = file.Run(("Features", HostTensor.Of(features, 2, 2)));
        var scores = (float[])results["Score"].Data;
        Assert.Equal(rows[0].Score, scores[0], 1e-4f);
        Assert.Equal(rows[1].Score, scores[1], 1e-4f);
        Assert.Equal(rows.Select(row => row.PredictedLabel), (bool[])results["PredictedLabel"].Data);
    }

    [Theory]
    [InlineData(false, nameof(Clouds.Row.Label), OnnxElementType.Text)]
    [InlineData(true, nameof(Clouds.Row.Label), OnnxElementType.Text)]
    [InlineData(false, nameof(Clouds.Row.Number), OnnxElementType.Float)]
    [InlineData(true, nameof(Clouds.Row.Number), OnnxElementType.Float)]
    public void Export_Multiclass_GivesTheLabelsOwnTextOrNumber(bool mapped, string label, OnnxElementType element)
    {
        var type = (DataType)element;
        var data = Ml.Data.LoadFromEnumerable(Clouds.Create(300));
        var chain = new EstimatorChain<ITransformer>()
            .Append<ITransformer>(Ml.Transforms.Conversion.MapValueToKey("Class", label))
            .Append<ITransformer>(Ml.MulticlassClassification.Trainers.BatchNormNetwork(Small with { LabelColumnName = "Class" }));
        if (mapped) chain = chain.Append<ITransformer>(Ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));

        using var file = new ExportedFile(chain.Fit(data), data);

        Assert.Equal(["Features"], file.Inputs);
        Assert.Equal(["Score: Float[N, 3]", $"PredictedLabel: {type}[N, 1]"], file.Result.Outputs.Select(output => output.ToString()));
        var predicted = file.Run(("Features", HostTensor.Of([110f, 10f], 1, 2)))["PredictedLabel"].Data;
        // A point in the middle of the cloud of class 1.
        Assert.Equal(type == DataType.String ? (object)"blue" : 5f, predicted.GetValue(0));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Export_NetworkForImages_ReadsTheColumnInItsOwnShape(bool columnHasShape, bool loaded)
    {
        var schema = SchemaDefinition.Create(typeof(Stripes.Row));
        int[] sizes = columnHasShape ? [1, Stripes.Size, Stripes.Size] : [Stripes.Size * Stripes.Size];
        schema[nameof(Stripes.Row.Pixels)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, sizes);
        var data = Ml.Data.LoadFromEnumerable(Stripes.Create(120), schema);
        var network = Network.Input(1, Stripes.Size, Stripes.Size).Conv2d(4, kernel: 3).BatchNorm().Relu().GlobalAveragePool().Dense(1);
        var options = Small with { HiddenLayers = null, Network = network, FeatureColumnName = nameof(Stripes.Row.Pixels) };
        ITransformer model = Ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(data);
        var expected = model.Transform(data).GetColumn<float>("Score").ToArray();
        if (loaded) model = Models.SaveAndLoad(Ml, model, data.Schema, out _);

        using var file = new ExportedFile(model, data);

        Assert.Equal(0, file.Count("BatchNormalization"));
        Assert.Equal(120, file.Result.RowsCompared);
        Assert.True(file.Result.TakesBatches);
        long[] shape = [120, .. sizes];
        var results = file.Run(("Pixels", HostTensor.Of([.. Stripes.Create(120).SelectMany(row => row.Pixels)], shape)));
        Assert.All(expected.Zip((float[])results["Score"].Data), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
    }

    [Fact]
    public void Export_Regression_GivesTheScoreAndCarriesMetadata()
    {
        var data = Ml.Data.LoadFromEnumerable(Waves.Create(300));
        using var model = Ml.Regression.Trainers.BatchNormNetwork(Small).Fit(data);

        using var file = new ExportedFile(
            model, data, new FoldedPipelineOptions { Metadata = new Dictionary<string, string> { ["who"] = "me" } });

        Assert.Equal(["Score: Float[N, 1]"], file.Result.Outputs.Select(output => output.ToString()));
        var written = ModelFile.Read(file.Path);
        Assert.Equal("regression", ModelFile.GetMetadata(written, ModelMetadata.Task));
        Assert.Equal("Label", ModelFile.GetMetadata(written, ModelMetadata.LabelColumn));
        Assert.Equal("300", ModelFile.GetMetadata(written, ModelMetadata.VerifiedRows));
        Assert.Equal("me", ModelFile.GetMetadata(written, "who"));
        Assert.NotNull(ModelFile.GetMetadata(written, ModelMetadata.LargestRelativeDifference));
    }

    [Fact]
    public void Export_TwoNetworksInOneChain_KeepsBoth()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(300));
        var model = new EstimatorChain<ITransformer>()
            .Append<ITransformer>(Ml.BinaryClassification.Trainers.BatchNormNetwork(Small))
            .Append<ITransformer>(Ml.Transforms.CopyColumns("First", "Probability"))
            .Append<ITransformer>(Ml.Transforms.Concatenate("Second", "Score"))
            .Append<ITransformer>(Ml.BinaryClassification.Trainers.BatchNormNetwork(Small with { FeatureColumnName = "Second" }))
            .Fit(data);

        using var file = new ExportedFile(model, data, new FoldedPipelineOptions { Outputs = ["First", "Probability"] });

        Assert.Equal(["First", "Probability"], file.Result.Outputs.Select(output => output.Name));
        Assert.Equal(4, file.Result.BatchNormsFolded);
        Assert.Equal(300, file.Result.RowsCompared);
    }

    [OnnxCheckerFact]
    public void Export_EveryTask_PassesTheChecker()
    {
        var moons = Ml.Data.LoadFromEnumerable(Moons.Create(100));
        var clouds = Ml.Data.LoadFromEnumerable(Clouds.Create(100));
        var waves = Ml.Data.LoadFromEnumerable(Waves.Create(100));
        using var binary = new ExportedFile(Ml.BinaryClassification.Trainers.BatchNormNetwork(Small).Fit(moons), moons);
        using var multiclass = new ExportedFile(
            Ml.Transforms.Conversion.MapValueToKey("Class", "Label")
                .Append(Ml.MulticlassClassification.Trainers.BatchNormNetwork(Small with { LabelColumnName = "Class" })).Fit(clouds),
            clouds);
        using var regression = new ExportedFile(Ml.Regression.Trainers.BatchNormNetwork(Small).Fit(waves), waves);

        OnnxChecker.Require(new[] { binary, multiclass, regression }.Select(file => ("pipeline", ModelFile.Read(file.Path))));
    }

    [Fact]
    public void Export_OneOfManyRows_ComparesOnlyThat()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(300));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Small).Fit(data);

        using var file = new ExportedFile(model, data, new FoldedPipelineOptions { MaximumRows = 1 });

        Assert.Equal(1, file.Result.RowsCompared);
    }

    [Fact]
    public void Export_CrossValidatedModels_AreExported()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(200));
        var trainer = Ml.BinaryClassification.Trainers.BatchNormNetwork(Small);
        foreach (var fold in Ml.BinaryClassification.CrossValidate(data, trainer, numberOfFolds: 2))
        {
            using var file = new ExportedFile(fold.Model, data);
            Assert.Equal(200, file.Result.RowsCompared);
        }
    }

    [Fact]
    public void Export_MoreThanTheTolerance_WritesNothing()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(300));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Small).Fit(data);
        // Not the same rows: the pipeline's own predictions are those of other features.
        var liar = new Liar(model, Ml.Data.LoadFromEnumerable(Moons.Create(300, seed: 2)));

        var error = Fails<ModelVerificationException>(liar, data);

        Assert.Contains("ML.NET", error);
        Assert.Contains("Nothing was written", error);
    }

    [Fact]
    public void Export_NoRows_SaysSo()
    {
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Small).Fit(Ml.Data.LoadFromEnumerable(Moons.Create(300)));

        Assert.Contains(
            "There are no rows to compare",
            Fails<InvalidDataException>(model, Ml.Data.LoadFromEnumerable(Array.Empty<Moons.Row>(), Moon())));
    }

    [Fact]
    public void Export_OutputThatIsNotThere_NamesIt()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(300));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Small).Fit(data);

        Assert.Contains("no column 'Result'", Fails<ArgumentException>(model, data, new FoldedPipelineOptions { Outputs = ["Result"] }));
        Assert.Contains("none of the columns Score", Fails<ArgumentException>(Ml.Transforms.CopyColumns("A", "Name").Fit(data), data));
    }

    [Fact]
    public void Export_FolderThatIsNotThere_SaysSoBeforeAnyWork()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(300));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Small).Fit(data);

        Assert.Throws<DirectoryNotFoundException>(
            () => Ml.Model.ConvertToFoldedOnnx(model, data, Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString(), "a.onnx")));
    }

    [Fact]
    public void Export_RawColumnAsOutput_GivesItUnderASecondName()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(300));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Small).Fit(data);

        using var file = new ExportedFile(model, data, new FoldedPipelineOptions { Outputs = ["Score", "Features"] });

        Assert.Equal(["Score", "Features.output"], file.Result.Outputs.Select(output => output.Name));
        Assert.Equal([0.25f, 4f], (float[])file.Run(("Features", HostTensor.Of([0.25f, 4f], 1, 2)))["Features.output"].Data);
    }

    [Fact]
    public void Export_TransformerOfSomebodyElse_IsNamed()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(300));
        using var network = Ml.BinaryClassification.Trainers.BatchNormNetwork(Small).Fit(data);
        var error = Fails<NotSupportedException>(new TransformerChain<ITransformer>(new Foreign(network)), data);

        Assert.Contains("Foreign, which makes the columns 'Score' (Single)", error);
        Assert.Contains("neither one of ML.NET's transformers nor a batch-normalised network", error);
    }

    [Fact]
    public void Export_LoadedModel_GivesWhatTheTrainedOneGives()
    {
        var data = Ml.Data.LoadFromEnumerable(Waves.Create(300));
        using var model = Ml.Regression.Trainers.BatchNormNetwork(Small).Fit(data);
        var loaded = Models.SaveAndLoad(Ml, model, data.Schema, out _);
        var folder = Directory.CreateTempSubdirectory("pipeline-");
        try
        {
            var fromTrained = Ml.Model.ConvertToFoldedOnnx(model, data, Path.Combine(folder.FullName, "trained.onnx"));
            var fromLoaded = Ml.Model.ConvertToFoldedOnnx(loaded, data, Path.Combine(folder.FullName, "loaded.onnx"));

            Assert.Equal(fromTrained.RowsCompared, fromLoaded.RowsCompared);
            Assert.Equal(fromTrained.Inputs.Select(input => $"{input}"), fromLoaded.Inputs.Select(input => $"{input}"));
            Assert.Equal(fromTrained.Outputs.Select(output => $"{output}"), fromLoaded.Outputs.Select(output => $"{output}"));
            var difference = ModelComparison.Compare(
                Path.Combine(folder.FullName, "trained.onnx"), Path.Combine(folder.FullName, "loaded.onnx"));
            Assert.InRange(difference.LargestRelative, 0, 1e-6);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Export_OnnxModelOfSomebodyElse_IsNamed()
    {
        var data = Ml.Data.LoadFromEnumerable(Waves.Create(300));
        using var network = Ml.Regression.Trainers.BatchNormNetwork(Small).Fit(data);
        using var other = Ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(network.Onnx.ToBytes())).Fit(data);

        var error = Fails<NotSupportedException>(other, data);

        Assert.Contains("BatchedOnnxTransformer", error);
        Assert.Contains("runs an ONNX model of its own", error);
    }

    internal static string Fails<TException>(ITransformer model, IDataView data, FoldedPipelineOptions? options = null)
        where TException : Exception
    {
        var folder = Directory.CreateTempSubdirectory("pipeline-");
        try
        {
            var path = Path.Combine(folder.FullName, "pipeline.onnx");
            var exception = Assert.Throws<TException>(() => Ml.Model.ConvertToFoldedOnnx(model, data, path, options));
            Assert.Empty(folder.GetFiles());
            return exception.Message;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static SchemaDefinition Moon()
    {
        var schema = SchemaDefinition.Create(typeof(Moons.Row));
        schema[nameof(Moons.Row.Features)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 2);
        return schema;
    }

    /// <summary>Somebody else's transformer: it does what another does, in a class that ML.NET does not know.</summary>
    private class Foreign(ITransformer inner) : ITransformer
    {
        public bool IsRowToRowMapper => true;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inner.GetOutputSchema(inputSchema);

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => inner.GetRowToRowMapper(inputSchema);

        public virtual IDataView Transform(IDataView input) => inner.Transform(input);

        void ICanSaveModel.Save(ModelSaveContext ctx) => throw new NotSupportedException();
    }

    /// <summary>A chain whose predictions are those of other rows than it is given.</summary>
    private sealed class Liar(ITransformer inner, IDataView others) : Foreign(inner), IEnumerable<ITransformer>
    {
        private readonly ITransformer _inner = inner;

        public override IDataView Transform(IDataView input) => base.Transform(others);

        public IEnumerator<ITransformer> GetEnumerator() => new List<ITransformer> { _inner }.GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
