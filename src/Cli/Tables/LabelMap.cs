using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>How the label column of a table becomes the number that a network learns.</summary>
internal sealed class LabelMap
{
    /// <summary>What to do about a regression label that is not a number.</summary>
    internal const string NumberAdvice = "the task regression needs a number in every row: fix it, or choose another task or label";

    /// <summary>Describes a label column.</summary>
    /// <param name="column">The column of the table.</param>
    /// <param name="task">What is predicted.</param>
    /// <param name="classes">
    /// The classes in the order of their numbers: the negative and the positive one for a binary label; none for regression.
    /// </param>
    public LabelMap(string column, TaskKind task, IReadOnlyList<string> classes)
    {
        ArgumentException.ThrowIfNullOrEmpty(column);
        ArgumentNullException.ThrowIfNull(classes);
        var fits = task switch
        {
            TaskKind.Binary => classes.Count == 2,
            TaskKind.Multiclass => classes.Count >= 2,
            TaskKind.Regression => classes.Count == 0,
            _ => throw new ArgumentOutOfRangeException(nameof(task), task, "There is no such task."),
        };
        if (!fits)
            throw new ArgumentException($"A {task} label cannot have {classes.Count} classes.", nameof(classes));
        Column = column;
        Task = task;
        Classes = classes;
    }

    /// <summary>The column of the table.</summary>
    public string Column { get; }

    /// <summary>What is predicted.</summary>
    public TaskKind Task { get; }

    /// <summary>
    /// The classes in the order of their numbers: the negative and the positive one for a binary label; none for regression.
    /// </summary>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>The positive class of a binary label; null for the other tasks.</summary>
    public string? PositiveClass => Task == TaskKind.Binary ? Classes[1] : null;

    /// <summary>
    /// The label of every row: 1 for the positive class and 0 for the negative one (binary), the index in <see cref="Classes"/>
    /// (multiclass), or the number (regression).
    /// </summary>
    /// <param name="table">The table.</param>
    /// <exception cref="TableException">
    /// The column is not there, a row has no label, or one that is neither a class nor, for regression, a number.
    /// </exception>
    public float[] Encode(CsvTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        var labels = EncodeTexts(table);
        return Array.ConvertAll(table.Column(Column).Codes, code => labels[code]);
    }

    /// <summary>The label that each different text of the column means; -1 or NaN for those that no row has.</summary>
    internal float[] EncodeTexts(CsvTable table)
    {
        var column = table.Column(Column);
        RequireLabels(table, column);
        return Task == TaskKind.Regression
            ? column.ReadNumbers(table, float.NaN, NumberAdvice)
            : Array.ConvertAll(FindClasses(table, column), index => (float)index);
    }

    /// <summary>Rejects a column with a row that has no label.</summary>
    internal static void RequireLabels(CsvTable table, TableColumn column)
    {
        for (var row = 0; row < column.Count; row++)
        {
            if (column.IsMissing(row))
                throw table.CellError(row, column.Name, "the label is missing; every row needs one: fill it in or remove the row.");
        }
    }

    /// <summary>For each text of the column, the index of its class.</summary>
    private int[] FindClasses(CsvTable table, TableColumn column)
    {
        var indices = new int[column.Texts.Length];
        for (var code = 0; code < indices.Length; code++)
        {
            indices[code] = IndexOf(column.Texts[code], column.Values[code]);
            if (indices[code] < 0 && column.FirstRowWith(code) is >= 0 and var row)
            {
                throw table.CellError(
                    row, Column, $"{NameList.Quote(column.Texts[code])} is none of the classes that the model knows " +
                    $"({NameList.Of(Classes, 20)}).");
            }
        }

        return indices;
    }

    private int IndexOf(string text, CellValue value)
    {
        // Another program may have written the same table with 1.0 for 1.
        var sameNumber = -1;
        for (var i = 0; i < Classes.Count; i++)
        {
            if (Classes[i] == text)
                return i;
            if (value.Kind == CellKind.Number && CellValue.Read(Classes[i]) == value)
                sameNumber = i;
        }

        return sameNumber;
    }
}
