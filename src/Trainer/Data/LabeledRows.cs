namespace MlNetBatchNorm.Trainer;

/// <summary>Rows with their targets, in memory: what a network is trained and measured on.</summary>
public sealed class LabeledRows
{
    /// <summary>Wraps arrays without copying them.</summary>
    /// <param name="shape">The shape of one row.</param>
    /// <param name="outputs">The number of targets for each row.</param>
    /// <param name="features">The rows, <c>[N, …shape]</c>, row-major.</param>
    /// <param name="targets">The targets, <c>[N, outputs]</c>: 0 or 1 for two classes, one-hot for more, a number for regression.</param>
    /// <param name="weights">A weight from 0 for each row, or null when all count the same. Only their ratios matter.</param>
    /// <exception cref="ArgumentException">
    /// No rows, arrays of the wrong length, a number that is not finite, or weights that are negative or all 0.
    /// </exception>
    public LabeledRows(SampleShape shape, int outputs, float[] features, float[] targets, float[]? weights = null)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outputs);
        if (targets.Length == 0) throw new ArgumentException("There are no rows to learn from.", nameof(targets));
        if (targets.Length % outputs != 0)
            throw new ArgumentException($"{targets.Length} targets do not make whole rows of {outputs}.", nameof(targets));
        Count = targets.Length / outputs;
        if (features.Length != Count * shape.Count)
            throw new ArgumentException($"{Count} rows of shape {shape} need {Count * shape.Count} features, but {features.Length} were given.", nameof(features));
        if (weights is not null && weights.Length != Count)
            throw new ArgumentException($"{Count} rows need {Count} weights, but {weights.Length} were given.", nameof(weights));
        RequireFinite(features, (int)shape.Count, "feature", nameof(features));
        RequireFinite(targets, outputs, "target", nameof(targets));
        if (weights is not null) RequireWeights(weights);
        Shape = shape;
        Outputs = outputs;
        Features = features;
        Targets = targets;
        Weights = weights;
    }

    /// <summary>The shape of one row.</summary>
    public SampleShape Shape { get; }

    /// <summary>The targets of one row.</summary>
    public int Outputs { get; }

    /// <summary>The number of rows.</summary>
    public int Count { get; }

    /// <summary>The rows, row-major.</summary>
    public float[] Features { get; }

    /// <summary>The targets, row-major.</summary>
    public float[] Targets { get; }

    /// <summary>The rows' weights, or null.</summary>
    public float[]? Weights { get; }

    /// <summary>The features of one row.</summary>
    public ReadOnlySpan<float> Row(int index) => Features.AsSpan(index * (int)Shape.Count, (int)Shape.Count);

    /// <summary>The targets of one row.</summary>
    public ReadOnlySpan<float> Target(int index) => Targets.AsSpan(index * Outputs, Outputs);

    /// <summary>The first rows, copied; all of them, where there are no more.</summary>
    public LabeledRows First(int count) => Select([.. Enumerable.Range(0, Math.Min(Count, count))]);

    /// <summary>Some of the rows, copied.</summary>
    public LabeledRows Select(ReadOnlySpan<int> rows)
    {
        var width = (int)Shape.Count;
        var features = new float[rows.Length * width];
        var targets = new float[rows.Length * Outputs];
        var weights = Weights is null ? null : new float[rows.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            Row(rows[i]).CopyTo(features.AsSpan(i * width));
            Target(rows[i]).CopyTo(targets.AsSpan(i * Outputs));
            if (weights is not null) weights[i] = Weights![rows[i]];
        }

        return new LabeledRows(Shape, Outputs, features, targets, weights);
    }

    private static void RequireFinite(float[] values, int width, string what, string parameter)
    {
        for (var i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]))
                throw new ArgumentException(
                    $"Row {i / width} has {values[i]} as {what} {i % width}; every {what} must be a finite number. Replace missing values first.", parameter);
    }

    private static void RequireWeights(float[] weights)
    {
        var sum = 0.0;
        for (var row = 0; row < weights.Length; row++)
        {
            if (!(float.IsFinite(weights[row]) && weights[row] >= 0))
                throw new ArgumentException($"Row {row} has the weight {weights[row]}; a weight is a finite number from 0.", nameof(weights));
            sum += weights[row];
        }

        if (sum == 0) throw new ArgumentException("Every row has the weight 0, so there is nothing to learn from.", nameof(weights));
    }
}
