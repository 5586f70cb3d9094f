using Microsoft.ML.Data;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class TableDataViewTests
{
    private static readonly CsvTable Table = CsvTable.Parse("y,size,age,other\nno,L,1,a\nyes,,2,b\nno,M,NA,c\n", "t.csv");

    private static readonly FeatureMap Map = new(
        [new CategoricalFeature("size", ["L", "M"], "(missing)"), new NumericFeature("age", 1.5f)]);

    [Fact]
    public void Schema_RawColumns_AreThoseOfTheMapInItsOrder()
    {
        var view = new TableDataView(Table, Map);

        Assert.Equal(["size", "age"], view.Schema.Select(column => column.Name));
        Assert.Equal([TextDataViewType.Instance, NumberDataViewType.Single], view.Schema.Select(column => column.Type));
        Assert.Equal(3, view.GetRowCount());
    }

    [Fact]
    public void GetColumn_MissingValues_AreNaNAndTheMissingText()
    {
        var view = new TableDataView(Table, Map);

        Assert.Equal([1f, 2f, float.NaN], Read<float>(view, "age"));
        Assert.Equal(["L", "(missing)", "M"], Read<ReadOnlyMemory<char>>(view, "size").Select(text => text.ToString()));
    }

    [Fact]
    public void ForTraining_EachTask_HasItsLabelTheWeightsAndTheEncodedFeatures()
    {
        var table = CsvTable.Parse("y,z,p,w,x,c\nno,a,1.5,1,7,u\nyes,b,-2,0.5,,v\nno,c,4,2,3,u\n");
        var binary = Training(table, "y", LearningTask.Binary);
        var multiclass = Training(table, "z", LearningTask.Multiclass);
        var regression = Training(table, "p", LearningTask.Regression);

        Assert.Equal([false, true, false], Read<bool>(binary, "y"));
        Assert.Equal(["a", "b", "c"], Read<ReadOnlyMemory<char>>(multiclass, "z").Select(text => text.ToString()));
        Assert.Equal([1.5f, -2f, 4f], Read<float>(regression, "p"));
        Assert.Equal([1f, 0.5f, 2f], Read<float>(binary, "w"));
        Assert.Equal(["y", "w", "Encoded"], binary.Schema.Select(column => column.Name));
        Assert.Equal([7, 1, 0, /**/ 5, 0, 1, /**/ 3, 1, 0], Vectors(Training(table, "y", LearningTask.Binary, "z", "p")));
    }

    [Fact]
    public void GetRowCursor_Shuffled_IsTheSameForTheSameSeedAndKeepsRowIds()
    {
        var view = new TableDataView(SampleData.Churn, new FeatureMap([new NumericFeature("monthly_charges", 0)]));

        var first = ReadWithIds(view, new Random(7));
        var again = ReadWithIds(view, new Random(7));
        var inOrder = ReadWithIds(view, null);

        Assert.Equal(first, again);
        Assert.NotEqual(inOrder, first);
        Assert.Equal(inOrder, first.OrderBy(row => row.Id));
        Assert.Equal(Enumerable.Range(0, 7043).Select(row => (ulong)row), inOrder.Select(row => row.Id));
    }

    [Fact]
    public void GetRowCursorSet_AnyNumber_CoversAllRowsOnce()
    {
        var view = new TableDataView(Table, Map);
        var rows = 0;

        foreach (var cursor in view.GetRowCursorSet(view.Schema, 4))
        {
            using (cursor)
            {
                while (cursor.MoveNext())
                    rows++;
            }
        }

        Assert.Equal(3, rows);
    }

    [Fact]
    public void GetGetter_InactiveColumnWrongTypeOrNoRow_Throws()
    {
        var view = new TableDataView(Table, Map);
        using var cursor = view.GetRowCursor([view.Schema["age"]]);

        Assert.True(cursor.IsColumnActive(view.Schema["age"]));
        Assert.False(cursor.IsColumnActive(view.Schema["size"]));
        Assert.Throws<InvalidOperationException>(() => cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["size"]));
        Assert.Throws<InvalidOperationException>(() => cursor.GetGetter<double>(view.Schema["age"]));
        var getter = cursor.GetGetter<float>(view.Schema["age"]);
        var value = 0f;
        Assert.Throws<InvalidOperationException>(() => getter(ref value));
        while (cursor.MoveNext())
            getter(ref value);
        Assert.False(cursor.MoveNext());
        Assert.Throws<InvalidOperationException>(() => getter(ref value));
    }

    [Theory]
    [InlineData("y,age\nno,1\n", "t.csv: the model needs column size, which the table does not have")]
    [InlineData("y,size,age\nno,L,old\n", "t.csv, line 2, column 'age': 'old' is not a number")]
    public void Constructor_BadTable_SaysWhatAndWhere(string csv, string expected)
    {
        var e = Assert.Throws<TableException>(() => new TableDataView(CsvTable.Parse(csv, "t.csv"), Map));

        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("y,size,age\nmaybe,L,1\n", "t.csv, line 2, column 'y': 'maybe' is none of the classes")]
    [InlineData("y,size,age\n,L,1\n", "t.csv, line 2, column 'y': the label is missing")]
    public void ForTraining_BadLabel_SaysWhatAndWhere(string csv, string expected)
    {
        var schema = TableSchema.Infer(Table, "y", LearningTask.Binary);
        var e = Assert.Throws<TableException>(() => TableDataView.ForTraining(CsvTable.Parse(csv, "t.csv"), schema, "Features"));

        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    private static TableDataView Training(CsvTable table, string label, LearningTask task, params string[] ignored) =>
        TableDataView.ForTraining(
            table, TableSchema.Infer(table, label, task, new TableSchemaOptions { Weight = "w", Ignore = ignored }), "Encoded");

    private static float[] Vectors(TableDataView view) =>
        [.. view.GetColumn<VBuffer<float>>("Encoded").SelectMany(row => row.DenseValues())];

    private static T[] Read<T>(TableDataView view, string column) => [.. view.GetColumn<T>(column)];

    private static List<(ulong Id, float Value)> ReadWithIds(TableDataView view, Random? random)
    {
        using var cursor = view.GetRowCursor(view.Schema, random);
        var getId = cursor.GetIdGetter();
        var getValue = cursor.GetGetter<float>(view.Schema[0]);
        var rows = new List<(ulong, float)>();
        var (id, value) = (default(DataViewRowId), 0f);
        while (cursor.MoveNext())
        {
            getId(ref id);
            getValue(ref value);
            rows.Add((id.Low, value));
        }

        return rows;
    }
}
