using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace MlNetBatchNorm.StandIns.Tests;

public sealed class TransformTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<Customer> _customers =
    [
        new() { City = "Rome", Age = 40, Usage = [1, 10], Label = true },
        new() { City = "Bath", Age = float.NaN, Usage = [2, 20] },
        new() { City = "Rome", Age = 20, Usage = [3, 60] },
    ];

    private IDataView Data => _ml.Data.LoadFromEnumerable(_customers);

    [Fact]
    public void Pipeline_OneHotMissingValuesConcatenate_GivesFeaturesWithSlotNames()
    {
        var model = Pipeline().Fit(Data);
        var features = model.Transform(Data).GetColumn<float[]>("Features").ToArray();
        var column = model.GetOutputSchema(Data.Schema)["Features"];
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetSlotNames(ref names);

        Assert.Equal([[1f, 0f, 40f, 1f, 10f], [0f, 1f, 30f, 2f, 20f], [1f, 0f, 20f, 3f, 60f]], features);
        Assert.Equal(["City.Rome", "City.Bath", "Age", "", ""], names.DenseValues().Select(n => n.ToString()));
        Assert.Equal("Vector<Single, 5>", column.Type.ToString());
    }

    [Fact]
    public void OneHotEncoding_UnknownValue_IsAllZerosAndSparse()
    {
        var model = _ml.Transforms.Categorical.OneHotEncoding("City").Fit(Data);
        var unseen = model.Transform(_ml.Data.LoadFromEnumerable([new Customer { City = "Oslo" }]));
        var vector = unseen.GetColumn<VBuffer<float>>("City").Single();

        Assert.Equal([0f, 0f], vector.DenseValues());
        Assert.Equal(0, vector.GetValues().Length);
    }

    [Fact]
    public void OneHotEncoding_KeyDataAndOrder_DecideTheSlots()
    {
        var keys = _ml.Data.LoadFromEnumerable(new[] { "Oslo", "Bath" }.Select(c => new { City = c }));
        var given = _ml.Transforms.Categorical.OneHotEncoding("City", keyData: keys).Fit(Data).Transform(Data);
        var sorted = _ml.Transforms.Categorical.OneHotEncoding("City", keyOrdinality: ValueToKeyMappingEstimator.KeyOrdinality.ByValue)
            .Fit(Data).Transform(Data);

        Assert.Equal([[0f, 0f], [0f, 1f], [0f, 0f]], given.GetColumn<float[]>("City"));
        Assert.Equal([[0f, 1f], [1f, 0f], [0f, 1f]], sorted.GetColumn<float[]>("City"));
    }

    [Fact]
    public void MapValueToKey_AndBack_KeepsTheValues()
    {
        var model = _ml.Transforms.Conversion.MapValueToKey("Key", "City")
            .Append(_ml.Transforms.Conversion.MapKeyToValue("Back", "Key")).Fit(Data);
        var mapped = model.Transform(Data);
        VBuffer<ReadOnlyMemory<char>> values = default;
        mapped.Schema["Key"].GetKeyValues(ref values);

        Assert.Equal([1u, 2u, 1u], mapped.GetColumn<uint>("Key"));
        Assert.Equal(["Rome", "Bath", "Rome"], mapped.GetColumn<string>("Back"));
        Assert.Equal(["Rome", "Bath"], values.DenseValues().Select(v => v.ToString()));
        Assert.Equal("Key<UInt32, 0-1>", mapped.Schema["Key"].Type.ToString());
    }

    [Fact]
    public void NormalizeMeanVariance_FixZeroOrNot_MatchesHandComputedValues()
    {
        var centred = _ml.Transforms.NormalizeMeanVariance("Usage", fixZero: false).Fit(Data).Transform(Data).GetColumn<float[]>("Usage").ToArray();
        var scaled = _ml.Transforms.NormalizeMeanVariance("Usage").Fit(Data).Transform(Data).GetColumn<float[]>("Usage").ToArray();

        // Mean 2, variance 2/3; mean of squares 14/3.
        Assert.Equal(-1 / Math.Sqrt(2.0 / 3), centred[0][0], 1e-6);
        Assert.Equal(3 / Math.Sqrt(14.0 / 3), scaled[2][0], 1e-6);
    }

    [Fact]
    public void NormalizeMinMax_FixZeroOrNot_MatchesHandComputedValues()
    {
        var model = _ml.Transforms.NormalizeMinMax("Usage", fixZero: false).Fit(Data);
        var scaled = _ml.Transforms.NormalizeMinMax("Usage").Fit(Data);

        Assert.Equal([0f, 0f, 0.5f, 0.2f, 1f, 1f], model.Transform(Data).GetColumn<float[]>("Usage").SelectMany(u => u), Near);
        Assert.Equal([1 / 3f, 1 / 6f, 2 / 3f, 1 / 3f, 1f, 1f], scaled.Transform(Data).GetColumn<float[]>("Usage").SelectMany(u => u), Near);
    }

    [Fact]
    public void SmallTransforms_CopyConvertDropSelect_ShapeTheSchema()
    {
        var model = _ml.Transforms.CopyColumns("Years", "Age").Append(_ml.Transforms.Conversion.ConvertType("Churned", "Label"))
            .Append(_ml.Transforms.DropColumns("City", "Usage")).Fit(Data);
        var result = model.Transform(Data);

        Assert.Equal(["Age", "Label", "Years", "Churned"], result.Schema.Select(c => c.Name));
        Assert.Equal([1f, 0f, 0f], result.GetColumn<float>("Churned"));
        Assert.Equal(["Label", "City"],
            _ml.Transforms.SelectColumns("Label", "City").Fit(Data).Transform(Data).Schema.Select(c => c.Name));
    }

    [Fact]
    public void Fit_MissingOrMismatchedColumn_NamesIt()
    {
        var missing = Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Transforms.CopyColumns("A", "Nowhere").Fit(Data));
        var mixed = Assert.Throws<InvalidOperationException>(() => _ml.Transforms.CopyColumns("A", "Age")
            .Append(_ml.Transforms.Concatenate("Features", "Age", "City")).Fit(Data));

        Assert.Contains("Nowhere", missing.Message, StringComparison.Ordinal);
        Assert.Contains("City", mixed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CustomMapping_OutputSchema_HasScalarColumnsBeforeAndAfterFit()
    {
        var mapping = _ml.Transforms.CustomMapping<AgeOnly, Doubled>(TwiceFactory.Map, "twice");
        var chain = mapping.Append(_ml.Transforms.Concatenate("Features", "Twice", "Age"));

        Assert.Equal([[80f, 40f], [float.NaN, float.NaN], [40f, 20f]], chain.Fit(Data).Transform(Data).GetColumn<float[]>("Features"));
        Assert.Equal("twice 40", mapping.Fit(Data).Transform(Data).GetColumn<string>("Said").First());
    }

    [Fact]
    public void CustomMapping_OutputDefinition_MakesAnySchemaShapeAndKeysCountFromZero()
    {
        // How a third party gets a SchemaShape.Column, which has no public constructor: this is its promise before Fit.
        var definition = SchemaDefinition.Create(typeof(Predicted));
        definition["PredictedLabel"].ColumnType = new KeyDataViewType(typeof(uint), 2);
        definition["PredictedLabel"].AddAnnotation("KeyValues", new VBuffer<ReadOnlyMemory<char>>(2, ["no".AsMemory(), "yes".AsMemory()]),
            new VectorDataViewType(TextDataViewType.Instance, 2));
        var mapping = _ml.Transforms.CustomMapping<Nothing, Predicted>((_, predicted) => predicted.PredictedLabel = 1, null, null, definition);
        var shape = mapping.GetOutputSchema(new SchemaShape([]));
        var scored = mapping.Append(_ml.Transforms.Conversion.MapKeyToValue("Said", "PredictedLabel")).Fit(Data).Transform(Data);

        Assert.Equal(["Score Scalar Single False ", "PredictedLabel Scalar UInt32 True KeyValues"],
            shape.OrderByDescending(c => c.Name).Select(c => $"{c.Name} {c.Kind} {c.ItemType} {c.IsKey} {string.Join(",", c.Annotations.Select(a => a.Name))}"));
        Assert.Equal("yes", scored.GetColumn<string>("Said").First());
        Assert.Equal(2u, scored.GetColumn<uint>("PredictedLabel").First());
    }

    private static bool Near(float expected, float actual) => Math.Abs(expected - actual) < 1e-6;

    private EstimatorChain<ColumnConcatenatingTransformer> Pipeline() => _ml.Transforms.Categorical.OneHotEncoding("City")
        .Append(_ml.Transforms.ReplaceMissingValues("Age", replacementMode: MissingValueReplacingEstimator.ReplacementMode.Mean))
        .AppendCacheCheckpoint(_ml)
        .Append(_ml.Transforms.Concatenate("Features", "City", "Age", "Usage"));

    private sealed class Nothing;

    private sealed class Predicted
    {
        public float Score { get; set; }

        public uint PredictedLabel { get; set; }
    }
}
