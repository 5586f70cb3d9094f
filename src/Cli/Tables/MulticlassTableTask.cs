using System.Numerics.Tensors;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// One of several classes. Predictions are <c>PredictedLabel</c>, and a column <c>Probability.CLASS</c> for each class.
/// </summary>
internal sealed class MulticlassTableTask : TableTask
{
    /// <inheritdoc/>
    public override LearningTask Kind => LearningTask.Multiclass;

    /// <inheritdoc/>
    public override bool CanHave(int classes) => classes >= 2;

    /// <inheritdoc/>
    public override int ValuesOfRow(int classes) => classes;

    /// <inheritdoc/>
    public override (LabelMap Label, ColumnReport Report) Infer(
        CsvTable table, TableColumn column, string? positive, ColumnNumbers numbers)
    {
        LabelClasses.RequireDifferentNumbers(table, column);
        var classes = LabelClasses.Count(column);
        if (classes.Count < 2)
            throw LabelClasses.Error(table, column, $"has {LabelClasses.Describe(classes)}; there must be two or more.");
        if (classes.Count > Math.Max(ColumnInference.FewTexts, column.Count / 2))
            throw LabelClasses.Error(
                table,
                column,
                $"has {classes.Count} different values in {column.Count} rows, too many for classes; "
                + "choose the task regression if they are numbers, or another label.");
        var map = new LabelMap(column.Name, Kind, [.. classes.Select(known => known.Category)]);
        return (map, new(column.Name, ColumnKind.Label, LabelClasses.Describe(classes), 0, 0, classes));
    }

    /// <inheritdoc/>
    public override (float[] Targets, int Outputs) ToTargets(float[] labels, int classes)
    {
        var targets = new float[labels.Length * classes];
        for (var row = 0; row < labels.Length; row++) targets[(row * classes) + (int)labels[row]] = 1;
        return (targets, classes);
    }

    /// <inheritdoc/>
    public override ViewColumn View(CsvTable table, LabelMap label)
    {
        var classes = Array.ConvertAll(label.FindClasses(table), index => index < 0 ? default : label.Classes[index].AsMemory());
        return new ViewColumn<ReadOnlyMemory<char>>(
            label.Column, TextDataViewType.Instance, classes, table.Column(label.Column).Codes);
    }

    /// <summary>The key is for training only: a pipeline that began with it would ask for a label when it scores.</summary>
    public override (IDataView Rows, BatchNormNetworkOptions Options) Prepare(
        MLContext ml, IDataView rows, LabelMap label, BatchNormNetworkOptions options)
    {
        var key = MulticlassTask.ToKey(ml, label.Column, label.Classes).Fit(rows);
        if (options.ValidationSet is { } validation) options = options with { ValidationSet = key.Transform(validation) };
        return (key.Transform(rows), options);
    }

    /// <inheritdoc/>
    public override BatchNormTransformer Fit(MLContext ml, IDataView rows, BatchNormNetworkOptions options) =>
        ml.MulticlassClassification.Trainers.BatchNormNetwork(options).Fit(rows);

    /// <inheritdoc/>
    public override string Describe(LabelMap label) => $"one of {label.Classes.Count} classes";

    /// <inheritdoc/>
    public override IEnumerable<string> PredictionColumns(IReadOnlyList<string> classes) =>
        ["PredictedLabel", .. classes.Select(name => $"Probability.{name}")];

    /// <inheritdoc/>
    public override void WritePrediction(PredictionWriter line, TablePrediction prediction, int row)
    {
        var width = prediction.Classes.Count;
        var probabilities = prediction.Values.AsSpan(row * width, width);
        line.Write(prediction.Classes[TensorPrimitives.IndexOfMax(probabilities)]);
        foreach (var probability in probabilities) line.Write(probability);
    }
}
