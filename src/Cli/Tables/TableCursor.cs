using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Walks over the rows of a <see cref="TableDataView"/>, in the order of the table or shuffled.</summary>
internal sealed class TableCursor : DataViewRowCursor
{
    private const long Ended = -2;

    private readonly ViewColumn[] _columns;
    private readonly bool[] _isActive;
    private readonly int _rowCount;
    private readonly int[]? _order;
    private long _position = -1;

    /// <summary>Creates a cursor before the first row.</summary>
    /// <param name="schema">The schema of the view.</param>
    /// <param name="columns">The columns, as in the schema.</param>
    /// <param name="isActive">For each column, whether it may be read.</param>
    /// <param name="rowCount">The rows.</param>
    /// <param name="order">The order of the rows; null for that of the table.</param>
    public TableCursor(DataViewSchema schema, ViewColumn[] columns, bool[] isActive, int rowCount, int[]? order)
    {
        Schema = schema;
        _columns = columns;
        _isActive = isActive;
        _rowCount = rowCount;
        _order = order;
    }

    /// <inheritdoc/>
    public override DataViewSchema Schema { get; }

    /// <inheritdoc/>
    public override long Position => _position;

    /// <inheritdoc/>
    public override long Batch => 0;

    /// <summary>The row of the table on which the cursor stands.</summary>
    public int Row => _position >= 0
        ? _order is null ? (int)_position : _order[_position]
        : throw new InvalidOperationException("The cursor is not on a row: MoveNext has not been called, or there are no more rows.");

    /// <inheritdoc/>
    public override bool MoveNext()
    {
        if (_position == Ended)
            return false;
        _position++;
        if (_position < _rowCount)
            return true;
        _position = Ended;
        return false;
    }

    /// <inheritdoc/>
    public override bool IsColumnActive(DataViewSchema.Column column) => column.Index < _isActive.Length && _isActive[column.Index];

    /// <inheritdoc/>
    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column))
            throw new InvalidOperationException($"Column '{column.Name}' is not among those that this cursor was asked for.");
        return _columns[column.Index].GetterFor(this) as ValueGetter<TValue>
            ?? throw new InvalidOperationException($"Column '{column.Name}' has values of type {column.Type}, not {typeof(TValue).Name}.");
    }

    /// <summary>A row keeps its id when the rows are shuffled: it is its place in the table.</summary>
    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new((ulong)Row, 0);
}
