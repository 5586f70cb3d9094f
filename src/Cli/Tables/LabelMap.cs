
namespace MlNetBatchNorm.Cli.Tables;

/// <summary>How the label column of a table becomes the number that a network learns.</summary>
internal sealed class LabelMap
{
    /// <summary>Describes a label column.</summary>
    /// <param name="column">The column of the table.</param>
    /// <param name="task">What is predicted.</param>
    /// <param name="classes">
    /// The classes in the order of their numbers: the negative and the positive one for a binary label; none for regression.
    /// </param>
    /// <param name="numbers">How the numbers of regression are written; null = as programs write them.</param>
    public LabelMap(string column, LearningTask task, IReadOnlyList<string> classes, NumberFormat? numbers = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(column);
        ArgumentNullException.ThrowIfNull(classes);
        Task = TableTask.Of(task);
        if (!Task.CanHave(classes.Count))
            throw new ArgumentException($"A {task} label cannot have {classes.Count} classes.", nameof(classes));
        Column = column;
        Classes = classes;
        Numbers = numbers ?? NumberFormat.Plain;
    }

    /// <summary>The column of the table.</summary>
    public string Column { get; }

    /// <summary>What is taken off the numbers of a label in float64 before they become float32; 0 = nothing.</summary>
    public double Offset { get; init; }

    /// <summary>What is predicted.</summary>
    public TableTask Task { get; }

    /// <summary>
    /// The classes in the order of their numbers: the negative and the positive one for a binary label; none for regression.
    /// </summary>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>How the numbers of regression are written.</summary>
    public NumberFormat Numbers { get; }

    /// <summary>The positive class of a binary label; null for the other tasks.</summary>
    public string? PositiveClass => Task.PositiveClass(Classes);

    /// <summary>Describes the label column of a training table and checks that it fits the task.</summary>
    /// <param name="table">The table.</param>
    /// <param name="label">The column.</param>
    /// <param name="task">What is predicted.</param>
    /// <param name="positive">The positive class, where the user has chosen one.</param>
    /// <param name="numbers">How the numbers of the table are written.</param>
    /// <exception cref="TableException">There is no such column, a row has no label, or they do not fit the task.</exception>
    public static (LabelMap Label, ColumnReport Report) Infer(
        CsvTable table, string label, LearningTask task, string? positive, TableNumbers numbers)
    {
        var column = table.Find(label) ?? throw new TableException(
            $"{table.FilePath}: there is no label column {NameList.Quote(label)}; the columns are {table.ColumnNames}.");
        RequireLabels(table, column);
        return TableTask.Of(task).Infer(table, column, positive, numbers[column]);
    }

    /// <summary>
    /// The label of every row: 1 for the positive class and 0 for the negative one (binary), the index in <see cref="Classes"/>
    /// (multiclass), or the number less <see cref="Offset"/> (regression).
    /// </summary>
    /// <param name="table">The table.</param>
    /// <exception cref="TableException">
    /// The column is not there, a row has no label, or one that is neither a class nor, for regression, a number.
    /// </exception>
    public float[] Encode(CsvTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        RequireLabels(table, table.Column(Column));
        return Task.Encode(table, this);
    }

    /// <summary>The label as a column of ML.NET data.</summary>
    /// <exception cref="TableException">As for <see cref="Encode"/>.</exception>
    public ViewColumn View(CsvTable table)
    {
        RequireLabels(table, table.Column(Column));
        return Task.View(table, this);
    }

    /// <summary>Whether the label of a row is one of the classes.</summary>
    public bool HasClass(TableColumn column, int row) => IndexOf(column[row], column.Values[column.Codes[row]]) >= 0;

    /// <summary>
    /// For each different text of the column, the index of its class; -1 for a text that no row has and that is no class.
    /// </summary>
    /// <exception cref="TableException">A row has a text that is none of the classes.</exception>
    public int[] FindClasses(CsvTable table)
    {
        var column = table.Column(Column);
        var indices = new int[column.Texts.Length];
        for (var code = 0; code < indices.Length; code++)
        {
            indices[code] = IndexOf(column.Texts[code], column.Values[code]);
            if (indices[code] < 0 && column.FirstRowWith(code) is >= 0 and var row)
                throw table.CellError(
                    row,
                    Column,
                    $"{NameList.Quote(column.Texts[code])} is none of the classes that the model knows ({NameList.Of(Classes, 20)}).");
        }

        return indices;
    }

    private static void RequireLabels(CsvTable table, TableColumn column)
    {
        for (var row = 0; row < column.Count; row++)
            if (column.IsMissing(row))
                throw table.CellError(
                    row, column.Name, "the label is missing; every row needs one: fill it in or remove the row.");
    }

    private int IndexOf(string text, CellValue value)
    {
        // Another program may have written the same table with 1.0 for 1.
        var sameNumber = -1;
        for (var i = 0; i < Classes.Count; i++)
        {
            if (Classes[i] == text) return i;
            if (value.Kind == CellKind.Number && CellValue.Read(Classes[i]) == value) sameNumber = i;
        }

        return sameNumber;
    }
}
