using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>A number. Predictions are <c>Score</c>, in the unit of the label.</summary>
internal sealed class RegressionTableTask : TableTask
{
    // The sizes of numbers that a network can learn and answer.
    private const double Least = 1e-30, Most = 1e30;

    // Below, a decimal has all digits of a float.
    private const float LargestDecimal = 1e20f;

    // What to do about a label that is not a number.
    private const string NumberAdvice = "the task regression needs a number in every row: fix it, or choose another task or label";

    /// <inheritdoc/>
    public override LearningTask Kind => LearningTask.Regression;

    /// <inheritdoc/>
    public override bool HasClasses => false;

    /// <inheritdoc/>
    public override bool CanHave(int classes) => classes == 0;

    /// <inheritdoc/>
    public override (LabelMap Label, ColumnReport Report) Infer(
        CsvTable table, TableColumn column, string? positive, ColumnNumbers numbers)
    {
        if (numbers.Problem is { } problem)
            throw LabelClasses.Error(table, column, $"{problem}; write them alike, or choose another label.");
        column = column.ReadAs(numbers.Format);
        var labels = column.ReadRows(table, double.NaN, NumberAdvice);
        var (least, most) = (labels.Min(), labels.Max());
        var lost = ColumnInference.FindLostDigits(column);
        if (least == most)
            throw LabelClasses.Error(
                table, column, lost is null ? $"is {column[0]} in every row; there is nothing to learn." : $"cannot be learned: {lost}");
        var offset = Float32Map.For(labels).Offset;
        var mean = labels.Average(number => number - offset) + offset;
        var largest = labels.Max(number => Math.Abs(number - offset));
        if (largest is > Most or < Least)
            throw LabelClasses.Error(
                table,
                column,
                string.Create(CultureInfo.InvariantCulture, $"has numbers from {least:G6} to {most:G6}, but networks of float32 learn ")
                + "sizes from 1e-30 to 1e30; multiply it by a power of ten.");
        var detail = offset == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{least:G6} to {most:G6}, mean {mean:G6}")
            : string.Create(CultureInfo.InvariantCulture, $"{least} to {most}, mean {mean}, counted from {offset} on");
        if (offset != 0) lost ??= DescribeRounding((float)Math.Abs(mean));
        return (
            new(column.Name, Kind, [], numbers.Format) { Offset = offset },
            new(column.Name, ColumnKind.Label, detail, 0, 0, []) { Lost = lost, Reading = numbers.Reading });
    }

    private static string DescribeRounding(float mean) => string.Create(
        CultureInfo.InvariantCulture,
        $"'score' gives predictions in full; where they are float32 (model.zip, pipeline.onnx, Score of model.onnx), they are "
            + $"{MathF.BitIncrement(mean) - mean} apart at this size.");

    /// <inheritdoc/>
    public override float[] Encode(CsvTable table, LabelMap label) =>
        Array.ConvertAll(ReadRows(table, label), number => (float)(number - label.Offset));

    /// <inheritdoc/>
    public override ViewColumn View(CsvTable table, LabelMap label) => label.Offset == 0
        ? new ViewColumn<float>(label.Column, NumberDataViewType.Single, Encode(table, label), null)
        : new ViewColumn<double>(label.Column, NumberDataViewType.Double, ReadRows(table, label), null);

    private static double[] ReadRows(CsvTable table, LabelMap label) =>
        table.Column(label.Column).ReadAs(label.Numbers).ReadRows(table, double.NaN, NumberAdvice);

    /// <inheritdoc/>
    public override BatchNormTransformer Fit(MLContext ml, IDataView rows, BatchNormNetworkOptions options) =>
        ml.Regression.Trainers.BatchNormNetwork(options).Fit(rows);

    /// <inheritdoc/>
    public override string Describe(LabelMap label) => "a number";

    /// <inheritdoc/>
    public override IEnumerable<string> PredictionColumns(IReadOnlyList<string> classes) => ["Score"];

    /// <inheritdoc/>
    public override void WritePrediction(PredictionWriter line, TablePrediction prediction, int row)
    {
        // Decimals, so that no digits come up that neither of the two has.
        if (prediction.Offset == 0) line.Write(prediction.Values[row]);
        else if (Math.Abs(prediction.Offset) < LargestDecimal && Math.Abs(prediction.Values[row]) < LargestDecimal)
            line.Write(Exact(prediction.Offset) + Exact(prediction.Values[row]));
        else line.Write(prediction.Offset + prediction.Values[row]);
    }

    // A cast would keep 15 digits. Whole numbers with all of theirs; others as the shortest text that is read as the same.
    private static decimal Exact(double number) =>
        Parse(number.ToString(Math.Abs(number) < 1L << 53 ? "R" : "F0", CultureInfo.InvariantCulture));

    private static decimal Exact(float number) => Parse(number.ToString("R", CultureInfo.InvariantCulture));

    private static decimal Parse(string text) => decimal.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
}
