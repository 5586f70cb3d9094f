using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Transforms.Rows;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>A <see cref="CsvTable"/> as ML.NET data.</summary>
internal sealed class TableDataView : IDataView
{
    private readonly ViewColumn[] _columns;
    private readonly int _rowCount;

    /// <summary>
    /// The raw columns that features are made from: numbers are Single (Double where <see cref="NumericFeature.Map"/> takes an offset
    /// off them), NaN where missing; categories are Text, <see cref="CategoricalFeature.MissingText"/> where missing; free texts are the
    /// vectors that <see cref="TextFeature"/> makes of them.
    /// <see cref="FeatureTransforms.ToPipeline"/> makes the feature vector of them.
    /// </summary>
    /// <param name="table">The table.</param>
    /// <param name="features">The columns.</param>
    /// <exception cref="TableException">The table lacks a column, or a column of numbers has a text or an infinity.</exception>
    public TableDataView(CsvTable table, FeatureMap features)
        : this(table.RowCount, RawColumns(table, features))
    {
    }

    private TableDataView(int rowCount, IEnumerable<ViewColumn> columns)
    {
        _columns = [.. columns];
        _rowCount = rowCount;
        var builder = new DataViewSchema.Builder();
        foreach (var column in _columns) builder.AddColumn(column.Name, column.Type, column.Annotations);
        Schema = builder.ToSchema();
    }

    /// <inheritdoc/>
    public DataViewSchema Schema { get; }

    /// <inheritdoc/>
    public bool CanShuffle => true;

    /// <summary>
    /// What a network learns from: the label (Boolean for two classes: is it the positive one; Text for several; Single for a number), the
    /// weights of the rows, if there are any, and the features as one vector, made by the map.
    /// </summary>
    /// <param name="table">The table.</param>
    /// <param name="schema">What its columns mean.</param>
    /// <param name="featuresColumn">The name of the vector.</param>
    /// <exception cref="TableException">
    /// The table lacks a column, a column of numbers has a text or an infinity, or a label or a weight does not fit.
    /// </exception>
    public static TableDataView ForTraining(CsvTable table, TableSchema schema, string featuresColumn)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(schema);
        List<ViewColumn> columns = [schema.Label.View(table)];
        if (schema.WeightColumn is { } weight)
            columns.Add(new ViewColumn<float>(
                weight, NumberDataViewType.Single, RowWeights.Read(table, weight, schema.WeightNumbers)!, null));
        columns.Add(new FeatureVector(featuresColumn, schema.Features, schema.Features.Bind(table)));
        return new TableDataView(table.RowCount, columns);
    }

    /// <summary>Columns of Double with as many numbers each.</summary>
    public static TableDataView OfNumbers(IReadOnlyList<(string Name, double[] Numbers)> columns) => new(
        columns[0].Numbers.Length,
        columns.Select(column => new ViewColumn<double>(column.Name, NumberDataViewType.Double, column.Numbers, null)));

    /// <summary>Columns of Text, with as many rows as the longest has texts; the others begin anew where they end.</summary>
    public static TableDataView OfTexts(IReadOnlyList<(string Name, IReadOnlyList<string> Texts)> columns)
    {
        var rows = columns.Max(column => column.Texts.Count);
        var places = columns.Select(column => column.Texts.Count).Distinct()
            .ToDictionary(count => count, count => Enumerable.Range(0, rows).Select(row => row % count).ToArray());
        return new TableDataView(
            rows,
            columns.Select(column => new ViewColumn<ReadOnlyMemory<char>>(
                column.Name,
                TextDataViewType.Instance,
                [.. column.Texts.Select(text => text.AsMemory())],
                places[column.Texts.Count])));
    }

    /// <inheritdoc/>
    public long? GetRowCount() => _rowCount;

    /// <inheritdoc/>
    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        ArgumentNullException.ThrowIfNull(columnsNeeded);
        var isActive = new bool[_columns.Length];
        foreach (var column in columnsNeeded)
        {
            if (column.Index >= isActive.Length || _columns[column.Index].Name != column.Name)
                throw new ArgumentException($"Column '{column.Name}' is not one of this data view.", nameof(columnsNeeded));
            isActive[column.Index] = true;
        }

        int[]? order = null;
        if (rand is not null)
        {
            order = [.. Enumerable.Range(0, _rowCount)];
            rand.Shuffle(order);
        }

        return new TableCursor(Schema, _columns, isActive, _rowCount, order);
    }

    /// <summary>One cursor: the rows are in memory, and reading them is too little work to be split.</summary>
    /// <param name="columnsNeeded">The columns to read.</param>
    /// <param name="n">How many cursors would be welcome.</param>
    /// <param name="rand">Shuffles the rows, if not null.</param>
    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private static IEnumerable<ViewColumn> RawColumns(CsvTable table, FeatureMap features)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(features);
        var parts = features.TakeApart(table);
        return features.Columns.Select(feature => feature.View(parts));
    }

    /// <summary>The features of a row, all of them as one column.</summary>
    private sealed class FeatureVector(string name, FeatureMap map, FeatureEncoder encoder)
        : ViewColumn(name, new VectorDataViewType(NumberDataViewType.Single, encoder.FeatureCount))
    {
        public override DataViewSchema.Annotations Annotations { get; } = ClassLabels.NamesOfSlots(map.FeatureNames);

        // Written out, a row of many categories would be nearly all zeros.
        public override Delegate GetterFor(TableCursor cursor) => encoder.IsSparse ? Sparse(cursor) : Dense(cursor);

        private ValueGetter<VBuffer<float>> Dense(TableCursor cursor) => (ref VBuffer<float> value) =>
        {
            var editor = VBufferEditor.Create(ref value, encoder.FeatureCount);
            encoder.Encode(cursor.Row, editor.Values);
            value = editor.Commit();
        };

        private ValueGetter<VBuffer<float>> Sparse(TableCursor cursor) => (ref VBuffer<float> value) =>
        {
            var editor = VBufferEditor.Create(ref value, encoder.FeatureCount, encoder.MostKept);
            value = editor.CommitTruncated(encoder.Encode(cursor.Row, editor.Indices, editor.Values));
        };
    }
}

/// <summary>One column of a <see cref="TableDataView"/>.</summary>
internal abstract class ViewColumn(string name, DataViewType type)
{
    /// <summary>The name of the column.</summary>
    public string Name { get; } = name;

    /// <summary>The type of its values.</summary>
    public DataViewType Type { get; } = type;

    /// <summary>What else is known of it; null = nothing.</summary>
    public virtual DataViewSchema.Annotations? Annotations => null;

    /// <summary>Makes the <see cref="ValueGetter{TValue}"/> of a cursor.</summary>
    public abstract Delegate GetterFor(TableCursor cursor);
}

/// <summary>A column whose values are worked out: one for each different text of the table's column, or for each row.</summary>
/// <param name="name">The name of the column.</param>
/// <param name="type">The type of its values.</param>
/// <param name="values">The values.</param>
/// <param name="codes">For each row, which of them; null = each row has its own.</param>
internal sealed class ViewColumn<T>(string name, DataViewType type, T[] values, int[]? codes) : ViewColumn(name, type)
{
    /// <inheritdoc/>
    public override Delegate GetterFor(TableCursor cursor) => codes is null
        ? (ValueGetter<T>)((ref T value) => value = values[cursor.Row])
        : (ValueGetter<T>)((ref T value) => value = values[codes[cursor.Row]]);
}

/// <summary>A column whose values are made of the numbers of the rows.</summary>
internal sealed class NumberColumn<T>(string name, DataViewType type, Func<int, T> valueOf) : ViewColumn(name, type)
{
    /// <inheritdoc/>
    public override Delegate GetterFor(TableCursor cursor) => (ValueGetter<T>)((ref T value) => value = valueOf(cursor.Row));
}

/// <summary>A column of free text as vectors of which only what is not 0 is kept.</summary>
/// <param name="feature">What makes the vectors.</param>
/// <param name="column">The texts.</param>
internal sealed class WordsColumn(TextFeature feature, TableColumn column) : ViewColumn(feature.Name, feature.RawType())
{
    private readonly TextTerms[] _terms = feature.EncodeTexts(column);
    private readonly int[] _codes = column.Codes;

    /// <inheritdoc/>
    public override Delegate GetterFor(TableCursor cursor) => (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
    {
        var terms = _terms[_codes[cursor.Row]];
        var editor = VBufferEditor.Create(ref value, feature.FeatureCount, terms.Places.Length);
        terms.Values.CopyTo(editor.Values);
        if (terms.Places.Length < feature.FeatureCount) terms.Places.CopyTo(editor.Indices);
        value = editor.Commit();
    });
}

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
        if (_position == Ended) return false;
        _position++;
        if (_position < _rowCount) return true;
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
            ?? throw new InvalidOperationException(
                $"Column '{column.Name}' has values of type {column.Type}, not {typeof(TValue).Name}.");
    }

    /// <summary>A row keeps its id when the rows are shuffled: it is its place in the table.</summary>
    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new((ulong)Row, 0);
}
