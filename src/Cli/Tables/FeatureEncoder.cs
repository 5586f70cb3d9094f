namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// A <see cref="FeatureMap"/> bound to a table. All texts have been looked up beforehand, so encoding a row allocates nothing, cannot fail
/// and can be done by several threads at once.
/// </summary>
internal sealed class FeatureEncoder
{
    private readonly CsvTable _table;
    private readonly BoundColumn[] _columns;

    internal FeatureEncoder(FeatureMap map, CsvTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        _table = table;
        FeatureCount = map.FeatureCount;
        map.RequireColumns(table);

        var unknown = new List<UnknownValues>();
        _columns = new BoundColumn[map.Columns.Count];
        var offset = 0;
        for (var i = 0; i < _columns.Length; i++)
        {
            _columns[i] = map.Columns[i] switch
            {
                NumericFeature numeric => Bind(numeric, table, offset),
                CategoricalFeature categorical => Bind(categorical, table, offset, unknown),
                var other => throw new ArgumentException($"{other.GetType().Name} is not known here.", nameof(map)),
            };
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
            var code = column.Codes[row];
            var slot = column.Slots[code];
            if (slot >= 0)
                features[slot] = column.Values[code];
        }
    }

    /// <summary>The features of all rows, row by row: <c>[RowCount, FeatureCount]</c>.</summary>
    /// <exception cref="TableException">They do not fit into one array.</exception>
    public float[] EncodeAll()
    {
        var length = (long)RowCount * FeatureCount;
        if (length > Array.MaxLength)
        {
            throw new TableException(
                $"{_table.FilePath}: {RowCount} rows of {FeatureCount} features are too many for one array; " +
                "ignore columns with many categories.");
        }

        var features = new float[length];
        for (var row = 0; row < RowCount; row++)
            Encode(row, features.AsSpan(row * FeatureCount, FeatureCount));
        return features;
    }

    private static BoundColumn Bind(NumericFeature feature, CsvTable table, int offset)
    {
        var column = table.Column(feature.Name);
        var values = column.ReadNumbers(table, feature.ImputedValue);
        var slots = new int[values.Length];
        Array.Fill(slots, offset);
        return new(column.Codes, slots, values);
    }

    private static BoundColumn Bind(CategoricalFeature feature, CsvTable table, int offset, List<UnknownValues> unknown)
    {
        var column = table.Column(feature.Name);
        var rows = column.CountRows();
        var slots = new int[rows.Length];
        var values = new float[rows.Length];
        Array.Fill(values, 1f);

        var slotOf = new Dictionary<string, int>();
        foreach (var category in feature.Categories)
            slotOf.Add(category, offset + slotOf.Count);
        var missingSlot = feature.MissingCategory is null ? -1 : offset + feature.Categories.Count;

        var unknownRows = 0;
        var examples = new List<string>();
        for (var code = 0; code < slots.Length; code++)
        {
            var isMissing = column.Values[code].Kind == CellKind.Missing;
            slots[code] = isMissing ? missingSlot : slotOf.GetValueOrDefault(column.Texts[code], -1);
            if (slots[code] >= 0 || rows[code] == 0)
                continue;
            unknownRows += rows[code];
            var example = isMissing ? feature.MissingText : column.Texts[code];
            if (examples.Count < 3 && !examples.Contains(example))
                examples.Add(example);
        }

        if (unknownRows > 0)
            unknown.Add(new(feature.Name, unknownRows, examples));
        return new(column.Codes, slots, values);
    }

    /// <summary>For the text in a row, <c>text = Codes[row]</c>, the one feature that is not 0 and its value; slot -1 for none.</summary>
    private readonly record struct BoundColumn(int[] Codes, int[] Slots, float[] Values);
}
