using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>One column of a <see cref="TableDataView"/>.</summary>
internal abstract class ViewColumn(string name, DataViewType type)
{
    /// <summary>The name of the column.</summary>
    public string Name { get; } = name;

    /// <summary>The type of its values.</summary>
    public DataViewType Type { get; } = type;

    /// <summary>Makes the <see cref="ValueGetter{TValue}"/> of a cursor.</summary>
    public abstract Delegate GetterFor(TableCursor cursor);
}

/// <summary>A column whose values are worked out: one for each different text of the table's column.</summary>
internal sealed class ViewColumn<T>(string name, DataViewType type, T[] values, int[] codes) : ViewColumn(name, type)
{
    /// <inheritdoc/>
    public override Delegate GetterFor(TableCursor cursor) => (ValueGetter<T>)((ref T value) => value = values[codes[cursor.Row]]);
}
