using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using Microsoft.ML.Transforms.Onnx;

namespace MlNetBatchNorm.StandIns.Tests;

public sealed class ModelTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly Customer[] _customers =
        [new() { City = "Rome", Age = 1, Usage = [2, 3], Label = true }, new() { City = "Bath", Age = 4, Usage = [5, 6] }];

    private IDataView Data => _ml.Data.LoadFromEnumerable(_customers);

    [Fact]
    public void SaveLoad_EveryKindOfTransformerAndNestedChains_GiveTheSameValues()
    {
        var inner = _ml.Transforms.Conversion.MapValueToKey("Key", "City").Append(_ml.Transforms.Conversion.MapKeyToValue("Back", "Key"));
        var pipeline = inner.Append(_ml.Transforms.Categorical.OneHotEncoding("City"))
            .Append(_ml.Transforms.CopyColumns("Years", "Age"))
            .Append(_ml.Transforms.ReplaceMissingValues("Years", replacementMode: MissingValueReplacingEstimator.ReplacementMode.Maximum))
            .Append(_ml.Transforms.NormalizeMeanVariance("Usage"))
            .Append(_ml.Transforms.Conversion.ConvertType("Weight", "Label"))
            .Append(_ml.Transforms.CustomMapping<AgeOnly, Doubled>(TwiceFactory.Map, "twice"))
            .Append(_ml.Transforms.Concatenate("Features", "City", "Years", "Usage", "Weight", "Twice"))
            .Append(_ml.Transforms.DropColumns("Weight"));
        var model = pipeline.Fit(Data);
        var loaded = SaveLoad(model, out var schema);

        Assert.Equal(model.Transform(Data).GetColumn<float[]>("Features"), loaded.Transform(Data).GetColumn<float[]>("Features"));
        Assert.Equal(model.GetOutputSchema(Data.Schema).Select(c => c.ToString()), loaded.GetOutputSchema(schema).Select(c => c.ToString()));
        Assert.Equal(["Rome", "Bath"], loaded.Transform(Data).GetColumn<string>("Back"));
    }

    [Fact]
    public void SaveLoad_InputSchema_KeepsSizesSlotNamesAndKeyValues()
    {
        var keyed = _ml.Transforms.Conversion.MapValueToKey("City").Append(_ml.Transforms.Concatenate("Both", "Age", "Usage")).Fit(Data).Transform(Data);
        SaveLoad(_ml.Transforms.CopyColumns("A", "Age").Fit(keyed), out var schema, keyed.Schema);
        VBuffer<ReadOnlyMemory<char>> slots = default, values = default;
        schema["Both"].GetSlotNames(ref slots);
        schema["City"].GetKeyValues(ref values);

        Assert.Equal("Vector<Single, 3>", schema["Both"].Type.ToString());
        Assert.Equal(["Age", "", ""], slots.DenseValues().Select(s => s.ToString()));
        Assert.Equal(["Rome", "Bath"], values.DenseValues().Select(v => v.ToString()));
    }

    [Fact]
    public void Save_CustomTransformerThatDelegates_LoadsAsTheInnerOne()
    {
        var inner = _ml.Transforms.CopyColumns("Years", "Age").Fit(Data);
        var chain = new TransformerChain<ITransformer>(new Delegating(inner, saves: true));
        var loaded = (TransformerChain<ITransformer>)SaveLoad(chain, out _);

        Assert.IsType<ColumnCopyingTransformer>(loaded.LastTransformer);
        Assert.Equal([1f, 4f], loaded.Transform(Data).GetColumn<float>("Years"));
    }

    [Fact]
    public void Save_TransformerThatWritesNothing_Throws()
    {
        var silent = new Delegating(_ml.Transforms.CopyColumns("Years", "Age").Fit(Data), saves: false);
        var error = Assert.ThrowsAny<Exception>(() => _ml.Model.Save(silent, Data.Schema, new MemoryStream()));

        Assert.Contains("ModelSignature not specified!", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_FileThatIsNoModel_Throws()
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, "not a model");

        Assert.ThrowsAny<Exception>(() => _ml.Model.Load(path, out _));
        File.Delete(path);
    }

    [Fact]
    public void PredictionEngine_ChainAndCustomTransformer_PredictAndReuse()
    {
        var inner = _ml.Transforms.Concatenate("Features", "Age", "Usage").Fit(Data);
        using var engine = _ml.Model.CreatePredictionEngine<Customer, Featurized>(new Delegating(inner, saves: true));
        var prediction = engine.Predict(_customers[0]);
        var features = prediction.Features;
        engine.Predict(_customers[1], ref prediction);

        Assert.Equal([4f, 5f, 6f], prediction.Features);
        Assert.Same(features, prediction.Features);
        Assert.NotNull(engine.OutputSchema.GetColumnOrNull("Features"));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Model.CreatePredictionEngine<Customer, Featurized>(
            _ml.Transforms.CopyColumns("A", "Age").Fit(Data), ignoreMissingColumns: false));
    }

    [Fact]
    public void ApplyOnnxModel_FileStreamSaveAndEngine_ScoreRowByRow()
    {
        var path = Path.GetTempFileName();
        File.WriteAllBytes(path, OnnxModelBytes.MatMul());
        float[][] expected = [[301, 3020], [604, 6050]];
        var concatenate = _ml.Transforms.Concatenate("x", "Age", "Usage");
        var fromFile = concatenate.Append(_ml.Transforms.ApplyOnnxModel("y", "x", path)).Fit(Data);
        var fromStream = concatenate.Append(_ml.Transforms.ApplyOnnxModel(new MemoryStream(OnnxModelBytes.MatMul()))).Fit(Data);
        var loaded = SaveLoad(fromFile, out _);
        using (fromFile)
        using (fromStream)
        using ((IDisposable)loaded)
        {
            Assert.Equal("Vector<Single, 1, 2>", fromFile.GetOutputSchema(Data.Schema)["y"].Type.ToString());
            foreach (var model in new[] { fromFile, fromStream, loaded })
                Assert.Equal(expected, model.Transform(Data).GetColumn<float[]>("y"));
            using var engine = _ml.Model.CreatePredictionEngine<Customer, Product>(loaded);
            Assert.Equal(expected[1], engine.Predict(_customers[1]).Y);
        }
        File.Delete(path);
    }

    [Fact]
    public void ApplyOnnxModel_SessionOptionsOfTheContext_AreUsed()
    {
        var asked = 0;
        _ml.SetOnnxSessionOption(new OnnxSessionOptions
        {
            CreateSessionOptions = () =>
            {
                asked++;
                return new Microsoft.ML.OnnxRuntime.SessionOptions();
            },
        });
        using var model = _ml.Transforms.ApplyOnnxModel(new MemoryStream(OnnxModelBytes.MatMul()))
            .Fit(_ml.Transforms.Concatenate("x", "Age", "Usage").Fit(Data).Transform(Data));

        Assert.Equal(1, asked);
    }

    private ITransformer SaveLoad(ITransformer model, out DataViewSchema schema, DataViewSchema? input = null)
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(model, input ?? Data.Schema, stream);
        stream.Position = 0;
        return new MLContext().Model.Load(stream, out schema);
    }

    private sealed class Product
    {
        [ColumnName("y")]
        public float[] Y { get; set; } = [];
    }

    /// <summary>What a third party writes: every call goes to a transformer of ML.NET.</summary>
    private sealed class Delegating(ITransformer inner, bool saves) : ITransformer
    {
        public bool IsRowToRowMapper => true;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inner.GetOutputSchema(inputSchema);

        public IDataView Transform(IDataView input) => inner.Transform(input);

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => inner.GetRowToRowMapper(inputSchema);

        void ICanSaveModel.Save(ModelSaveContext ctx)
        {
            if (saves)
                inner.Save(ctx);
        }
    }
}
