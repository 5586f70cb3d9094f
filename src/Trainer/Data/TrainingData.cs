using System.Numerics.Tensors;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm;

/// <summary>
/// Rows with their targets, in memory: what a network is trained and measured on. Immutable, as long as nobody writes to its arrays.
/// </summary>
public sealed class TrainingData
{
    /// <summary>Takes arrays without copying them; do not change them afterwards.</summary>
    /// <param name="shape">The shape of one row.</param>
    /// <param name="outputs">The number of targets for each row.</param>
    /// <param name="features">The rows, <c>[N, …shape]</c>, row-major.</param>
    /// <param name="targets">The targets, <c>[N, outputs]</c>: 0 or 1 for two classes, one-hot for more, a number for regression.</param>
    /// <param name="weights">A weight from 0 for each row, or null when all count the same. Only their ratios matter.</param>
    /// <exception cref="ArgumentException">
    /// No rows, arrays of the wrong length, a number that is not finite, or weights that are negative or all 0.
    /// </exception>
    public TrainingData(SampleShape shape, int outputs, float[] features, float[] targets, float[]? weights = null)
        : this(shape, outputs, Whole(shape, outputs, features, targets), targets, weights)
    {
    }

    /// <summary>The same of rows that may be more than an array can hold.</summary>
    internal TrainingData(
        SampleShape shape, int outputs, FeatureRows features, float[] targets, float[]? weights = null, double targetOffset = 0)
    {
        TargetOffset = targetOffset;
        Count = features.Count;
        if (weights is not null && weights.Length != Count)
            throw new ArgumentException($"{Count} rows need {Count} weights, but {weights.Length} were given.", nameof(weights));
        features.Visit((row, values, slots) =>
        {
            if (!TensorPrimitives.IsFiniteAll(values))
                for (var i = 0; i < values.Length; i++)
                    RequireFinite(row, values[i], slots.IsEmpty ? i : slots[i], "feature", nameof(features));
        });
        for (var i = 0; i < targets.Length; i++) RequireFinite(i / outputs, targets[i], i % outputs, "target", nameof(targets));
        if (weights is not null) RequireWeights(weights);
        Shape = shape;
        Outputs = outputs;
        (FeatureRows, TargetArray, WeightArray) = (features, targets, weights);
    }

    // What was made of rows that were looked at.
    private TrainingData(TrainingData rows, SampleShape shape, FeatureRows features, float[] targets, float[]? weights, double offset)
    {
        (Shape, Outputs, Count, TargetOffset) = (shape, rows.Outputs, features.Count, offset);
        (FeatureRows, TargetArray, WeightArray) = (features, targets, weights);
    }

    /// <summary>The shape of one row.</summary>
    public SampleShape Shape { get; }

    /// <summary>How many targets a row has.</summary>
    public int Outputs { get; }

    /// <summary>The number of rows.</summary>
    public int Count { get; }

    /// <summary>
    /// The rows, <c>[N, …shape]</c>, row-major: the array that they were made of, or one that is made anew at each call. <see cref="Row"/>
    /// takes less memory.
    /// </summary>
    /// <exception cref="InvalidOperationException">They are more than an array can hold.</exception>
    public ReadOnlyMemory<float> Features => FeatureArray;

    /// <summary>The targets, <c>[N, outputs]</c>, row-major.</summary>
    public ReadOnlyMemory<float> Targets => TargetArray;

    /// <summary>
    /// What was taken off the targets in float64 before they became float32, so that what tells them apart is still there; 0 = nothing.
    /// </summary>
    internal double TargetOffset { get; }

    /// <summary>The rows' weights; null when all count the same.</summary>
    public ReadOnlyMemory<float>? Weights => WeightArray is { } weights ? new ReadOnlyMemory<float>(weights) : null;

    /// <summary>What <see cref="Features"/> shows.</summary>
    internal float[] FeatureArray => FeatureRows.ToArray();

    /// <summary>The rows as they lie in memory.</summary>
    internal FeatureRows FeatureRows { get; }

    /// <summary>What <see cref="Targets"/> shows.</summary>
    internal float[] TargetArray { get; }

    /// <summary>What <see cref="Weights"/> shows.</summary>
    internal float[]? WeightArray { get; }

    /// <summary>The features of one row.</summary>
    /// <param name="index">The row, from 0.</param>
    public ReadOnlySpan<float> Row(int index) => FeatureRows.Read(index, new float[FeatureRows.Width]);

    /// <summary>The targets of one row.</summary>
    /// <param name="index">The row, from 0.</param>
    public ReadOnlySpan<float> Target(int index) => TargetArray.AsSpan(index * Outputs, Outputs);

    /// <summary>Says that the targets and the weight of a row will be read soon.</summary>
    internal void ExpectTarget(int index)
    {
        Prefetch.LineOf(in TargetArray[index * Outputs]);
        if (WeightArray is not null) Prefetch.LineOf(in WeightArray[index]);
    }

    /// <summary>The first rows; all of them, where there are no more.</summary>
    /// <param name="count">How many; from 1.</param>
    public TrainingData First(int count) => Select([.. Enumerable.Range(0, Math.Min(Count, count))]);

    /// <summary>Some of the rows. Their features are not copied.</summary>
    /// <param name="rows">Their numbers, from 0, in the order wanted; at least one.</param>
    public TrainingData Select(ReadOnlySpan<int> rows)
    {
        int[] order = [.. rows];
        return Take(order, order.Length);
    }

    /// <summary>The same without a copy of the numbers: they are taken over, and nobody may look at them again.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="count">How many of these, from the first on.</param>
    internal TrainingData Take(int[] rows, int count)
    {
        var targets = new float[count * Outputs];
        var weights = WeightArray is null ? null : new float[count];
        for (var i = 0; i < count; i++)
        {
            Target(rows[i]).CopyTo(targets.AsSpan(i * Outputs));
            if (weights is not null) weights[i] = WeightArray![rows[i]];
        }

        return new TrainingData(this, Shape, FeatureRows.Take(rows, count), targets, weights, TargetOffset);
    }

    /// <summary>The same rows with other features.</summary>
    internal TrainingData With(FeatureRows features) => new(this, Shape, features, TargetArray, WeightArray, TargetOffset);

    /// <summary>The same rows with some of their features only.</summary>
    internal TrainingData With(FeatureRows features, SampleShape shape) =>
        new(this, shape, features, TargetArray, WeightArray, TargetOffset);

    /// <summary>The same rows with other targets, from which an offset was taken off.</summary>
    internal TrainingData With(float[] targets, double offset) => new(this, Shape, FeatureRows, targets, WeightArray, offset);

    /// <summary>The same rows with their targets counted from another offset.</summary>
    internal TrainingData CountedFrom(double offset) => offset == TargetOffset
        ? this
        : With(Array.ConvertAll(TargetArray, target => (float)(target + (TargetOffset - offset))), offset);

    private static FeatureRows Whole(SampleShape shape, int outputs, float[] features, float[] targets)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outputs);
        if (targets.Length == 0) throw new ArgumentException("There are no rows to learn from.", nameof(targets));
        if (targets.Length % outputs != 0)
            throw new ArgumentException($"{targets.Length} targets do not make whole rows of {outputs}.", nameof(targets));
        var count = targets.Length / outputs;
        return features.Length == count * shape.Count
            ? FeatureRows.Of(features, (int)shape.Count)
            : throw new ArgumentException(
                $"{count} rows of shape {shape} need {count * shape.Count} features, but {features.Length} were given.", nameof(features));
    }

    private static void RequireFinite(int row, float value, int place, string what, string parameter)
    {
        if (!float.IsFinite(value))
            throw new ArgumentException(
                $"Row {row} has {value} as {what} {place}; every {what} must be a finite number. Replace missing values first.", parameter);
    }

    private static void RequireWeights(float[] weights)
    {
        var sum = 0.0;
        for (var row = 0; row < weights.Length; row++)
        {
            if (!(float.IsFinite(weights[row]) && weights[row] >= 0))
                throw new ArgumentException(
                    $"Row {row} has the weight {weights[row]}; a weight is a finite number from 0.", nameof(weights));
            sum += weights[row];
        }

        if (sum == 0) throw new ArgumentException("Every row has the weight 0, so there is nothing to learn from.", nameof(weights));
    }
}
