using Microsoft.ML.Data;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class TableDataViewTests
{
    private static readonly CsvTable Table = CsvTable.Parse("y,size,age,other\nno,L,1,a\nyes,,2,b\nno,M,NA,c\n", "t.csv");

    private static readonly FeatureMap Map = new(
        [new CategoricalFeature("size", ["L", "M"], "(missing)"), new NumericFeature("age", 1.5f)]);

    private static readonly LabelMap Label = new("y", TaskKind.Binary, ["no", "yes"]);

    [Fact]
    public void Schema_WithLabel_HasTheLabelAndTheFeatureColumns()
    {
        var view = new TableDataView(Table, Map, Label);

        Assert.Equal(["y", "size", "age"], view.Schema.Select(column => column.Name));
        Assert.Equal(
            [BooleanDataViewType.Instance, TextDataViewType.Instance, NumberDataViewType.Single],
            view.Schema.Select(column => column.Type));
        Assert.Equal(3, view.GetRowCount());
    }

    [Fact]
    public void Schema_TableWithoutTheLabel_LeavesItOut()
    {
        var view = new TableDataView(CsvTable.Parse("age,size\n1,L\n"), Map, Label);

        Assert.Equal(["size", "age"], view.Schema.Select(column => column.Name));
    }

    [Fact]
    public void GetColumn_MissingValues_AreNaNAndTheMissingText()
    {
        var view = new TableDataView(Table, Map, Label);

        Assert.Equal([1f, 2f, float.NaN], Read<float>(view, "age"));
        Assert.Equal(["L", "(missing)", "M"], Read<ReadOnlyMemory<char>>(view, "size").Select(text => text.ToString()));
        Assert.Equal([false, true, false], Read<bool>(view, "y"));
    }

    [Fact]
    public void GetColumn_OtherTasks_HaveTextAndNumberLabels()
    {
        var multiclass = new TableDataView(Table, new FeatureMap([]), new LabelMap("other", TaskKind.Multiclass, ["a", "b", "c"]));
        var regression = new TableDataView(CsvTable.Parse("p\n1.5\n-2\n"), new FeatureMap([]), new LabelMap("p", TaskKind.Regression, []));

        Assert.Equal(["a", "b", "c"], Read<ReadOnlyMemory<char>>(multiclass, "other").Select(text => text.ToString()));
        Assert.Equal([1.5f, -2f], Read<float>(regression, "p"));
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
    [InlineData("y,size,age\nmaybe,L,1\n", "t.csv, line 2, column 'y': 'maybe' is none of the classes")]
    [InlineData("y,size,age\n,L,1\n", "t.csv, line 2, column 'y': the label is missing")]
    public void Constructor_BadTable_SaysWhatAndWhere(string csv, string expected)
    {
        var e = Assert.Throws<TableException>(() => new TableDataView(CsvTable.Parse(csv, "t.csv"), Map, Label));

        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

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
