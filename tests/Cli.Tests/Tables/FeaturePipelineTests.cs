using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>
/// The transforms that a feature map is written down as make the very vector that it makes itself: a model trained on one is scored with
/// the other.
/// </summary>
public sealed class FeaturePipelineTests
{
    [Theory]
    [InlineData("churn.csv", "churn", LearningTask.Binary)]
    [InlineData("ames.csv", "Sale_Price", LearningTask.Regression)]
    [InlineData("letters.csv", "lettr", LearningTask.Multiclass)]
    public void ToPipeline_SampleTable_EqualsTheMap(string file, string label, LearningTask task)
    {
        var table = CsvTable.Read(SampleData.PathOf(file));
        var schema = TableSchema.Infer(table, label, task);

        AssertSameFeatures(schema, table);
    }

    [Fact]
    public void ToPipeline_MissingAndUnknownValues_EqualsTheMap()
    {
        var train = CsvTable.Parse("y,c,d,x,z\n1,a,(missing),1,0\n0,,b,,1\n1,b,b,2.5,0\n0,a,b,7,1\n");
        var score = CsvTable.Parse("x,c,z,d\n,,1,\n3,zzz,NA,(missing)\n-1,b,0,other\n");

        AssertSameFeatures(TableSchema.Infer(train, "y", LearningTask.Binary), score);
    }

    [Fact]
    public void ToPipeline_OnlyCategories_EqualsTheMap()
    {
        var table = CsvTable.Parse("y,c,Features\n1,a,u\n0,b,v\n1,a,u\n");

        AssertSameFeatures(TableSchema.Infer(table, "y", LearningTask.Binary), table);
    }

    [Fact]
    public void ToPipeline_EmbeddedCategories_EqualsTheMap()
    {
        var rows = Enumerable.Range(0, 90).Select(i => $"{i % 2},{(i % 9 == 0 ? "" : $"c{i % 9}")},{i}\n");
        var train = CsvTable.Parse($"y,c,x\n{string.Concat(rows)}1,rare,7\n");
        var schema = TableSchema.Infer(train, "y", LearningTask.Binary, new() { MaxCategories = 3 });

        AssertSameFeatures(schema, train);
        AssertSameFeatures(schema, CsvTable.Parse("x,c\n1,\n2,rare\n3,zzz\n4,c8\n"));
    }

    [Fact]
    public void ToPipeline_Dates_EqualsTheMap()
    {
        var rows = Enumerable.Range(0, 900)
            .Select(i => $"{i % 2},{(i % 50 == 7 ? "" : $"{new DateTime(2021, 1, 1).AddHours(25 * i):s}")}\n");
        var table = CsvTable.Parse($"y,day\n{string.Concat(rows)}");

        AssertSameFeatures(TableSchema.Infer(table, "y", LearningTask.Binary), table);
    }

    [Fact]
    public void ToPipeline_NumbersOfManyDigitsAndSizes_EqualsTheMap()
    {
        var train = CsvTable.Parse(
            "y,order,plain,time,huge,tiny\n1,1234567817,1,1700000000123,1e300,1e-300\n0,1234567808,,1700000000124,,2e-300\n"
            + "1,,3,1700000000999,3.5e300,\n0,1234567899,7,,2e299,-1e-300\n");
        var schema = TableSchema.Infer(train, "y", LearningTask.Binary);
        var score = CsvTable.Parse("time,order,plain,huge,tiny\n,1234567800.25,,9e299,0\n1700000000500,-5,2,NA,1e-299\n0,,,0,\n");

        AssertSameFeatures(schema, train);
        AssertSameFeatures(schema, score);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ToPipeline_MoreThanAThousandNumbers_EqualsTheMap(bool withCategories)
    {
        const int numbers = 1100;
        var names = Enumerable.Range(0, numbers).Select(i => i == 7 && withCategories ? "Features 1 to 400" : $"c{i}").ToList();
        var lines = Enumerable.Range(0, 4).Select(row => Enumerable.Range(0, numbers)
            .Select(i => row == 2 && i % 3 == 0
                ? string.Empty
                : (((row * 7) + i) % 11 / 4.0).ToString(CultureInfo.InvariantCulture)).ToList()).ToList();
        if (withCategories)
        {
            names.Insert(400, "kind");
            for (var row = 0; row < lines.Count; row++) lines[row].Insert(400, row % 2 == 0 ? "a" : "b");
        }

        var table = CsvTable.Parse(
            $"{string.Join(',', names)},y\n{string.Concat(lines.Select((line, row) => $"{string.Join(',', line)},{row % 2}\n"))}");
        var schema = TableSchema.Infer(table, "y", LearningTask.Binary);

        AssertSameFeatures(schema, table);

        // As many transforms as there are runs of numbers, not as there are columns; tables have them first, and so in one run.
        Assert.Equal(withCategories ? 4 : 2, Transforms(schema.Features));
        if (!withCategories) return;
        var columns = schema.Features.Columns;
        var apart = new FeatureMap([.. columns.Take(400), columns[^1], .. columns.Skip(400).SkipLast(1)]);
        Assert.Equal(5, Transforms(apart));
        AssertSameFeatures(apart, table);

        static int Transforms(FeatureMap map) =>
            ((TransformerChain<ITransformer>)map.ToPipeline(new MLContext(seed: 1), "Features")).Count();
    }

    [Fact]
    public void ToPipeline_SavedAndLoaded_StillEqualsTheMap()
    {
        var ml = new MLContext(seed: 1);
        var schema = TableSchema.Infer(SampleData.Churn, "churn", LearningTask.Binary);
        var view = new TableDataView(SampleData.Churn, schema.Features);
        using var file = new MemoryStream();

        ml.Model.Save(schema.Features.ToPipeline(ml, "Features"), view.Schema, file);
        file.Position = 0;
        var loaded = ml.Model.Load(file, out _);

        Assert.Equal(schema.Features.EncodeAll(SampleData.Churn), Features(loaded, view));
    }

    private static void AssertSameFeatures(TableSchema schema, CsvTable table) => AssertSameFeatures(schema.Features, table);

    private static void AssertSameFeatures(FeatureMap map, CsvTable table)
    {
        var pipeline = map.ToPipeline(new MLContext(seed: 1), "Features");

        Assert.Equal(map.EncodeAll(table), Features(pipeline, new(table, map)));
    }

    private static float[] Features(ITransformer model, TableDataView view) =>
        [.. model.Transform(view).GetColumn<VBuffer<float>>("Features").SelectMany(row => row.DenseValues())];
}
