namespace MlNetBatchNorm.Cli.Tables;

/// <summary>The cells of a column: numbers, or else texts, which of numbers are read only when someone asks for them.</summary>
internal sealed class ColumnCells(int count, NumberCells? numbers, Func<TextCells> texts)
{
    private readonly Lazy<TextCells> _texts = new(texts);

    /// <summary>The rows.</summary>
    public int Count { get; } = count;

    /// <summary>The numbers, where every cell is one or has no value; null where there are others.</summary>
    public NumberCells? Numbers { get; } = numbers;

    /// <summary>The texts.</summary>
    public TextCells Texts => _texts.Value;
}

/// <summary>
/// One column of a <see cref="CsvTable"/>. Where all of its cells are numbers (<see cref="Numbers"/>) their texts are read from the file
/// again when they are asked for: for what is worked out row by row there is <see cref="ReadRows"/>.
/// </summary>
internal sealed class TableColumn
{
    private const string Advice = "fix it or leave the field empty";

    private readonly ColumnCells _cells;
    private readonly int[]? _rows;
    private readonly bool _isRead;
    private CellValue[]? _values;
    private int[]? _codes;

    internal TableColumn(string name, ColumnCells cells)
        : this(name, cells, null, null)
    {
    }

    internal TableColumn(string name, string[] texts, int[] codes)
        : this(name, new ColumnCells(codes.Length, null, () => new TextCells(texts, codes)))
    {
    }

    private TableColumn(string name, ColumnCells cells, int[]? rows, NumberFormat? format)
    {
        Name = name;
        Format = format ?? NumberFormat.Plain;
        _isRead = format is not null;
        _cells = cells;
        _rows = rows;
        Numbers = cells.Numbers is { } numbers && IsWritten(numbers.Traits, Format) ? numbers : null;
    }

    /// <summary>The name in the header.</summary>
    public string Name { get; }

    /// <summary>The rows of the table.</summary>
    public int Count => _rows?.Length ?? _cells.Count;

    /// <summary>
    /// The text in a row, without the quotes and white space around it; empty, or a marker such as NA, where the value is missing.
    /// </summary>
    /// <param name="row">The row, from 0.</param>
    public string this[int row] => _cells.Texts.Texts[Codes[row]];

    /// <summary>Whether a row has no value here: an empty field, <c>?</c>, or NA, N/A, #N/A, NaN or null in any case.</summary>
    /// <param name="row">The row, from 0.</param>
    public bool IsMissing(int row) =>
        Numbers is null ? Values[Codes[row]].Kind == CellKind.Missing : double.IsNaN(NumberAt(row));

    /// <summary>
    /// The numbers of the whole file, by <see cref="StoredRow"/>, where all cells are numbers in <see cref="Format"/> or have no value;
    /// null where there are others.
    /// </summary>
    internal NumberCells? Numbers { get; }

    /// <summary>How its numbers are written in the whole file, in whatever format; null where it has other cells.</summary>
    internal NumberTraits? Traits => _cells.Numbers?.Traits;

    /// <summary>The different texts; a row's text is at the index that <see cref="Codes"/> gives.</summary>
    internal ReadOnlySpan<string> Texts => _cells.Texts.Texts;

    /// <summary>What each of <see cref="Texts"/> can be read as.</summary>
    internal ReadOnlySpan<CellValue> Values => _values ??= ReadValues();

    /// <summary>For each row, the index of its text.</summary>
    internal int[] Codes => _codes ??= _rows is null ? _cells.Texts.Codes : Array.ConvertAll(_rows, row => _cells.Texts.Codes[row]);

    /// <summary>For each of <see cref="Texts"/>, the rows that have it. In a selection of rows it can be none.</summary>
    internal int[] CountRows()
    {
        var rows = new int[Texts.Length];
        foreach (var code in Codes)
            rows[code]++;
        return rows;
    }

    /// <summary>The first row with a text, or -1 if a selection of rows has none.</summary>
    internal int FirstRowWith(int code) => Array.IndexOf(Codes, code);

    /// <summary>How <see cref="Values"/> were read.</summary>
    public NumberFormat Format { get; }

    /// <summary>The column with its texts read as numbers that are written in another format.</summary>
    internal TableColumn ReadAs(NumberFormat format) => new(Name, _cells, _rows, format) { _codes = _codes };

    /// <summary>One of <see cref="Texts"/> as a number with all its digits; false where it is none.</summary>
    internal bool TryReadExact(int code, out decimal number) => Format.TryReadExact(Texts[code], out number);

    /// <summary>The row of the file, from 0, that is a row of this selection.</summary>
    internal int StoredRow(int row) => _rows is null ? row : _rows[row];

    /// <summary>The number in a row of a column of <see cref="Numbers"/>; NaN where there is none.</summary>
    internal double NumberAt(int row) => Numbers![StoredRow(row)];

    /// <summary>The number in each row.</summary>
    /// <param name="table">The table of the column, for the message.</param>
    /// <param name="missing">The number for a missing value.</param>
    /// <param name="advice">What to do about a text that is not a number.</param>
    /// <exception cref="TableException">Some row has a text or an infinity.</exception>
    internal double[] ReadRows(CsvTable table, double missing, string advice = Advice)
    {
        var numbers = new double[Count];
        CopyRowsTo(numbers, table, missing, advice);
        return numbers;
    }

    /// <summary>The same into a place that is there.</summary>
    internal void CopyRowsTo(Span<double> numbers, CsvTable table, double missing, string advice = Advice)
    {
        if (Numbers is null)
        {
            var (read, codes) = (ReadNumbers(table, missing, advice), Codes);
            for (var row = 0; row < codes.Length; row++) numbers[row] = read[codes[row]];
            return;
        }

        for (var row = 0; row < Count; row++)
        {
            var number = NumberAt(row);
            numbers[row] = double.IsNaN(number) ? missing : number;
        }
    }

    /// <summary>The number that each of <see cref="Texts"/> is.</summary>
    /// <param name="table">The table of the column, for the message.</param>
    /// <param name="missing">The number for a missing value.</param>
    /// <param name="advice">What to do about a text that is not a number.</param>
    /// <exception cref="TableException">Some row has a text or an infinity.</exception>
    internal double[] ReadNumbers(CsvTable table, double missing, string advice = Advice)
    {
        var values = Values;
        var numbers = new double[values.Length];
        for (var code = 0; code < numbers.Length; code++)
        {
            if (values[code].Kind is CellKind.Text or CellKind.Infinite && FirstRowWith(code) is >= 0 and var row)
            {
                var problem = values[code].Kind == CellKind.Infinite ? "is not a finite number"
                    : Format.Equals(NumberFormat.Plain) ? "is not a number"
                    : $"is not a number as those of this column are written ({Format})";
                throw table.CellError(row, Name, $"{NameList.Quote(Texts[code])} {problem}; {advice}.");
            }

            numbers[code] = values[code].Kind == CellKind.Number ? values[code].Number : missing;
        }

        return numbers;
    }

    /// <summary>The column with only some of the rows.</summary>
    /// <param name="storedRows">The rows of the file.</param>
    internal TableColumn Select(int[] storedRows) => new(Name, _cells, storedRows, _isRead ? Format : null);

    // What was read with one mark is the same number in a format that has it; what has no mark is one in any.
    private static bool IsWritten(in NumberTraits traits, NumberFormat format) =>
        !format.RequiresUnit && (!(traits.HasMark || traits.HasDoubtful) || format.DecimalMark == traits.Mark);

    private CellValue[] ReadValues()
    {
        if (!_isRead) return _cells.Texts.Values;
        var values = (CellValue[])_cells.Texts.Values.Clone();
        for (var code = 0; code < values.Length; code++) values[code] = values[code].ReadAgain(Texts[code], Format);
        return values;
    }
}
