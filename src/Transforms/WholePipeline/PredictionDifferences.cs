using System.Globalization;
using Microsoft.ML;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>Collects how far predicted columns differ, over all rows.</summary>
internal sealed class PredictionDifferences
{
    private readonly KeyTable?[] _keys;
    private readonly string[] _names;
    private readonly double[] _largest;
    private readonly double[] _scales;
    private readonly long[] _worstRows;
    private readonly List<Disagreement> _disagreements = [];
    private readonly int _score;

    public PredictionDifferences(IReadOnlyList<DataViewSchema.Column> columns)
    {
        _keys = [.. columns.Select(KeyTable.Of)];
        _names = [.. columns.Select(column => column.Name)];
        (_largest, _scales, _worstRows) = (new double[_names.Length], new double[_names.Length], new long[_names.Length]);
        _score = Array.IndexOf(_names, nameof(BinaryPrediction.Score));
    }

    /// <summary>For other rows, judged by the magnitudes of these.</summary>
    /// <param name="columns">The same columns.</param>
    public PredictionDifferences ForOthers(IReadOnlyList<DataViewSchema.Column> columns)
    {
        var others = new PredictionDifferences(columns);
        _scales.CopyTo(others._scales, 0);
        return others;
    }

    /// <summary>How far each column differs.</summary>
    public IReadOnlyList<OutputDifference> Results => [.. _names.Select((name, i) =>
        new OutputDifference(name, _largest[i], _scales[i] > 0 ? _largest[i] / _scales[i] : _largest[i]))];

    /// <summary>Compares some rows.</summary>
    /// <param name="firstRow">The number of the first, for messages.</param>
    /// <param name="expected">ML.NET's columns; keys are not looked up yet.</param>
    /// <param name="actual">The exported model's.</param>
    /// <exception cref="ModelVerificationException">A tensor has another type or size.</exception>
    public void Add(long firstRow, HostTensor[] expected, HostTensor[] actual)
    {
        for (var column = 0; column < _names.Length; column++)
        {
            var reference = _keys[column]?.Look(expected[column]) ?? expected[column];
            if (reference.Type != actual[column].Type || reference.Data.Length != actual[column].Data.Length)
                throw new ModelVerificationException(
                    $"The exported pipeline gives '{_names[column]}' as {actual[column].Type}[{string.Join(", ", actual[column].Shape)}], "
                    + $"but ML.NET gives {reference.Type}[{string.Join(", ", reference.Shape)}]. Nothing was written.");
            var width = reference.Data.Length / (int)reference.Shape[0];
            for (var i = 0; i < reference.Data.Length; i++)
                AddElement(
                    column, firstRow + (i / width), i / width, reference.Data.GetValue(i)!, actual[column].Data.GetValue(i)!, expected);
        }
    }

    /// <summary>Requires the tolerance to be kept; returns how many predicted labels differ for hardly different scores.</summary>
    /// <exception cref="ModelVerificationException">It is not kept, or texts or whole numbers differ.</exception>
    public long RequireWithin(double tolerance)
    {
        var undecided = _score < 0 ? 0.0 : 2 * tolerance * _scales[_score];
        const string Label = nameof(BinaryPrediction.PredictedLabel);
        if (_disagreements.FirstOrDefault(one => one.Column != Label || !(one.Margin <= undecided)) is { } wrong)
            throw new ModelVerificationException(string.Create(
                CultureInfo.InvariantCulture,
                $"In row {wrong.Row} the exported pipeline gives '{wrong.Actual}' for '{wrong.Column}', but ML.NET gives "
                + $"'{wrong.Expected}'. Nothing was written."));
        var results = Results;
        for (var column = 0; column < _names.Length; column++)
        {
            if (results[column].LargestRelative <= tolerance) continue;
            throw new ModelVerificationException(string.Create(
                CultureInfo.InvariantCulture,
                $"The exported pipeline's '{_names[column]}' differs from ML.NET's by {results[column].LargestAbsolute:G3} in row "
                + $"{_worstRows[column]}, {results[column].LargestRelative:E1} of the column's scale; at most {tolerance:E1} is allowed. "
                + $"Nothing was written."));
        }

        return _disagreements.Count;
    }

    private void AddElement(int column, long row, int place, object expected, object actual, HostTensor[] all)
    {
        if (expected is not (float or double))
        {
            if (!expected.Equals(actual)) _disagreements.Add(new Disagreement(_names[column], row, expected, actual, Margin(place, all)));
            return;
        }

        var (a, b) = (Convert.ToDouble(expected, CultureInfo.InvariantCulture), Convert.ToDouble(actual, CultureInfo.InvariantCulture));
        // Two infinities of the same sign, or two NaN, agree.
        var difference = a.Equals(b) ? 0 : double.IsNaN(a - b) ? double.PositiveInfinity : Math.Abs(a - b);
        if (difference > _largest[column]) (_largest[column], _worstRows[column]) = (difference, row);
        if (double.IsFinite(a)) _scales[column] = Math.Max(_scales[column], Math.Abs(a));
    }

    // How far the scores of a row are from another label: from 0, or the largest from the next.
    private double Margin(int place, HostTensor[] all)
    {
        if (_score < 0 || all[_score] is not { Type: DataType.Float, Data: float[] scores } tensor) return double.PositiveInfinity;
        var width = scores.Length / (int)tensor.Shape[0];
        if (width == 1) return Math.Abs(scores[place]);
        var best = scores.AsSpan(place * width, width).ToArray().OrderDescending().Take(2).ToArray();
        return best[0] - best[1];
    }

    private sealed record Disagreement(string Column, long Row, object Expected, object Actual, double Margin);
}
