using System.Collections;

namespace MlNetBatchNorm.Onnx.Metrics;

/// <summary>How good predictions are by several metrics, in the order in which they are shown.</summary>
internal sealed class MetricValues(IEnumerable<(Metric Metric, double Value)> values) : IEnumerable<(Metric Metric, double Value)>
{
    private readonly (Metric Metric, double Value)[] _values = [.. values];

    /// <summary>The value of a metric; null where the predictions were not measured by it.</summary>
    public double? this[Metric metric] =>
        _values.FirstOrDefault(value => value.Metric == metric) is { Metric: not null } found ? found.Value : null;

    /// <summary>Measures predictions.</summary>
    public static MetricValues Measure(IReadOnlyList<Metric> metrics, PredictedRows rows)
    {
        var values = new (Metric, double)[metrics.Count];
        for (var i = 0; i < values.Length; i++) values[i] = (metrics[i], metrics[i].Compute(rows));
        return new MetricValues(values);
    }

    /// <summary>Values by their metrics' keys, as <see cref="ToKeys"/> gave them.</summary>
    /// <exception cref="FormatException">There are no metrics with these keys that go together.</exception>
    public static MetricValues FromKeys(IReadOnlyDictionary<string, double> values)
    {
        IReadOnlyList<Metric>[] sets = [Metric.OfTwoClasses, Metric.OfClasses, Metric.OfNumbers];
        var metrics = sets.FirstOrDefault(set => set.Count == values.Count && set.All(metric => values.ContainsKey(metric.Key)))
            ?? throw new FormatException($"There are no metrics that go together as {string.Join(", ", values.Keys)}.");
        return new MetricValues(metrics.Select(metric => (metric, values[metric.Key])));
    }

    /// <summary>The values by their metrics' keys, for files.</summary>
    public Dictionary<string, double> ToKeys() =>
        _values.ToDictionary(value => value.Metric.Key, value => value.Value, StringComparer.Ordinal);

    /// <inheritdoc/>
    public IEnumerator<(Metric Metric, double Value)> GetEnumerator() => _values.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
