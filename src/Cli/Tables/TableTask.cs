using Microsoft.ML;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// What a task is to a table: how the label column is read, and what the prediction of a row is written as. What it is to a network and to
/// ML.NET is in <see cref="NetworkTask"/>.
/// </summary>
internal abstract class TableTask
{
    /// <summary>Every task.</summary>
    public static IReadOnlyList<TableTask> All { get; } = [new BinaryTableTask(), new MulticlassTableTask(), new RegressionTableTask()];

    /// <summary>What users call it.</summary>
    public abstract LearningTask Kind { get; }

    /// <summary>The same task for networks.</summary>
    public NetworkTask Network => NetworkTask.Of(Kind);

    /// <summary>Its name on the command line.</summary>
    public string Name => Network.Name;

    /// <summary>The task of users.</summary>
    public static TableTask Of(LearningTask kind) => All.FirstOrDefault(task => task.Kind == kind)
        ?? throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such task.");

    /// <summary>Whether a class is predicted, not a number.</summary>
    public virtual bool HasClasses => true;

    /// <summary>Whether one of its classes is the positive one.</summary>
    public virtual bool HasPositiveClass => false;

    /// <summary>The task of a name on the command line; null where there is no such task.</summary>
    public static TableTask? Find(string? name) => All.FirstOrDefault(task => task.Name == name);

    /// <summary>The class that is the positive one; null where there is none.</summary>
    public virtual string? PositiveClass(IReadOnlyList<string> classes) => null;

    /// <summary>Whether a label may have so many classes.</summary>
    public abstract bool CanHave(int classes);

    /// <summary>How many values a network gives for a row.</summary>
    public virtual int ValuesOfRow(int classes) => Network.Outputs.Count;

    /// <summary>Finds the classes, or the range, of a label column in which every row has a value.</summary>
    /// <param name="table">The table.</param>
    /// <param name="column">Its label.</param>
    /// <param name="positive">The positive class, where the user has chosen one.</param>
    /// <param name="numbers">How its numbers are written, where it has to have numbers.</param>
    /// <exception cref="TableException">The column does not fit the task.</exception>
    public abstract (LabelMap Label, ColumnReport Report) Infer(
        CsvTable table, TableColumn column, string? positive, ColumnNumbers numbers);

    /// <summary>The number that the label of each row means.</summary>
    public virtual float[] Encode(CsvTable table, LabelMap label)
    {
        var classes = label.FindClasses(table);
        return Array.ConvertAll(table.Column(label.Column).Codes, code => (float)classes[code]);
    }

    /// <summary>The targets of all rows from the numbers that their labels mean.</summary>
    /// <param name="labels">The numbers.</param>
    /// <param name="classes">The number of classes.</param>
    /// <returns>The targets, and how many each row has.</returns>
    public virtual (float[] Targets, int Outputs) ToTargets(float[] labels, int classes) => (labels, 1);

    /// <summary>The label as a column of ML.NET data, of the type that the trainer takes.</summary>
    public abstract ViewColumn View(CsvTable table, LabelMap label);

    /// <summary>Makes of a view with such a label column, and of options, what a trainer takes.</summary>
    public virtual (IDataView Rows, BatchNormNetworkOptions Options) Prepare(
        MLContext ml, IDataView rows, LabelMap label, BatchNormNetworkOptions options) => (rows, options);

    /// <summary>Trains a network on what <see cref="Prepare"/> made.</summary>
    public abstract BatchNormTransformer Fit(MLContext ml, IDataView rows, BatchNormNetworkOptions options);

    /// <summary>What is predicted, for people: "Yes or No".</summary>
    public abstract string Describe(LabelMap label);

    /// <summary>The columns that predictions are written in.</summary>
    public abstract IEnumerable<string> PredictionColumns(IReadOnlyList<string> classes);

    /// <summary>What a network would give, as <see cref="TablePrediction.Values"/>, for predictions that are there already.</summary>
    /// <param name="predictions">The probability of the positive class, those of each class, or the number itself, row by row.</param>
    public virtual float[] ScoredValues(float[] predictions) => predictions;

    /// <summary>Writes the fields of one row's prediction.</summary>
    public abstract void WritePrediction(PredictionWriter line, TablePrediction prediction, int row);
}
