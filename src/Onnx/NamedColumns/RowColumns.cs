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
