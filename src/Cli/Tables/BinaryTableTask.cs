using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// One of two classes, of which one is the positive one: by choice, by its name, or as the rarer one. Predictions are
/// <c>PredictedLabel,Probability,Score</c>.
/// </summary>
internal sealed class BinaryTableTask : TableTask
{
    // The affirmative spellings that are positive by themselves. "1.0" is what pandas makes of 1 in a column that once had gaps.
    private static readonly HashSet<string> PositiveNames = new(StringComparer.OrdinalIgnoreCase)
    {
        "yes", "y", "true", "t", "1", "1.0", "positive", "pos",
    };

    /// <inheritdoc/>
    public override LearningTask Kind => LearningTask.Binary;

    /// <inheritdoc/>
    public override bool HasPositiveClass => true;

    /// <inheritdoc/>
    public override string? PositiveClass(IReadOnlyList<string> classes) => classes[1];

    /// <inheritdoc/>
    public override bool CanHave(int classes) => classes == 2;

    /// <inheritdoc/>
    public override (LabelMap Label, ColumnReport Report) Infer(
        CsvTable table, TableColumn column, string? positive, ColumnNumbers numbers)
    {
        LabelClasses.RequireDifferentNumbers(table, column);
        var classes = LabelClasses.Count(column);
        if (classes.Count != 2)
        {
            // Of a part of a table the column still knows the other texts.
            var elsewhere = column.Texts.ToArray().Where((text, code) => column.FirstRowWith(code) < 0 && CellValue.Read(text).Kind
                != CellKind.Missing).Select(NameList.Quote).ToList();
            var advice = classes.Count != 1 ? "choose another task or another label."
                : elsewhere.Count == 0 ? "add rows of the other class."
                : $"all rows with {NameList.Of(elsewhere, 5)} are held back for testing: drawn at random, some stay to learn from.";
            throw LabelClasses.Error(
                table, column, $"has {LabelClasses.Describe(classes)}; a binary label has exactly two: {advice}");
        }

        var (index, reason) = ChoosePositive(table, column, classes, positive);
        var map = new LabelMap(column.Name, Kind, [classes[1 - index].Category, classes[index].Category]);
        var detail = $"{LabelClasses.Describe(classes)}; positive is {map.PositiveClass} ({reason})";
        return (map, new(column.Name, ColumnKind.Label, detail, 0, 0, classes));
    }

    /// <inheritdoc/>
    public override ViewColumn View(CsvTable table, LabelMap label)
    {
        var isPositive = Array.ConvertAll(label.FindClasses(table), index => index == 1);
        return new ViewColumn<bool>(label.Column, BooleanDataViewType.Instance, isPositive, table.Column(label.Column).Codes);
    }

    /// <summary>To ML.NET a class of two is a Boolean, whatever its name in the table.</summary>
    public override (IDataView Rows, BatchNormNetworkOptions Options) Prepare(
        MLContext ml, IDataView rows, LabelMap label, BatchNormNetworkOptions options) =>
        (rows, options with { ClassWeights = options.ClassWeights?.Rename(label.Classes, ["false", "true"]) });

    /// <inheritdoc/>
    public override BatchNormTransformer Fit(MLContext ml, IDataView rows, BatchNormNetworkOptions options) =>
        ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(rows);

    /// <inheritdoc/>
    public override string Describe(LabelMap label) => $"{label.Classes[1]} or {label.Classes[0]}";

    /// <inheritdoc/>
    public override IEnumerable<string> PredictionColumns(IReadOnlyList<string> classes) => ["PredictedLabel", "Probability", "Score"];

    /// <summary>The score is the logarithm of the odds.</summary>
    public override float[] ScoredValues(float[] predictions) =>
        [.. predictions.Select(probability => (float)(Math.Log(probability) - Math.Log(1 - (double)probability))), .. predictions];

    /// <inheritdoc/>
    public override void WritePrediction(PredictionWriter line, TablePrediction prediction, int row)
    {
        // The network's outputs, one after the other.
        var (score, probability) = (prediction.Values[row], prediction.Values[prediction.RowCount + row]);
        line.Write(prediction.Classes[score > 0 ? 1 : 0]);
        line.Write(probability);
        line.Write(score);
    }

    private static (int Index, string Reason) ChoosePositive(
        CsvTable table, TableColumn column, IReadOnlyList<CategoryCount> classes, string? positive)
    {
        if (positive is not null)
        {
            var chosen = IndexOf(classes, known => known == positive.Trim());
            return chosen >= 0
                ? (chosen, "as chosen")
                : throw new TableException(
                    $"{table.FilePath}: the positive class {NameList.Quote(positive)} does not occur in the label column "
                    + $"{NameList.Quote(column.Name)}, which has {LabelClasses.Describe(classes)}.");
        }

        var named = IndexOf(classes, PositiveNames.Contains);
        if (named >= 0 && classes.Count(known => PositiveNames.Contains(known.Category)) == 1) return (named, "by its name");
        return classes[0].Rows.CompareTo(classes[1].Rows) switch
        {
            < 0 => (0, "the rarer one"),
            > 0 => (1, "the rarer one"),
            _ => (1, "the last one, as both are equally frequent"),
        };
    }

    private static int IndexOf(IReadOnlyList<CategoryCount> classes, Func<string, bool> isIt)
    {
        for (var i = 0; i < classes.Count; i++)
            if (isIt(classes[i].Category)) return i;
        return -1;
    }
}
