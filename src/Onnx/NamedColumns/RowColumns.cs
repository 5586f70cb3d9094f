using System.Globalization;
using MlNetBatchNorm.Onnx.Tables;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>
/// The columns that a row is given by, in order: those of the table that a model was trained on, or the inputs of a pipeline.
/// </summary>
internal sealed class RowColumns
{
    private readonly TextPlaces _places;

    private RowColumns(IReadOnlyList<RowColumn> columns, int cells, string? label)
    {
        (All, CellCount, Label) = (columns, cells, label);
        _places = new TextPlaces(columns.Select(column => column.Name));
    }

    /// <summary>The columns.</summary>
    public IReadOnlyList<RowColumn> All { get; }

    /// <summary>The values that the model takes of a row: a date has several.</summary>
    public int CellCount { get; }

    /// <summary>The column of what is predicted, which a row may have and which is passed over; null = not known.</summary>
    public string? Label { get; }

    /// <summary>The columns of a table whose features a map describes. The cells are in the order of its columns.</summary>
    /// <param name="map">The map.</param>
    /// <param name="label">The column of what is predicted.</param>
    public static RowColumns Of(FeatureMap map, string? label)
    {
        var cellOf = new Dictionary<string, int>();
        foreach (var column in map.Columns) cellOf.Add(column.Name, cellOf.Count);
        var dates = map.Dates.ToDictionary(date => date.Name);
        RowColumn[] columns =
        [
            .. map.Sources.Select(name => dates.TryGetValue(name, out var date)
                ? new DateRowColumn(
                    date, [.. date.Parts.Where(part => cellOf.ContainsKey(part.Name))
                        .Select(part => (part.Part, map.Columns[cellOf[part.Name]], cellOf[part.Name]))])
                : map.Columns[cellOf[name]] switch
                {
                    CategoricalFeature categories => (RowColumn)new CategoryRowColumn(categories, cellOf[name]),
                    TextFeature words => new WordsRowColumn(words, cellOf[name]),
                    var numbers => new NumberRowColumn((NumericFeature)numbers, cellOf[name]),
                }),
        ];
        return new RowColumns(columns, map.Columns.Count, label);
    }

    /// <summary>The inputs of a pipeline that says nothing of the table that it was trained on.</summary>
    /// <param name="inputs">The inputs, each with one value of a row, which is a number, a truth value or a text.</param>
    /// <param name="label">The column of what is predicted.</param>
    public static RowColumns Of(IReadOnlyList<TensorInfo> inputs, string? label) => new(
        [.. inputs.Select((input, cell) => input.Type == DataType.String
            ? (RowColumn)new TextRowColumn(input.Name, cell)
            : new InputRowColumn(input.Name, input.Type, cell))],
        inputs.Count,
        label);

    /// <summary>The place of a column; -1 = there is none of that name.</summary>
    public int PlaceOf(ReadOnlySpan<char> name) => _places[name];

    /// <summary>The error that a row has no value for some columns.</summary>
    public static ArgumentException Lacks(IReadOnlyCollection<string> missing, string advice) => new(
        $"The row lacks {(missing.Count == 1 ? "the column" : "the columns")} {NameList.Of(missing.Select(NameList.Quote), 20)}; {advice}");

    /// <summary>The error that a row has a column that the model does not know.</summary>
    public ArgumentException Unknown(string name, string advice) => new(
        $"The row has {NameList.Quote(name)}, which is no column of the model; {advice} "
        + $"The columns are {NameList.Of(All.Select(column => NameList.Quote(column.Name)))}.");
}

/// <summary>A row as a model takes it: for each cell a number, or which of its categories, or a text.</summary>
/// <param name="count">The cells.</param>
/// <param name="columns">The columns that they are made of.</param>
internal sealed class RowCells(int count, int columns)
{
    private List<(string Column, string Value)>? _unknown;
    private int _row;

    /// <summary>Numbers (NaN where there is none), or places among categories (-1 = none of them).</summary>
    public double[] Numbers { get; } = new double[count];

    /// <summary>Texts, of columns that have no categories.</summary>
    public string[] Texts { get; } = new string[count];

    /// <summary>The features of texts, of columns of free text.</summary>
    public TextTerms[] Terms { get; } = new TextTerms[count];

    /// <summary>The columns that have been given, by the mark of their row.</summary>
    public int[] Given { get; } = new int[columns];

    /// <summary>Columns whose value was not there in training.</summary>
    public IReadOnlyList<(string Column, string Value)> Unknown => (IReadOnlyList<(string Column, string Value)>?)_unknown ?? [];

    /// <summary>Begins a row, and gives it a mark that no other had, so that <see cref="Given"/> need not be cleared.</summary>
    public int Begin()
    {
        _unknown?.Clear();
        return ++_row;
    }

    /// <summary>Notes a value that was not there in training.</summary>
    public void NoteUnknown(string column, string value) => (_unknown ??= []).Add((column, value));
}

/// <summary>A value cannot be one of its column.</summary>
/// <param name="column">The column.</param>
/// <param name="problem">What was given, what was expected, and what to do.</param>
internal sealed class ColumnValueException(string column, string problem)
    : ArgumentException($"Column {NameList.Quote(column)}: {problem}")
{
    /// <summary>The message without the column.</summary>
    public string Problem { get; } = problem;
}

/// <summary>A column of a row: takes values of any kind, as far as they can be meant, and refuses others.</summary>
internal abstract class RowColumn(string name)
{
    /// <summary>The name.</summary>
    public string Name { get; } = name;

    /// <summary>What it takes, for messages: "a number".</summary>
    public abstract string Expected { get; }

    /// <summary>What may be given in place of it, for messages.</summary>
    private protected virtual string OrMissing => ", or null where there is none";

    /// <summary>Takes no value.</summary>
    public abstract void Missing(RowCells cells);

    /// <summary>Takes a text, which is read as the same text in a table is.</summary>
    public abstract void Text(RowCells cells, ReadOnlySpan<char> text);

    /// <summary>Takes a number.</summary>
    public virtual void Number(RowCells cells, double number) =>
        throw Refused($"the number {number.ToString("R", CultureInfo.InvariantCulture)}");

    /// <summary>Takes a whole number.</summary>
    public virtual void Whole(RowCells cells, long number) => Number(cells, number);

    /// <summary>Takes a truth value.</summary>
    public virtual void Truth(RowCells cells, bool truth) => throw Refused(truth ? "true" : "false");

    /// <summary>Takes a date.</summary>
    public virtual void Time(RowCells cells, DateTimeOffset time) =>
        throw Refused($"the date {time.ToString("O", CultureInfo.InvariantCulture)}");

    /// <summary>Takes what every column takes: no value, or where it has to have one, zero.</summary>
    public virtual void Blank(RowCells cells) => Missing(cells);

    /// <summary>The error that something else was given than is expected.</summary>
    /// <param name="given">What, for people.</param>
    public ColumnValueException Refused(string given) => new(Name, $"{given} was given; give {Expected}{OrMissing}.");
}

/// <summary>A column of numbers, written in a table as its map says.</summary>
internal sealed class NumberRowColumn(NumericFeature feature, int cell) : RowColumn(feature.Name)
{
    /// <summary>How its numbers are written in a table.</summary>
    public NumberFormat Format => feature.Format;

    /// <inheritdoc/>
    public override string Expected => "a number, as 12.5";

    /// <inheritdoc/>
    public override void Missing(RowCells cells) => cells.Numbers[cell] = double.NaN;

    /// <inheritdoc/>
    public override void Number(RowCells cells, double number)
    {
        if (double.IsInfinity(number)) throw Refused("a number that is not finite");
        if (float.IsInfinity(feature.Map.Apply(number)))
            throw new ColumnValueException(
                Name,
                $"{number.ToString("R", CultureInfo.InvariantCulture)} is more than a feature of this column, float32, can be; fix it or "
                + "give none.");
        cells.Numbers[cell] = number;
    }

    /// <inheritdoc/>
    public override void Truth(RowCells cells, bool truth) =>
        throw new ColumnValueException(Name, $"{(truth ? "true" : "false")} was given; give a number, as {(truth ? 1 : 0)}{OrMissing}.");

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text)
    {
        var trimmed = text.Trim().ToString();
        var value = CellValue.Read(trimmed, feature.Format);
        if (value.Kind == CellKind.Missing) Missing(cells);
        else if (value.Kind == CellKind.Number) Number(cells, value.Number);
        else if (value.Kind == CellKind.Infinite) throw Refused($"{NameList.Quote(trimmed)}, which is not finite,");
        else if (feature.Numbers is null) throw Refused($"the text {NameList.Quote(trimmed)}");
        else throw Refused(
            $"the text {NameList.Quote(trimmed)}, which is no number as those of this column are written ({feature.Format}),");
    }
}

/// <summary>A column of categories.</summary>
internal sealed class CategoryRowColumn : RowColumn
{
    private static readonly HashSet<string> True = new(StringComparer.OrdinalIgnoreCase) { "true", "t", "yes", "y", "1" };
    private static readonly HashSet<string> False = new(StringComparer.OrdinalIgnoreCase) { "false", "f", "no", "n", "0" };

    private readonly CategoricalFeature _feature;
    private readonly int _cell;
    private readonly int _true;
    private readonly int _false;
    private readonly Dictionary<double, int> _numbers = [];

    /// <param name="feature">The column.</param>
    /// <param name="cell">Its cell.</param>
    public CategoryRowColumn(CategoricalFeature feature, int cell)
        : base(feature.Name)
    {
        (_feature, _cell) = (feature, cell);
        (_true, _false) = (OnlyOne(True), OnlyOne(False));
        for (var place = 0; place < feature.Categories.Count; place++)
            if (CellValue.Read(feature.Categories[place]) is { Kind: CellKind.Number } value) _numbers.TryAdd(value.Number, place);

        int OnlyOne(HashSet<string> words)
        {
            int[] places = [.. Enumerable.Range(0, feature.Categories.Count).Where(place => words.Contains(feature.Categories[place]))];
            return places is [var only] ? only : -1;
        }
    }

    /// <inheritdoc/>
    public override string Expected => $"a text, as {string.Join(" or ", _feature.Categories.Take(2).Select(NameList.Quote))}";

    /// <inheritdoc/>
    public override void Missing(RowCells cells)
    {
        cells.Numbers[_cell] = _feature.MissingPlace;
        if (_feature.MissingPlace < 0) cells.NoteUnknown(Name, _feature.MissingText);
    }

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text)
    {
        text = text.Trim();
        var place = _feature.PlaceOf(text);
        cells.Numbers[_cell] = place;
        if (place >= 0) return;
        var other = text.ToString();
        if (CellValue.Read(other).Kind == CellKind.Missing) Missing(cells);
        else if (!_feature.IsRare(other)) cells.NoteUnknown(Name, other);
    }

    /// <inheritdoc/>
    public override void Number(RowCells cells, double number)
    {
        if (double.IsNaN(number)) Missing(cells);
        else if (_numbers.Count == 0) base.Number(cells, number);
        else if (_numbers.TryGetValue(number, out var place)) cells.Numbers[_cell] = place;
        else Text(cells, number.ToString("R", CultureInfo.InvariantCulture));
    }

    /// <inheritdoc/>
    public override void Whole(RowCells cells, long number)
    {
        // To all its digits: a number may be a name.
        Span<char> text = stackalloc char[20];
        if (_numbers.Count > 0 && number.TryFormat(text, out var length, default, CultureInfo.InvariantCulture)
            && _feature.PlaceOf(text[..length]) is >= 0 and var place) cells.Numbers[_cell] = place;
        else Number(cells, number);
    }

    /// <inheritdoc/>
    public override void Truth(RowCells cells, bool truth)
    {
        if (_true < 0 || _false < 0) base.Truth(cells, truth);
        cells.Numbers[_cell] = truth ? _true : _false;
    }
}

/// <summary>A column of free text, of which the model takes the words.</summary>
internal sealed class WordsRowColumn(TextFeature feature, int cell) : RowColumn(feature.Name)
{
    /// <inheritdoc/>
    public override string Expected => "a text";

    /// <inheritdoc/>
    public override void Missing(RowCells cells) => cells.Terms[cell] = TextTerms.None;

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text)
    {
        var trimmed = text.Trim().ToString();
        cells.Terms[cell] = feature.Encode(trimmed);
        if (cells.Terms[cell].IsUnknown) cells.NoteUnknown(Name, trimmed);
    }

    /// <inheritdoc/>
    public override void Number(RowCells cells, double number)
    {
        if (double.IsNaN(number)) Missing(cells);
        else Text(cells, number.ToString("R", CultureInfo.InvariantCulture));
    }

    /// <inheritdoc/>
    public override void Whole(RowCells cells, long number) => Text(cells, number.ToString(CultureInfo.InvariantCulture));
}

/// <summary>A column of dates, of which the model takes parts.</summary>
internal sealed class DateRowColumn(DateColumn date, (DatePart Part, FeatureColumn Feature, int Cell)[] parts)
    : RowColumn(date.Name)
{
    /// <inheritdoc/>
    public override string Expected => $"a date, {date.Example}";

    /// <inheritdoc/>
    public override void Missing(RowCells cells)
    {
        foreach (var (_, feature, cell) in parts)
        {
            var categories = feature as CategoricalFeature;
            cells.Numbers[cell] = categories?.MissingPlace ?? double.NaN;
            if (categories is { MissingPlace: < 0 }) cells.NoteUnknown(Name, categories.MissingText);
        }
    }

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text)
    {
        var trimmed = text.Trim().ToString();
        if (CellValue.Read(trimmed).Kind == CellKind.Missing) Missing(cells);
        else if (date.TryRead(trimmed, out var time)) Time(cells, time);
        else throw Refused($"the text {NameList.Quote(trimmed)}");
    }

    /// <inheritdoc/>
    public override void Time(RowCells cells, DateTimeOffset time)
    {
        if (!WrittenDate.IsDate(time)) base.Time(cells, time);
        foreach (var (part, feature, cell) in parts)
        {
            if (feature is not CategoricalFeature categories)
            {
                cells.Numbers[cell] = DateColumn.NumberOf(part, time, date.First);
                continue;
            }

            var text = DateColumn.TextOf(part, time, date.First);
            var place = categories.PlaceOf(text);
            cells.Numbers[cell] = place;
            if (place < 0 && !categories.IsRare(text)) cells.NoteUnknown(Name, text);
        }
    }
}

/// <summary>An input of a pipeline that takes texts as they are.</summary>
internal sealed class TextRowColumn(string name, int cell) : RowColumn(name)
{
    /// <inheritdoc/>
    public override string Expected => "a text";

    /// <inheritdoc/>
    public override void Missing(RowCells cells) => cells.Texts[cell] = string.Empty;

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text) => cells.Texts[cell] = text.ToString();
}

/// <summary>An input of a pipeline that takes numbers or truth values as they are.</summary>
internal sealed class InputRowColumn(string name, DataType type, int cell) : RowColumn(name)
{
    private readonly bool _isReal = type is DataType.Float or DataType.Double;

    /// <inheritdoc/>
    private protected override string OrMissing => _isReal ? base.OrMissing : string.Empty;

    /// <inheritdoc/>
    public override string Expected => type == DataType.Bool ? "true or false" : _isReal ? "a number, as 12.5" : "a whole number";

    /// <inheritdoc/>
    public override void Missing(RowCells cells)
    {
        if (!_isReal) throw new ColumnValueException(Name, $"it has no value, but the model needs one; give {Expected}.");
        cells.Numbers[cell] = double.NaN;
    }

    /// <inheritdoc/>
    public override void Number(RowCells cells, double number)
    {
        if (double.IsNaN(number)) Missing(cells);
        else if (double.IsInfinity(number) || !CanHold(number)) base.Number(cells, number);
        else cells.Numbers[cell] = number;
    }

    /// <inheritdoc/>
    public override void Truth(RowCells cells, bool truth)
    {
        if (type != DataType.Bool) base.Truth(cells, truth);
        cells.Numbers[cell] = truth ? 1 : 0;
    }

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text)
    {
        var trimmed = text.Trim().ToString();
        var value = CellValue.Read(trimmed);
        if (value.Kind == CellKind.Missing) Missing(cells);
        else if (value.Kind == CellKind.Number) Number(cells, value.Number);
        else if (type == DataType.Bool && bool.TryParse(trimmed, out var truth)) Truth(cells, truth);
        else throw Refused($"the text {NameList.Quote(trimmed)}");
    }

    /// <inheritdoc/>
    public override void Blank(RowCells cells) => cells.Numbers[cell] = _isReal ? double.NaN : 0;

    private bool CanHold(double number)
    {
        var (least, most) = type switch
        {
            DataType.Float => (float.MinValue, float.MaxValue),
            DataType.Double => (double.MinValue, double.MaxValue),
            DataType.Bool => (0, 1),
            DataType.Uint8 => (byte.MinValue, byte.MaxValue),
            DataType.Int8 => (sbyte.MinValue, sbyte.MaxValue),
            DataType.Uint16 => (ushort.MinValue, ushort.MaxValue),
            DataType.Int16 => (short.MinValue, short.MaxValue),
            DataType.Uint32 => (uint.MinValue, uint.MaxValue),
            DataType.Int32 => (int.MinValue, int.MaxValue),
            // Beyond, float64 does not have them all.
            DataType.Uint64 => (0, 1L << 53),
            _ => (-(double)(1L << 53), 1L << 53),
        };
        return number >= least && number <= most && (_isReal || number == Math.Truncate(number));
    }
}
