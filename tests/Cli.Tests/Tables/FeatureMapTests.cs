using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class FeatureMapTests
{
    private static readonly FeatureMap Map = new(
    [
        new NumericFeature("age", 40.5f),
        new CategoricalFeature("size", ["L", "M"], "(missing)"),
        new CategoricalFeature("color", ["blue", "red"]),
    ]);

    [Fact]
    public void EncodeAll_NumbersCategoriesAndMissingValues_GoToTheirSlots()
    {
        var features = Map.EncodeAll(CsvTable.Parse("color,extra,size,age\nred,?,M,7\nblue,?,,\n"));

        Assert.Equal([7, 0, 1, 0, 0, 1, /**/ 40.5f, 0, 0, 1, 1, 0], features);
    }

    [Fact]
    public void Bind_UnknownCategories_AreZeroAndCounted()
    {
        var encoder = Map.Bind(CsvTable.Parse("age,size,color\n1,XL,red\n2,XL,\n3,XS,red\n"));

        Assert.Equal([1, 0, 0, 0, 0, 1, /**/ 2, 0, 0, 0, 0, 0, /**/ 3, 0, 0, 0, 0, 1], encoder.EncodeAll());
        Assert.Equal(
            [
                "3 rows have a value in column 'size' that was not there in training: 'XL', 'XS'",
                "1 row has a value in column 'color' that was not there in training: '(missing)'",
            ],
            encoder.UnknownValues.Select(unknown => unknown.ToString()));
    }

    [Fact]
    public void Bind_SelectionWithoutTheUnknownRow_HasNoUnknowns() =>
        Assert.Empty(Map.Bind(CsvTable.Parse("age,size,color\n1,XL,red\n2,L,red\n").Select([1])).UnknownValues);

    [Fact]
    public void Bind_MissingColumns_ListsThemAndWhatThereIs()
    {
        var e = Assert.Throws<TableException>(() => Map.Bind(CsvTable.Parse("age,shape\n1,2\n", "new.csv")));

        Assert.Equal("new.csv: the model needs columns size, color, which the table does not have; its columns are age, shape.", e.Message);
    }

    [Theory]
    [InlineData("old", "new.csv, line 3, column 'age': 'old' is not a number")]
    [InlineData("inf", "new.csv, line 3, column 'age': 'inf' is not a finite number")]
    public void Bind_TextInANumericColumn_NamesLineAndColumn(string text, string expected)
    {
        var e = Assert.Throws<TableException>(() => Map.Bind(CsvTable.Parse($"age,size,color\n1,L,red\n{text},L,red\n", "new.csv")));

        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Encode_WrongLength_Throws()
    {
        var encoder = Map.Bind(CsvTable.Parse("age,size,color\n1,L,red\n"));

        Assert.Throws<ArgumentException>(() => encoder.Encode(0, new float[5]));
    }

    [Fact]
    public void Encode_EveryRow_AllocatesNothing()
    {
        var encoder = TableSchema.Infer(SampleData.Churn, "churn", LearningTask.Binary).Features.Bind(SampleData.Churn);
        var features = new float[encoder.FeatureCount];
        // What the runtime itself allocates while it compiles the loop is over after the first time.
        for (var row = 0; row < encoder.RowCount; row++) encoder.Encode(row, features);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var row = 0; row < encoder.RowCount; row++)
            encoder.Encode(row, features);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void EncodeAll_Churn_MatchesAReadingOfTheFileByHand()
    {
        var table = SampleData.Churn;
        var map = TableSchema.Infer(table, "churn", LearningTask.Binary).Features;

        var features = map.EncodeAll(table);

        // The mean over the 7,032 rows with a value, worked out apart from this library.
        var names = map.FeatureNames.ToList();
        var row = Enumerable.Range(0, table.RowCount).First(table.Column("total_charges").IsMissing);
        Assert.Equal(2283.3004f, features[(row * map.FeatureCount) + names.IndexOf("total_charges")], 0.001f);
        Assert.Equal(29.85f, features[names.IndexOf("monthly_charges")]);
        Assert.Equal(1f, features[names.IndexOf("contract=Month-to-month")]);
        var oneYear = names.IndexOf("contract=One year");
        Assert.Equal(1473, Enumerable.Range(0, table.RowCount).Sum(r => features[(r * map.FeatureCount) + oneYear]));
    }

    [Fact]
    public void ToJson_Always_IsCompactAndReadable()
    {
        var map = new FeatureMap([new NumericFeature("größe", 40.1), new CategoricalFeature("c<1", ["é", "b"], "(missing)")]);

        Assert.Equal(
            """{"version":1,"columns":[{"kind":"numeric","name":"größe","imputed":40.1},""" +
            """{"kind":"categorical","name":"c<1","categories":["é","b"],"missing":"(missing)"}]}""",
            map.ToJson());
        Assert.DoesNotContain("missing", new FeatureMap([new CategoricalFeature("d", ["x"])]).ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public void ToJson_Offsets_AreOfAFormatThatEarlierProgramsRefuse()
    {
        var json = new FeatureMap([new NumericFeature("order", 1234567850.5, offset: 1234567850), new NumericFeature("b", 1)]).ToJson();

        Assert.Equal(
            """{"version":2,"columns":[{"kind":"numeric","name":"order","imputed":1234567850.5,"offset":1234567850},"""
            + """{"kind":"numeric","name":"b","imputed":1}]}""",
            json);
        Assert.Equal([-33, 1, 0.5f, 1], FeatureMap.FromJson(json).EncodeAll(CsvTable.Parse("order,b\n1234567817,1\n,\n")));
    }

    [Fact]
    public void Bind_NumberFarBeyondThoseOfTheTraining_NamesLineAndColumn()
    {
        var e = Assert.Throws<TableException>(() => Map.Bind(CsvTable.Parse("age,size,color\n1,L,red\n1e39,L,red\n", "new.csv")));

        Assert.Contains("new.csv, line 3, column 'age': '1e39' is more than", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromJson_Ames_RoundTripsBitForBit()
    {
        var table = SampleData.Ames;
        var map = TableSchema.Infer(table, "Sale_Price", LearningTask.Regression).Features;

        var again = FeatureMap.FromJson(map.ToJson());

        Assert.Equal(map.ToJson(), again.ToJson());
        Assert.Equal(map.FeatureNames, again.FeatureNames);
        Assert.Equal(map.EncodeAll(table), again.EncodeAll(table));
    }

    [Theory]
    [InlineData("", "cannot be read")]
    [InlineData("null", "is null")]
    [InlineData("{}", "cannot be read")]
    [InlineData("""{"version":6,"columns":[]}""", "has version 6 and this program reads versions up to 5")]
    [InlineData("""{"version":4,"columns":[],"dates":[null]}""", "A column of dates is null")]
    [InlineData("""{"version":4,"columns":[],"dates":[{"name":"d","first":"soon","parts":[]}]}""", "cannot be read")]
    [InlineData(
        """{"version":4,"columns":[],"dates":[{"name":"d","first":"2021-01-01","parts":[{"part":"week","name":"w"}]}]}""",
        "cannot be read")]
    [InlineData(
        """{"version":4,"columns":[],"dates":[{"name":"d","first":"2021-01-01","parts":[{"part":"hour","name":"h"},"""
        + """{"part":"days","name":"h"}]}]}""",
        "'h' is there twice")]
    [InlineData("""{"version":1,"columns":[{"kind":"image","name":"a"}]}""", "cannot be read")]
    [InlineData("""{"version":1,"columns":[{"kind":"numeric","name":"a"}]}""", "cannot be read")]
    [InlineData("""{"version":1,"columns":[{"kind":"categorical","name":"a","categories":null}]}""", "cannot be read")]
    [InlineData("""{"version":1,"columns":[{"kind":"categorical","name":"a","categories":["x","x"]}]}""", "must be different")]
    [InlineData(
        """{"version":1,"columns":[{"kind":"numeric","name":"a","imputed":1},{"kind":"numeric","name":"a","imputed":1}]}""",
        "Column 'a' is there twice")]
    [InlineData("""{"version":5,"columns":[{"kind":"text","name":"a","buckets":1024,"words":2,"kept":[2,1]}]}""", "ascending numbers")]
    [InlineData("""{"version":1,"columns":[null]}""", "cannot be read")]
    public void FromJson_NotAFeatureMap_ThrowsInvalidDataException(string json, string expected) =>
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => FeatureMap.FromJson(json)).Message, StringComparison.Ordinal);
}
