namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// One column of a <see cref="CsvTable"/>. Each different text is stored and read as a number once, and the rows refer to it: columns of
/// categories stay small, and everything that depends on a text only is worked out per text, not per row.
/// </summary>
internal sealed class TableColumn
{
    private readonly string[] _texts;
    private readonly CellValue[] _values;
    private readonly int[] _codes;

    internal TableColumn(string name, string[] texts, int[] codes)
        : this(name, texts, Array.ConvertAll(texts, CellValue.Read), codes)
    {
    }

    private TableColumn(string name, string[] texts, CellValue[] values, int[] codes)
    {
        Name = name;
        _texts = texts;
        _values = values;
        _codes = codes;
    }

    /// <summary>The name in the header.</summary>
    public string Name { get; }

    /// <summary>The rows of the table.</summary>
    public int Count => _codes.Length;

    /// <summary>
    /// The text in a row, without the quotes and white space around it; empty, or a marker such as NA, where the value is missing.
    /// </summary>
    /// <param name="row">The row, from 0.</param>
    public string this[int row] => _texts[_codes[row]];

    /// <summary>Whether a row has no value here: an empty field, <c>?</c>, or NA, N/A, #N/A, NaN or null in any case.</summary>
    /// <param name="row">The row, from 0.</param>
    public bool IsMissing(int row) => _values[_codes[row]].Kind == CellKind.Missing;

    /// <summary>The different texts; a row's text is at the index that <see cref="Codes"/> gives.</summary>
    internal ReadOnlySpan<string> Texts => _texts;

    /// <summary>What each of <see cref="Texts"/> can be read as.</summary>
    internal ReadOnlySpan<CellValue> Values => _values;

    /// <summary>For each row, the index of its text.</summary>
    internal int[] Codes => _codes;

    /// <summary>For each of <see cref="Texts"/>, the rows that have it. In a selection of rows it can be none.</summary>
    internal int[] CountRows()
    {
        var rows = new int[_texts.Length];
        foreach (var code in _codes)
            rows[code]++;
        return rows;
    }

    /// <summary>The first row with a text, or -1 if a selection of rows has none.</summary>
    internal int FirstRowWith(int code) => Array.IndexOf(_codes, code);

    /// <summary>How <see cref="Values"/> were read.</summary>
    public NumberFormat Format { get; private init; } = NumberFormat.Plain;

    /// <summary>The column with its texts read as numbers that are written in another format.</summary>
    internal TableColumn ReadAs(NumberFormat format)
    {
        var values = (CellValue[])_values.Clone();
        var isPlain = format.Equals(NumberFormat.Plain);
        for (var code = 0; code < values.Length; code++)
            if (values[code].Kind == CellKind.Text || (values[code].Kind == CellKind.Number && !isPlain))
                values[code] = CellValue.Read(_texts[code], format);
        return new(Name, _texts, values, _codes) { Format = format };
    }

    /// <summary>One of <see cref="Texts"/> as a number with all its digits; false where it is none.</summary>
    internal bool TryReadExact(int code, out decimal number) => Format.TryReadExact(_texts[code], out number);

    /// <summary>The number that each of <see cref="Texts"/> is.</summary>
    /// <param name="table">The table of the column, for the message.</param>
    /// <param name="missing">The number for a missing value.</param>
    /// <param name="advice">What to do about a text that is not a number.</param>
    /// <exception cref="TableException">Some row has a text or an infinity.</exception>
    internal double[] ReadNumbers(CsvTable table, double missing, string advice = "fix it or leave the field empty")
    {
        var numbers = new double[_values.Length];
        for (var code = 0; code < numbers.Length; code++)
        {
            if (_values[code].Kind is CellKind.Text or CellKind.Infinite && FirstRowWith(code) is >= 0 and var row)
            {
                var problem = _values[code].Kind == CellKind.Infinite ? "is not a finite number"
                    : Format.Equals(NumberFormat.Plain) ? "is not a number"
                    : $"is not a number as those of this column are written ({Format})";
                throw table.CellError(row, Name, $"{NameList.Quote(_texts[code])} {problem}; {advice}.");
            }

            numbers[code] = _values[code].Kind == CellKind.Number ? _values[code].Number : missing;
        }

        return numbers;
    }

    /// <summary>The column with only some of the rows.</summary>
    internal TableColumn Select(ReadOnlySpan<int> rows)
    {
        var codes = new int[rows.Length];
        for (var i = 0; i < codes.Length; i++)
            codes[i] = _codes[rows[i]];
        return new(Name, _texts, _values, codes) { Format = Format };
    }
}
