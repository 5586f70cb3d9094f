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
            _columns[i] = FeatureBinding.Bind(map.Columns[i], table, offset, unknown);
            offset += map.Columns[i].FeatureCount;
        }

        UnknownValues = unknown;
        MostKept = _columns.Sum(column => column.Most);
        IsSparse = 4 * _columns.Sum(column => (long)column.Mean) <= FeatureCount;
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
        foreach (ref readonly var column in _columns.AsSpan()) column.Write(row, features);
    }

    /// <summary>How many features of a row are not 0 at most.</summary>
    public int MostKept { get; }

    /// <summary>Whether so few features of most rows are not 0 that only these are worth keeping.</summary>
    public bool IsSparse { get; }

    /// <summary>Writes the features of a row that are not always 0.</summary>
    /// <param name="row">The row, from 0.</param>
    /// <param name="slots">Where to put which they are, ascending; room for <see cref="MostKept"/>.</param>
    /// <param name="values">Where to put what they are.</param>
    /// <returns>How many there are.</returns>
    public int Encode(int row, Span<int> slots, Span<float> values)
    {
        var count = 0;
        foreach (ref readonly var column in _columns.AsSpan()) count += column.Read(row, slots[count..], values[count..]);

        return count;
    }

    /// <summary>The features of all rows, as they are kept for training and scoring.</summary>
    /// <exception cref="InsufficientMemoryException">They need more memory than there is.</exception>
    public FeatureRows ToRows()
    {
        var rows = new FeatureRows.Builder(FeatureCount, RowCount);
        AddTo(rows);
        return rows.Build();
    }

    /// <summary>Adds the features of all rows to others.</summary>
    /// <exception cref="InsufficientMemoryException">They need more memory than there is.</exception>
    public void AddTo(FeatureRows.Builder rows)
    {
        var (slots, values) = (new int[MostKept], new float[MostKept]);
        for (var row = 0; row < RowCount; row++)
        {
            var count = Encode(row, slots, values);
            rows.Add(values.AsSpan(0, count), slots.AsSpan(0, count), isDense: false);
        }
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

/// <summary>How the columns of a <see cref="FeatureMap"/> are found in a table, and read.</summary>
internal static class FeatureBinding
{
    /// <summary>As what the cells of a column of a table are best read where many rows go by.</summary>
    public static Func<string, CellReading> Readings(this FeatureMap map)
    {
        var readings = map.Columns.ToDictionary(
            column => column.Name, column => column is NumericFeature numbers ? ReadingOf(numbers.Format) : CellReading.Text);
        foreach (var date in map.Dates) readings[date.Name] = CellReading.Text;
        return name => readings.GetValueOrDefault(name, CellReading.None);
    }

    /// <summary>Finds the columns in a table. Columns that the map does not name are passed over.</summary>
    /// <param name="map">The map.</param>
    /// <param name="table">The table.</param>
    /// <exception cref="TableException">A column is missing, or a column of numbers has a text or an infinity in some row.</exception>
    public static FeatureEncoder Bind(this FeatureMap map, CsvTable table) => new(map, table);

    /// <summary>The features of all rows, row by row: <c>[RowCount, FeatureCount]</c>.</summary>
    /// <param name="map">The map.</param>
    /// <param name="table">The table.</param>
    /// <exception cref="TableException">As for <see cref="Bind(FeatureMap, CsvTable)"/>.</exception>
    public static float[] EncodeAll(this FeatureMap map, CsvTable table) => map.Bind(table).EncodeAll();

    /// <summary>A table with the parts of its dates as columns beside them.</summary>
    /// <remarks>Where all parts are there already, as in the columns of a pipeline, they are taken as they are.</remarks>
    /// <param name="map">The map.</param>
    /// <param name="table">The table.</param>
    /// <exception cref="TableException">It lacks columns, which are named all at once, or has a text among dates.</exception>
    public static CsvTable TakeApart(this FeatureMap map, CsvTable table)
    {
        DateColumn[] dates = [.. map.Dates.Where(date => date.Parts.Any(part => table.Find(part.Name) is null))];
        var parts = dates.SelectMany(date => date.Parts).Select(part => part.Name).ToHashSet();
        var missing = map.Columns.Select(column => column.Name).Where(name => !parts.Contains(name))
            .Concat(dates.Select(date => date.Name)).Where(name => table.Find(name) is null).ToList();
        if (missing.Count > 0) throw Lacks(table, missing);
        return table.With([.. dates.SelectMany(date => date.Read(table))]);
    }

    /// <summary>The error that a table lacks columns.</summary>
    public static TableException Lacks(CsvTable table, List<string> missing) => new(
        $"{table.FilePath}: the model needs {(missing.Count == 1 ? "column" : "columns")} {NameList.Of(missing)}, "
        + $"which the table does not have; its columns are {table.ColumnNames}.");

    /// <summary>As what numbers of a format are best read.</summary>
    public static CellReading ReadingOf(NumberFormat format) => format switch
    {
        { GroupMark: null, Unit: null, DecimalMark: '.' } => CellReading.Point,
        { GroupMark: null, Unit: null, DecimalMark: ',' } => CellReading.Comma,
        _ => CellReading.Text,
    };

    /// <summary>The features that each different text of the column in a table means.</summary>
    /// <param name="feature">The column.</param>
    /// <param name="table">The table.</param>
    /// <param name="offset">The first of the features in the vector.</param>
    /// <param name="unknown">Takes up what was not there in training.</param>
    /// <exception cref="TableException">A text cannot be a value of the column.</exception>
    public static BoundColumn Bind(FeatureColumn feature, CsvTable table, int offset, ICollection<UnknownValues> unknown) => feature switch
    {
        NumericFeature numbers => Bind(numbers, table, offset),
        CategoricalFeature categories => Bind(categories, table, offset, unknown),
        TextFeature words => Bind(words, table, offset, unknown),
        _ => throw new ArgumentOutOfRangeException(nameof(feature), feature, "There is no such kind of column."),
    };

    /// <summary>The features of each different text of a column; none of those that no row has.</summary>
    public static TextTerms[] EncodeTexts(this TextFeature feature, TableColumn column)
    {
        var (rows, texts) = (column.CountRows(), column.Texts.ToArray());
        var terms = new TextTerms[texts.Length];
        Parallel.For(0, terms.Length, code => terms[code] = rows[code] == 0 ? TextTerms.None : feature.Encode(texts[code]));
        return terms;
    }

    /// <summary>Makes sure that the numbers of a column's different texts are features.</summary>
    /// <remarks>They are none only where they are far beyond those that the map was made for.</remarks>
    public static void RequireFinite(this NumericFeature feature, CsvTable table, TableColumn column, float[] values)
    {
        for (var code = 0; code < values.Length; code++)
            if (float.IsInfinity(values[code]) && column.FirstRowWith(code) is >= 0 and var row)
                throw TooLarge(feature, table, column, row);
    }

    /// <summary>The same for a column of numbers.</summary>
    public static void RequireFinite(this NumericFeature feature, CsvTable table, TableColumn column)
    {
        var (map, most) = (feature.Map, column.Numbers!.Traits.Most);
        if (float.IsFinite(map.Apply(most)) && float.IsFinite(map.Apply(-most))) return;
        for (var row = 0; row < column.Count; row++)
            if (float.IsInfinity(map.Apply(column.NumberAt(row)))) throw TooLarge(feature, table, column, row);
    }

    private static BoundColumn Bind(NumericFeature feature, CsvTable table, int offset)
    {
        var column = table.Column(feature.Name).ReadAs(feature.Format);
        if (column.Numbers is not null)
        {
            feature.RequireFinite(table, column);
            return new(column, offset, feature);
        }

        var values = Array.ConvertAll(column.ReadNumbers(table, double.NaN), feature.ValueOf);
        feature.RequireFinite(table, column, values);
        var slots = new int[values.Length];
        Array.Fill(slots, offset);
        return new(column.Codes, slots, values);
    }

    private static BoundColumn Bind(CategoricalFeature feature, CsvTable table, int offset, ICollection<UnknownValues> unknown)
    {
        var column = table.Column(feature.Name);
        var rows = column.CountRows();
        var slots = new int[rows.Length];
        var values = new float[rows.Length];
        var (unknownRows, examples) = (0, new List<string>());
        for (var code = 0; code < slots.Length; code++)
        {
            var isMissing = column.Values[code].Kind == CellKind.Missing;
            var place = isMissing ? feature.MissingPlace : feature.PlaceOf(column.Texts[code]);
            (slots[code], values[code]) = place < 0 ? (-1, 0) : feature.FeatureOf(place, offset);
            if (slots[code] >= 0 || rows[code] == 0 || feature.IsRare(isMissing ? null : column.Texts[code])) continue;
            unknownRows += rows[code];
            var example = isMissing ? feature.MissingText : column.Texts[code];
            if (examples.Count < UnknownValues.MostExamples && !examples.Contains(example)) examples.Add(example);
        }

        if (unknownRows > 0) unknown.Add(new(feature.Name, unknownRows, examples));
        return new(column.Codes, slots, values);
    }

    private static BoundColumn Bind(TextFeature feature, CsvTable table, int offset, ICollection<UnknownValues> unknown)
    {
        var column = table.Column(feature.Name);
        var (rows, terms) = (column.CountRows(), feature.EncodeTexts(column));
        var (unknownRows, examples) = (0, new List<string>());
        for (var code = 0; code < terms.Length; code++)
        {
            if (!terms[code].IsUnknown) continue;
            unknownRows += rows[code];
            if (examples.Count < UnknownValues.MostExamples) examples.Add(column.Texts[code]);
        }

        if (unknownRows > 0) unknown.Add(new(feature.Name, unknownRows, examples));
        return new(column.Codes, terms, offset);
    }

    private static TableException TooLarge(NumericFeature feature, CsvTable table, TableColumn column, int row) => table.CellError(
        row,
        feature.Name,
        $"{NameList.Quote(column[row])} is more than a feature of this column, float32, can be; fix it or leave the field empty.");
}

/// <summary>The features of a column that are not 0 in a row: by the row's text, or made of its number.</summary>
internal readonly struct BoundColumn
{
    private readonly int[] _codes = [];
    private readonly int[] _slots = [];
    private readonly float[] _values = [];
    private readonly TextTerms[]? _terms;
    private readonly TableColumn? _numbers;
    private readonly NumericFeature? _feature;
    private readonly int _offset;

    /// <summary>By the text in a row, <c>text = codes[row]</c>.</summary>
    /// <param name="codes">For each row, the index of its text.</param>
    /// <param name="slots">For each text, the feature; -1 for none.</param>
    /// <param name="values">For each text, its value.</param>
    public BoundColumn(int[] codes, int[] slots, float[] values) => (_codes, _slots, _values) = (codes, slots, values);

    /// <summary>By the text in a row, of which each has several features.</summary>
    /// <param name="codes">For each row, the index of its text.</param>
    /// <param name="terms">For each text, its features.</param>
    /// <param name="offset">The first feature of the column.</param>
    public BoundColumn(int[] codes, TextTerms[] terms, int offset)
    {
        (_codes, _terms, _offset) = (codes, terms, offset);
        Most = terms.Length == 0 ? 0 : terms.Max(text => text.Places.Length);
        Mean = (int)(codes.Sum(text => (long)terms[text].Places.Length) / Math.Max(1, codes.Length));
    }

    /// <summary>By the number in a row.</summary>
    /// <param name="numbers">The column.</param>
    /// <param name="slot">The feature.</param>
    /// <param name="feature">Makes the value of it.</param>
    public BoundColumn(TableColumn numbers, int slot, NumericFeature feature) =>
        (_numbers, _slots, _feature) = (numbers, [slot], feature);

    /// <summary>How many features a row has at most.</summary>
    public int Most { get; } = 1;

    /// <summary>How many features a row has in the mean.</summary>
    public int Mean { get; } = 1;

    /// <summary>Writes the features of a row that are not 0, and says how many there are.</summary>
    /// <param name="row">The row.</param>
    /// <param name="slots">Where to put which they are, ascending.</param>
    /// <param name="values">Where to put what they are.</param>
    public int Read(int row, Span<int> slots, Span<float> values)
    {
        if (_terms is not null)
        {
            var terms = _terms[_codes[row]];
            for (var i = 0; i < terms.Places.Length; i++) slots[i] = _offset + terms.Places[i];
            terms.Values.CopyTo(values);
            return terms.Places.Length;
        }

        (slots[0], values[0]) = _numbers is null
            ? (_slots[_codes[row]], _values[_codes[row]])
            : (_slots[0], _feature!.ValueOf(_numbers.NumberAt(row)));
        return slots[0] < 0 ? 0 : 1;
    }

    /// <summary>Writes the features of a row to zeros.</summary>
    /// <param name="row">The row.</param>
    /// <param name="features">The features of all columns.</param>
    public void Write(int row, Span<float> features)
    {
        if (_terms is not null)
        {
            _terms[_codes[row]].WriteTo(features[_offset..]);
            return;
        }

        if (_numbers is not null) features[_slots[0]] = _feature!.ValueOf(_numbers.NumberAt(row));
        else if (_slots[_codes[row]] is >= 0 and var slot) features[slot] = _values[_codes[row]];
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
