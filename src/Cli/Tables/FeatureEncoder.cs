using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// A <see cref="FeatureMap"/> bound to a table: makes the features of its rows, for training, testing and scoring. All texts have been
/// looked up beforehand, so encoding a row allocates nothing, cannot fail and can be done by several threads at once.
/// </summary>
internal sealed class FeatureEncoder
{
    private readonly CsvTable _table;
    private readonly BoundColumn[] _columns;

    public FeatureEncoder(FeatureMap map, CsvTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        _table = table;
        FeatureCount = map.FeatureCount;
        table = map.TakeApart(table);
        var unknown = new List<UnknownValues>();
        _columns = new BoundColumn[map.Columns.Count];
        var offset = 0;
        for (var i = 0; i < _columns.Length; i++)
        {
            _columns[i] = map.Columns[i].Bind(table, offset, unknown);
            offset += map.Columns[i].FeatureCount;
        }

        UnknownValues = unknown;
    }

    /// <summary>The length of the feature vector.</summary>
    public int FeatureCount { get; }

    /// <summary>The rows of the table.</summary>
    public int RowCount => _table.RowCount;

    /// <summary>
    /// The columns that have categories unknown to the map (a missing value counts where training had none), in the order of the map.
    /// </summary>
    public IReadOnlyList<UnknownValues> UnknownValues { get; }

    /// <summary>Writes the features of a row.</summary>
    /// <param name="row">The row, from 0.</param>
    /// <param name="features">Where to; its length is <see cref="FeatureCount"/>.</param>
    public void Encode(int row, Span<float> features)
    {
        if (features.Length != FeatureCount)
            throw new ArgumentException($"There are {FeatureCount} features and room for {features.Length}.", nameof(features));
        features.Clear();
        foreach (ref readonly var column in _columns.AsSpan())
        {
            var (slot, value) = column[row];
            if (slot >= 0) features[slot] = value;
        }
    }

    /// <summary>How many features of a row are not 0 at most.</summary>
    public int ColumnCount => _columns.Length;

    /// <summary>Writes the features of a row that are not always 0.</summary>
    /// <param name="row">The row, from 0.</param>
    /// <param name="slots">Where to put which they are, ascending; room for <see cref="ColumnCount"/>.</param>
    /// <param name="values">Where to put what they are.</param>
    /// <returns>How many there are.</returns>
    public int Encode(int row, Span<int> slots, Span<float> values)
    {
        var count = 0;
        foreach (ref readonly var column in _columns.AsSpan())
        {
            var (slot, value) = column[row];
            if (slot < 0) continue;
            (slots[count], values[count]) = (slot, value);
            count++;
        }

        return count;
    }

    /// <summary>The features of all rows, as they are kept for training and scoring.</summary>
    /// <exception cref="InsufficientMemoryException">They need more memory than there is.</exception>
    public FeatureRows ToRows()
    {
        var rows = new FeatureRows.Builder(FeatureCount, RowCount);
        var (slots, values) = (new int[ColumnCount], new float[ColumnCount]);
        for (var row = 0; row < RowCount; row++)
        {
            var count = Encode(row, slots, values);
            rows.Add(values.AsSpan(0, count), slots.AsSpan(0, count), isDense: false);
        }

        return rows.Build();
    }

    /// <summary>The features of all rows, row by row: <c>[RowCount, FeatureCount]</c>.</summary>
    /// <exception cref="TableException">They do not fit into one array.</exception>
    public float[] EncodeAll()
    {
        var length = (long)RowCount * FeatureCount;
        if (length > Array.MaxLength)
            throw new TableException(
                $"{_table.FilePath}: {RowCount} rows of {FeatureCount} features are too many for one array; "
                + "ignore columns with many categories.");
        var features = new float[length];
        for (var row = 0; row < RowCount; row++) Encode(row, features.AsSpan(row * FeatureCount, FeatureCount));
        return features;
    }
}

/// <summary>The one feature of a column that is not 0 in a row: by the row's text, or made of its number.</summary>
internal readonly struct BoundColumn
{
    private readonly int[] _codes = [];
    private readonly int[] _slots = [];
    private readonly float[] _values = [];
    private readonly TableColumn? _numbers;
    private readonly int _slot;
    private readonly double _missing;
    private readonly Float32Map _map;

    /// <summary>By the text in a row, <c>text = codes[row]</c>.</summary>
    /// <param name="codes">For each row, the index of its text.</param>
    /// <param name="slots">For each text, the feature; -1 for none.</param>
    /// <param name="values">For each text, its value.</param>
    public BoundColumn(int[] codes, int[] slots, float[] values) => (_codes, _slots, _values) = (codes, slots, values);

    /// <summary>By the number in a row.</summary>
    /// <param name="numbers">The column.</param>
    /// <param name="slot">The feature.</param>
    /// <param name="missing">The number where there is none.</param>
    /// <param name="map">Makes the value of it.</param>
    public BoundColumn(TableColumn numbers, int slot, double missing, Float32Map map) =>
        (_numbers, _slot, _missing, _map) = (numbers, slot, missing, map);

    /// <summary>The feature, -1 for none, and its value.</summary>
    public (int Slot, float Value) this[int row]
    {
        get
        {
            if (_numbers is null) return (_slots[_codes[row]], _values[_codes[row]]);
            var number = _numbers.NumberAt(row);
            return (_slot, _map.Apply(double.IsNaN(number) ? _missing : number));
        }
    }
}

/// <summary>Rows whose text in a column of categories was not there in training; all the features of that column are 0 in them.</summary>
/// <param name="Column">The column.</param>
/// <param name="Rows">How many rows.</param>
/// <param name="Examples">Up to three of the texts, in the order in which they first occur.</param>
internal sealed record UnknownValues(string Column, long Rows, IReadOnlyList<string> Examples)
{
    /// <summary>How many of the texts are named.</summary>
    public const int MostExamples = 3;

    /// <summary>These and those of later rows.</summary>
    public UnknownValues Add(UnknownValues later) =>
        new(Column, Rows + later.Rows, [.. Examples.Union(later.Examples).Take(MostExamples)]);

    /// <inheritdoc/>
    public override string ToString() =>
        $"{(Rows == 1 ? "1 row has" : $"{Rows} rows have")} a value in column {NameList.Quote(Column)} that was not there in training: "
        + string.Join(", ", Examples.Select(NameList.Quote));
}
