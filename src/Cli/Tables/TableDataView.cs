using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// A <see cref="CsvTable"/> as ML.NET data: the label first, if the table has it, then the weights, and then the columns that features are made from. Numbers
/// are Single, NaN where missing; categories are Text, <see cref="CategoricalFeature.MissingText"/> where missing; the label is Boolean
/// (binary: is it the positive class), Text (multiclass) or Single (regression). <see cref="TablePipeline"/> makes the feature vector of
/// them.
/// </summary>
internal sealed class TableDataView : IDataView
{
    private readonly ViewColumn[] _columns;
    private readonly int _rowCount;

    /// <summary>Views a table through the schema of the training table.</summary>
    /// <param name="table">The table, to train on or to score.</param>
    /// <param name="schema">The schema.</param>
    /// <exception cref="TableException">
    /// The table lacks a column that features are made from, a column of numbers has a text or an infinity, or a label does not fit.
    /// </exception>
    public TableDataView(CsvTable table, TableSchema schema)
        : this(table, (schema ?? throw new ArgumentNullException(nameof(schema))).Features, schema.Label, schema.WeightColumn)
    {
    }

    /// <summary>Views a table through a feature map, such as an exported model carries.</summary>
    /// <param name="table">The table.</param>
    /// <param name="features">The columns that features are made from.</param>
    /// <param name="label">The label; null to leave it out even if the table has it.</param>
    /// <param name="weight">The column with the rows' weights, Single; null to leave it out.</param>
    /// <exception cref="TableException">As for the other constructor; or a weight is not a number from 0.</exception>
    public TableDataView(CsvTable table, FeatureMap features, LabelMap? label = null, string? weight = null)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(features);
        features.RequireColumns(table);

        var columns = new List<ViewColumn>();
        if (label is not null && table.Find(label.Column) is not null)
            columns.Add(LabelColumn(table, label));
        if (weight is not null && table.Find(weight) is { } weights)
            columns.Add(new ViewColumn<float>(weight, NumberDataViewType.Single, RowWeights.ReadTexts(table, weight), weights.Codes));
        foreach (var feature in features.Columns)
            columns.Add(FeatureColumn(table, feature));
        _columns = [.. columns];
        _rowCount = table.RowCount;

        var builder = new DataViewSchema.Builder();
        foreach (var column in columns)
            builder.AddColumn(column.Name, column.Type);
        Schema = builder.ToSchema();
    }

    /// <inheritdoc/>
    public DataViewSchema Schema { get; }

    /// <inheritdoc/>
    public bool CanShuffle => true;

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

    private static ViewColumn LabelColumn(CsvTable table, LabelMap label)
    {
        var codes = table.Column(label.Column).Codes;
        var values = label.EncodeTexts(table);
        switch (label.Task)
        {
            case TaskKind.Binary:
                var isPositive = Array.ConvertAll(values, value => value == 1);
                return new ViewColumn<bool>(label.Column, BooleanDataViewType.Instance, isPositive, codes);
            case TaskKind.Multiclass:
                var classes = Array.ConvertAll(values, value => value < 0 ? default : label.Classes[(int)value].AsMemory());
                return new ViewColumn<ReadOnlyMemory<char>>(label.Column, TextDataViewType.Instance, classes, codes);
            default:
                return new ViewColumn<float>(label.Column, NumberDataViewType.Single, values, codes);
        }
    }

    private static ViewColumn FeatureColumn(CsvTable table, FeatureColumn feature)
    {
        var column = table.Column(feature.Name);
        if (feature is not CategoricalFeature categorical)
            return new ViewColumn<float>(column.Name, NumberDataViewType.Single, column.ReadNumbers(table, float.NaN), column.Codes);

        var missing = categorical.MissingText.AsMemory();
        var texts = new ReadOnlyMemory<char>[column.Texts.Length];
        for (var code = 0; code < texts.Length; code++)
            texts[code] = column.Values[code].Kind == CellKind.Missing ? missing : column.Texts[code].AsMemory();
        return new ViewColumn<ReadOnlyMemory<char>>(column.Name, TextDataViewType.Instance, texts, column.Codes);
    }
}
