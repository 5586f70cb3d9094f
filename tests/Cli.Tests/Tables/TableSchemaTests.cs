using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class TableSchemaTests
{
    [Fact]
    public void Infer_Churn_FindsNumbersCategoriesAndThePositiveClass()
    {
        var schema = TableSchema.Infer(SampleData.Churn, "churn", LearningTask.Binary);

        Assert.Equal("Yes", schema.Label.PositiveClass);
        Assert.Equal(["No", "Yes"], schema.Label.Classes);
        Assert.Equal(9, schema.Features.Columns.Count(column => column is NumericFeature));
        Assert.Equal(10, schema.Features.Columns.Count(column => column is CategoricalFeature));
        Assert.Equal(9 + (9 * 3) + 4, schema.Features.FeatureCount);
        Assert.Contains("contract=One year", schema.Features.FeatureNames);
        Assert.Equal("2 classes: No (5174), Yes (1869); positive is Yes (by its name)", Report(schema, "churn").Detail);
        var charges = Report(schema, "total_charges");
        Assert.Equal((ColumnKind.Numeric, 11), (charges.Kind, charges.MissingRows));
        Assert.Equal("18.8 to 8684.8, mean 2283.3; 11 rows without a value get the mean", charges.Detail);
        Assert.Equal([new("DSL", 2421), new("Fiber optic", 3096), new("No", 1526)], Report(schema, "internet_service").Categories);
    }

    [Fact]
    public void Infer_VeryManyNumbersAmongOthers_PutsTheNumbersFirstInTheOrderOfTheTable()
    {
        var names = Enumerable.Range(0, 2200).Select(i => i % 2 == 0 ? $"number{i}" : $"text{i}").ToArray();
        var rows = Enumerable.Range(0, 6).Select(row => string.Join(',', names.Select((_, i) => i % 2 == 0
            ? $"{(row + i) % 7}"
            : $"{"abc"[row % 3]}")));
        var table = CsvTable.Parse($"{string.Join(',', names)},y\n" + string.Join('\n', rows.Select((row, i) => $"{row},{"ny"[i % 2]}")));

        var schema = TableSchema.Infer(table, "y", LearningTask.Binary);

        string[] expected = [.. names.Where((_, i) => i % 2 == 0), .. names.Where((_, i) => i % 2 == 1)];
        Assert.Equal(expected, schema.Features.Columns.Select(column => column.Name));
        Assert.Equal([.. names, "y"], schema.Reports.Select(report => report.Name));
    }

    [Fact]
    public void Infer_Ames_MakesFeaturesOfEveryColumn()
    {
        var schema = TableSchema.Infer(SampleData.Ames, "Sale_Price", LearningTask.Regression);

        Assert.DoesNotContain(schema.Reports, report => report.Kind == ColumnKind.Dropped);
        Assert.Equal("12789 to 755000, mean 180796", Report(schema, "Sale_Price").Detail);
        Assert.Equal(73, schema.Features.Columns.Count);
    }

    [Fact]
    public void Infer_Letters_SortsTheClasses()
    {
        var schema = TableSchema.Infer(SampleData.Letters, "lettr", LearningTask.Multiclass);

        Assert.Equal(26, schema.Label.Classes.Count);
        Assert.Equal("A", schema.Label.Classes[0]);
        Assert.Equal(16, schema.Features.FeatureCount);
        Assert.Equal(19f, schema.Label.Encode(SampleData.Letters)[0]);
    }

    [Fact]
    public void Infer_MissingCategories_GetACategoryOfTheirOwn()
    {
        var schema = Infer("y,c\n1,a\n0,\n1,b\n0,NA\n");

        var feature = Assert.IsType<CategoricalFeature>(schema.Features.Columns[0]);
        Assert.Equal(["a", "b"], feature.Categories);
        Assert.Equal("(missing)", feature.MissingCategory);
        Assert.Equal(["c=a", "c=b", "c=(missing)"], feature.FeatureNames);
        Assert.Equal("2 categories, and (missing) for 2 rows without a value", Report(schema, "c").Detail);
    }

    [Fact]
    public void Infer_ACategoryNamedMissing_IsKeptApart()
    {
        var feature = (CategoricalFeature)Infer("y,c\n1,(missing)\n0,\n").Features.Columns[0];

        Assert.Equal(["(missing)"], feature.Categories);
        Assert.Equal("((missing))", feature.MissingCategory);
    }

    [Fact]
    public void Infer_MissingNumbers_AreImputedWithTheMeanOfTheOthers()
    {
        var feature = Assert.IsType<NumericFeature>(Infer("y,x\n1,2\n0,\n1,nan\n0,5\n").Features.Columns[0]);

        Assert.Equal(3.5f, feature.ImputedValue);
    }

    [Theory]
    [InlineData("1234567801", "1234567802", "1234567899")]
    [InlineData("123456789012", "123456789013", "123456789014")]
    [InlineData("1700000000001", "1700000000002", "1700000000003")]
    [InlineData("1e300", "2e300", "3e300")]
    [InlineData("1e-300", "2e-300", "3e-300")]
    [InlineData("5e-324", "1e-323", "2e-323")]
    public void Infer_NumbersThatFloat32TakesForOne_StayDifferentFeatures(string first, string second, string third)
    {
        var schema = Infer($"y,c\n1,{first}\n0,{second}\n1,{third}\n");

        var features = schema.Features.EncodeAll(CsvTable.Parse($"c\n{first}\n{second}\n{third}\n"));
        Assert.All(features, value => Assert.True(float.IsFinite(value)));
        Assert.True(features[0] < features[1] && features[1] < features[2], string.Join(", ", features));
    }

    [Fact]
    public void Infer_ZeroForNoValueAmongOrderNumbers_IsNamed()
    {
        var rows = string.Concat(Enumerable.Range(0, 100).Select(i => $"{i % 2},{1_234_567_000 + i}\n"));

        Assert.StartsWith("0 is so far from the others", Report(Infer($"y,c\n1,0\n{rows}"), "c").Lost, StringComparison.Ordinal);
        Assert.Null(Report(Infer($"y,c\n1,\n{rows}"), "c").Lost);
        foreach (var (table, label, task) in new[]
        {
            (SampleData.Churn, "churn", LearningTask.Binary),
            (SampleData.Ames, "Sale_Price", LearningTask.Regression),
            (SampleData.Letters, "lettr", LearningTask.Multiclass),
        })
            Assert.All(TableSchema.Infer(table, label, task).Reports, report => Assert.Null(report.Lost));
    }

    [Fact]
    public void Infer_MoreDigitsThanFloat64Keeps_SaysWhichNumbersAreTakenForOne()
    {
        var report = Report(Infer("y,c,x\n1,1234567890123456789,1\n0,1234567890123456790,2\n"), "c");

        Assert.Equal(ColumnKind.Dropped, report.Kind);
        Assert.StartsWith(
            "1234567890123456789 and 1234567890123456790 are one number in float64", report.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("the same number", report.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("y,c,x\n1,a,1\n0,a,2\n", "the same text ('a') in every row")]
    [InlineData("y,c,x\n1,7,1\n0,7,2\n", "the same number (7) in every row that has one")]
    [InlineData("y,c,x\n1,7,1\n0,,2\n", "the same number (7) in every row that has one")]
    [InlineData("y,c,x\n1,,1\n0,?,2\n", "no row has a value")]
    public void Infer_NoVariance_DropsTheColumnWithAReason(string csv, string reason)
    {
        var schema = Infer(csv);

        Assert.Equal(["x"], schema.Features.FeatureNames);
        Assert.Equal((ColumnKind.Dropped, reason), (Report(schema, "c").Kind, Report(schema, "c").Detail));
    }

    [Fact]
    public void Infer_NumbersWithWordsBetween_AreLeftOutWithTheCure()
    {
        var rows = Enumerable.Range(0, 80).Select(row => $"{row % 2},{(row % 4 == 3 ? "-" : $"{row}.5")},{row % 7}");
        var schema = Infer("y,x,z\n" + string.Join('\n', rows) + "\n");
        var report = Report(schema, "x");
        Assert.Equal(ColumnKind.Dropped, report.Kind);
        Assert.Contains("60 of its 80 values are numbers: '-' is none; leave such fields empty", report.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Infer_Identifiers_AreDropped()
    {
        var schema = Infer("y,id,x\n" + string.Concat(Enumerable.Range(0, 50).Select(i => $"{i % 2},id-{i},{i}\n")));

        Assert.Equal(
            "50 different texts in 50 rows: identifiers, names or the like (--text id takes their words)", Report(schema, "id").Detail);
    }

    [Fact]
    public void Infer_MoreCategoriesThanTheLimit_EmbedsThoseWithRowsEnough()
    {
        var csv = "y,x,c\n" + string.Concat(Enumerable.Range(0, 60).Select(i => $"{i % 2},{i},c-{i % 6}\n"))
            + "1,60,rare\n1,61,rare\n1,62,\n";

        var schema = Infer(csv, new() { MaxCategories = 5 });
        var unknown = CsvTable.Parse("y,x,c\n1,1,c-4\n0,1,rare\n1,1,other\n1,1,\n");
        var encoder = schema.Features.Bind(unknown);

        Assert.Equal("7 categories, embedded; 1 of them, in fewer than 5 rows each, count as one", Report(schema, "c").Detail);
        Assert.Equal([1], schema.Features.EmbeddedFeatures);
        Assert.Equal([1, 5, 1, 0, 1, 0, 1, 0], encoder.EncodeAll());
        Assert.Equal((2, "other, (missing)"), (encoder.UnknownValues[0].Rows, string.Join(", ", encoder.UnknownValues[0].Examples)));
        Assert.Equal(encoder.EncodeAll(), FeatureMap.FromJson(schema.Features.ToJson()).EncodeAll(unknown));
        Assert.Contains("\"version\":3", schema.Features.ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public void Infer_MoreCategoriesThanTheLimitInFewRowsEach_AreDropped()
    {
        var csv = "y,c,x\n" + string.Concat(Enumerable.Range(0, 200).Select(i => $"{i % 2},c-{i % 50},{i}\n"));
        var schema = Infer(csv, new() { MaxCategories = 5 });

        Assert.Equal("50 categories, 0 of them in 5 rows or more: too little to learn each from", Report(schema, "c").Detail);
    }

    [Fact]
    public void Infer_CategoricalNumbersAndIgnoredColumns_AreAsAsked()
    {
        var schema = Infer("y,c,x\n1,10,1\n0,9,2\n1,10,3\n", new() { Categorical = ["c"], Ignore = ["x"] });

        Assert.Equal(["c=10", "c=9"], schema.Features.FeatureNames);
        Assert.Equal(ColumnKind.Ignored, Report(schema, "x").Kind);
    }

    [Fact]
    public void Infer_TextHalfWayDownANumericColumn_NamesColumnLineAndText()
    {
        var lines = File.ReadAllLines(SampleData.PathOf("churn.csv"));
        lines[3500] = lines[3500][..lines[3500].LastIndexOf(',')] + ",abc";

        var e = Assert.Throws<TableException>(() => Infer(string.Join('\n', lines), label: "churn"));

        Assert.Equal(
            "t.csv, line 3501, column 'total_charges': 'abc' is not a number, but all other values of this column are; " +
            "fix it, leave the field empty, or take the column as categories (--categorical total_charges).",
            e.Message);
    }

    [Theory]
    [InlineData("y,x\n1,1\n0,inf\n", "line 3, column 'x': 'inf' is not a finite number")]
    [InlineData("y,x\n1,1\n0,-Infinity\n", "line 3, column 'x': '-Infinity' is not a finite number")]
    [InlineData("y,x\n1,1\n0,1e309\n", "line 3, column 'x': '1e309' is not a finite number")]
    [InlineData("y,x\n1,\n0,\n", "no column is left to predict 'y' from (x: no row has a value)")]
    [InlineData("y\n1\n0\n", "no column is left to predict 'y' from; the table has no other")]
    public void Infer_BadFeatures_SaysWhatAndWhere(string csv, string expected) => Fails(() => Infer(csv), expected);

    [Theory]
    [InlineData("nope", "t.csv: there is no column 'nope'; the columns are y, x.")]
    [InlineData("y", "column 'y' is the label and cannot be")]
    public void Infer_OptionNamesAWrongColumn_SaysSo(string name, string expected)
    {
        Fails(() => Infer("y,x\n1,1\n0,2\n", new() { Ignore = [name] }), expected);
        Fails(() => Infer("y,x\n1,1\n0,2\n", new() { Categorical = [name] }), expected);
    }

    private static TableSchema Infer(string csv, TableSchemaOptions? options = null, string label = "y") =>
        TableSchema.Infer(CsvTable.Parse(csv, "t.csv"), label, LearningTask.Binary, options);

    private static ColumnReport Report(TableSchema schema, string column) => schema.Reports.Single(report => report.Name == column);

    private static void Fails(Action action, string expected) =>
        Assert.Contains(expected, Assert.Throws<TableException>(action).Message, StringComparison.Ordinal);
}
