using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>
/// ML.NET's own transforms must make the very vector that the feature map makes: a model trained on one is scored with the other.
/// </summary>
public sealed class TablePipelineTests
{
    [Theory]
    [InlineData("churn.csv", "churn", TaskKind.Binary)]
    [InlineData("ames.csv", "Sale_Price", TaskKind.Regression)]
    [InlineData("letters.csv", "lettr", TaskKind.Multiclass)]
    public void Build_SampleTable_EqualsTheFeatureMap(string file, string label, TaskKind task)
    {
        var table = CsvTable.Read(SampleData.PathOf(file));
        var schema = TableSchema.Infer(table, label, task);

        AssertSameFeatures(schema, table, table);
    }

    [Fact]
    public void Build_MissingAndUnknownValues_EqualsTheFeatureMap()
    {
        var train = CsvTable.Parse("y,c,d,x,z\n1,a,(missing),1,0\n0,,b,,1\n1,b,b,2.5,0\n0,a,b,7,1\n");
        var score = CsvTable.Parse("x,c,z,d\n,,1,\n3,zzz,NA,(missing)\n-1,b,0,other\n");

        AssertSameFeatures(TableSchema.Infer(train, "y", TaskKind.Binary), train, score);
    }

    [Fact]
    public void Build_OnlyCategories_EqualsTheFeatureMap()
    {
        var table = CsvTable.Parse("y,c,Features\n1,a,u\n0,b,v\n1,a,u\n");

        AssertSameFeatures(TableSchema.Infer(table, "y", TaskKind.Binary), table, table);
    }

    [Fact]
    public void Build_SavedAndLoaded_StillEqualsTheFeatureMap()
    {
        var ml = new MLContext(seed: 1);
        var schema = TableSchema.Infer(SampleData.Churn, "churn", TaskKind.Binary);
        var view = new TableDataView(SampleData.Churn, schema);
        using var file = new MemoryStream();

        ml.Model.Save(TablePipeline.Build(ml, schema).Fit(view), view.Schema, file);
        file.Position = 0;
        var loaded = ml.Model.Load(file, out _);

        AssertClose(schema.Features.EncodeAll(SampleData.Churn), Features(loaded, new(SampleData.Churn, schema.Features)));
    }

    private static void AssertSameFeatures(TableSchema schema, CsvTable train, CsvTable score)
    {
        var fitted = TablePipeline.Build(new MLContext(seed: 1), schema).Fit(new TableDataView(train, schema));

        AssertClose(schema.Features.EncodeAll(score), Features(fitted, new(score, schema)));
    }

    private static float[] Features(ITransformer model, TableDataView view) =>
        [.. model.Transform(view).GetColumn<VBuffer<float>>("Features").SelectMany(row => row.DenseValues())];

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            // Written so that a NaN fails too.
            if (!(MathF.Abs(expected[i] - actual[i]) <= 1e-6f * MathF.Abs(expected[i])))
                Assert.Fail($"Value {i}: expected {expected[i]}, got {actual[i]}.");
        }
    }
}
