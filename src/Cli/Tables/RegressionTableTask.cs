using System.Globalization;
using CsvHelper;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>A number. Predictions are <c>Score</c>, in the unit of the label.</summary>
internal sealed class RegressionTableTask : TableTask
{
    // What to do about a label that is not a number.
    private const string NumberAdvice = "the task regression needs a number in every row: fix it, or choose another task or label";

    /// <inheritdoc/>
    public override LearningTask Kind => LearningTask.Regression;

    /// <inheritdoc/>
    public override bool CanHave(int classes) => classes == 0;

    /// <inheritdoc/>
    public override (LabelMap Label, ColumnReport Report) Infer(
        CsvTable table, TableColumn column, string? positive, ColumnNumbers numbers)
    {
        if (numbers.Problem is { } problem)
            throw LabelClasses.Error(table, column, $"{problem}; write them alike, or choose another label.");
        var values = column.ReadAs(numbers.Format).ReadNumbers(table, double.NaN, NumberAdvice);
        var labels = Array.ConvertAll(column.Codes, code => values[code]);
        var (least, most) = (labels.Min(), labels.Max());
        if (least == most) throw LabelClasses.Error(table, column, $"is {column[0]} in every row; there is nothing to learn.");
        var mean = labels.Average();
        var detail = string.Create(CultureInfo.InvariantCulture, $"{least:G6} to {most:G6}, mean {mean:G6}");
        return (
            new(column.Name, Kind, [], numbers.Format),
            new(column.Name, ColumnKind.Label, detail, 0, 0, []) { Reading = numbers.Reading });
    }

    /// <inheritdoc/>
    public override float[] Encode(CsvTable table, LabelMap label) =>
        Array.ConvertAll(
            table.Column(label.Column).ReadAs(label.Numbers).ReadNumbers(table, double.NaN, NumberAdvice), number => (float)number);

    /// <inheritdoc/>
    public override ViewColumn View(CsvTable table, LabelMap label) => new ViewColumn<float>(
        label.Column, NumberDataViewType.Single, Encode(table, label), table.Column(label.Column).Codes);

    /// <inheritdoc/>
    public override BatchNormTransformer Fit(MLContext ml, IDataView rows, LabelMap label, BatchNormNetworkOptions options) =>
        ml.Regression.Trainers.BatchNormNetwork(options).Fit(rows);

    /// <inheritdoc/>
    public override string Describe(LabelMap label) => "a number";

    /// <inheritdoc/>
    public override IEnumerable<string> PredictionColumns(IReadOnlyList<string> classes) => ["Score"];

    /// <inheritdoc/>
    public override void WritePrediction(CsvWriter csv, TablePrediction prediction, int row) => csv.WriteField(prediction.Values[row]);
}
