using System.Globalization;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// An output of a model beside the right answers: what kind of answers they are is decided once, by the labels, the model as it was and
/// what that says about itself, so that a changed model is judged in the same way.
/// </summary>
internal sealed class LabeledOutput
{
    private readonly string _name;
    private readonly Kind _kind;
    private readonly int _width;
    private readonly double _threshold;
    private readonly float[] _targets;

    private LabeledOutput(string name, Kind kind, int width, double threshold, float[] targets) =>
        (_name, _kind, _width, _threshold, _targets) = (name, kind, width, threshold, targets);

    private enum Kind
    {
        TwoClasses,
        Classes,
        Numbers,
    }

    /// <summary>The number of rows.</summary>
    public int Rows => _targets.Length / _width;

    /// <summary>The output that labels are about.</summary>
    /// <exception cref="ArgumentException">The model has no such output.</exception>
    public static string NameOf(ModelProto model, RowLabels labels)
    {
        var outputs = model.Graph.Output;
        if (labels.Output is not { } wanted) return (outputs.LastOrDefault(IsReal) ?? outputs[^1]).Name;
        return outputs.Any(output => output.Name == wanted)
            ? wanted
            : throw new ArgumentException(
                $"The model has no output '{wanted}' that could be compared with '{labels.Name}'; its outputs are "
                + $"{string.Join(", ", outputs.Select(output => output.Name))}.");
    }

    private static bool IsReal(ValueInfoProto output) => TensorData.IsReal(output.Type?.TensorType?.ElemType ?? 0);

    /// <summary>Puts labels beside an output.</summary>
    /// <param name="model">The model, for what its metadata say about task and classes.</param>
    /// <param name="labels">The labels.</param>
    /// <param name="outputs">What the model as it was gives for each set of inputs.</param>
    /// <exception cref="ArgumentException">The labels do not fit the rows or the output; the message names label and row.</exception>
    public static LabeledOutput Create(ModelProto model, RowLabels labels, IReadOnlyList<HostTensor> outputs)
    {
        var name = NameOf(model, labels);
        if (labels.Values.Count != outputs.Count)
            throw new ArgumentException(
                $"There are {labels.Values.Count} sets of labels ('{labels.Name}'), but {outputs.Count} sets of inputs.");
        if (outputs.Any(output => output.Data is string[] or bool[] || output.Shape.Length == 0))
            throw new ArgumentException(
                $"The output '{name}' gives no numbers for each row, so it cannot be compared with '{labels.Name}'; name another output.");
        var widths = outputs.Where(output => output.Shape[0] > 0).Select(output => output.Data.Length / (int)output.Shape[0]);
        var width = widths.DefaultIfEmpty(1).First();
        var values = new List<double>();
        var isForEachValue = width > 1 && labels.Values.Zip(outputs).All(pair => pair.First.Data.Length == pair.Second.Data.Length);
        foreach (var (label, output) in labels.Values.Zip(outputs))
        {
            if (label.Data.Length != (isForEachValue ? output.Data.Length : output.Shape[0]))
                throw new ArgumentException(
                    $"'{labels.Name}' holds {label.Data.Length} labels, but the output '{name}' has {output.Shape[0]} rows of {width}.");
            values.AddRange(Read(model, labels.Name, label, values.Count));
        }

        var task = ModelFile.GetMetadata(model, ModelMetadata.Task);
        if (isForEachValue)
            return new LabeledOutput(name, IsOneHot(values, width) ? Kind.Classes : Kind.Numbers, width, 0, ToFloats(values));
        if (width > 1) return new LabeledOutput(name, Kind.Classes, width, 0, OneHot(values, width, name, labels.Name));
        if (task != ModelMetadata.Regression && values.TrueForAll(value => value is 0 or 1))
            return new LabeledOutput(name, Kind.TwoClasses, 1, ThresholdOf(outputs), ToFloats(values));
        if (task is not (null or ModelMetadata.Regression))
            throw new ArgumentException($"'{labels.Name}' holds other labels than 0 and 1, but the model predicts one of two classes.");
        return new LabeledOutput(name, Kind.Numbers, 1, 0, ToFloats(values));
    }

    /// <summary>The figures of some answers, one tensor for each set of inputs.</summary>
    public MetricValues Measure(IReadOnlyList<HostTensor> outputs)
    {
        var values = outputs.SelectMany(output => Enumerable.Range(0, output.Data.Length).Select(i => TensorDifference.Element(output, i)));
        var y = ToFloats([.. values]);
        if (y.Length != Rows * _width)
            throw new ArgumentException($"The output '{_name}' gives {y.Length} values for {Rows} rows of {_width}.");
        var rows = new PredictedRows(y, _targets, _width);
        if (_kind == Kind.Classes) return MetricValues.Measure([Metric.MicroAccuracy, Metric.MacroAccuracy], rows);
        if (_kind == Kind.Numbers) return MetricValues.Measure(Metric.OfNumbers, rows);
        var decided = new PredictedRows(Array.ConvertAll(y, value => value > _threshold ? 1f : 0f), _targets, 1);
        return new MetricValues(
            [(Metric.AreaUnderRocCurve, Metric.AreaUnderRocCurve.Compute(rows)), (Metric.Accuracy, Metric.Accuracy.Compute(decided))]);
    }

    private static IEnumerable<double> Read(ModelProto model, string name, HostTensor labels, int firstRow)
    {
        if (labels.Data is string[] texts)
        {
            var classes = ModelFile.GetMetadata(model, ModelMetadata.Labels) is { } json ? TextList.FromJson(json) : [];
            if (classes.Length == 0)
                throw new ArgumentException(
                    $"'{name}' holds texts, but the model does not say what its classes are called (metadata '{ModelMetadata.Labels}'); "
                    + $"give the number of each row's class, from 0.");
            foreach (var (text, row) in texts.Select((text, row) => (text, row)))
            {
                var number = Array.IndexOf(classes, text);
                yield return number >= 0
                    ? number
                    : throw new ArgumentException(
                        $"'{name}' is '{text}' in row {firstRow + row}, which is none of the model's classes "
                        + $"{string.Join(", ", classes)}.");
            }

            yield break;
        }

        for (var row = 0; row < labels.Data.Length; row++)
        {
            var value = TensorDifference.Element(labels, row);
            yield return double.IsFinite(value)
                ? value
                : throw new ArgumentException(string.Create(
                    CultureInfo.InvariantCulture, $"'{name}' is {value} in row {firstRow + row}; a label must be a finite number."));
        }
    }

    private static bool IsOneHot(List<double> values, int width) =>
        values.TrueForAll(value => value is 0 or 1) && values.Chunk(width).All(row => row.Sum() == 1);

    private static float[] OneHot(List<double> classes, int width, string output, string name)
    {
        var targets = new float[classes.Count * width];
        for (var row = 0; row < classes.Count; row++)
        {
            if (!(classes[row] >= 0 && classes[row] < width && double.IsInteger(classes[row])))
                throw new ArgumentException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{name}' is {classes[row]} in row {row}, but the output '{output}' has {width} values for each row: the number of a "
                    + $"class, from 0 to {width - 1}, was expected."));
            targets[(row * width) + (int)classes[row]] = 1;
        }

        return targets;
    }

    // Probabilities stand on either side of a half, logits of zero; which of both they are, the model as it was shows.
    private static double ThresholdOf(IReadOnlyList<HostTensor> outputs) =>
        outputs.All(output => Enumerable.Range(0, output.Data.Length).All(
            i => TensorDifference.Element(output, i) is >= 0 and <= 1 or double.NaN)) ? 0.5 : 0;

    private static float[] ToFloats(List<double> values) => [.. values.Select(value => (float)value)];
}

/// <summary>The right answers for the rows that a model is run on, and which of its outputs they are the answers to.</summary>
/// <param name="Values">
/// A tensor for each set of inputs, with an element for each row (<c>[N]</c> or <c>[N, 1]</c>):
/// <list type="bullet">
/// <item>0 or 1 (or Booleans) where the output has one value for each row: two classes, by a probability or a logit;</item>
/// <item>any other numbers there: the right numbers themselves;</item>
/// <item>the number of the class, from 0, where the output has several values for each row;</item>
/// <item>texts, where the model says what its classes are called (<see cref="ModelMetadata.Labels"/>).</item>
/// </list>
/// As many numbers as the output has (<c>[N, K]</c>) are the right numbers for each of its values.
/// </param>
internal sealed record RowLabels(IReadOnlyList<HostTensor> Values)
{
    /// <summary>What the labels are called, for messages.</summary>
    public string Name { get; init; } = "label";

    /// <summary>The output that is judged; null (the default) = the model's last one of real numbers.</summary>
    public string? Output { get; init; }
}

/// <summary>How good two models are on the same rows with labels.</summary>
/// <param name="Output">The output that was judged.</param>
/// <param name="Rows">How many rows there were.</param>
/// <param name="Metrics">The figures of both.</param>
internal sealed record LabeledComparison(string Output, int Rows, MetricComparison Metrics);
