using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Transforms.Rows;

namespace MlNetBatchNorm.Transforms.Training;

/// <summary>The rows of a view that could not be learned from.</summary>
/// <param name="Count">How many were left out.</param>
/// <param name="Total">Of how many.</param>
/// <param name="FirstReason">What was wrong with the first one; empty when there is none.</param>
internal readonly record struct LeftOutRows(long Count, long Total, string FirstReason);

/// <summary>Reads the columns that a network learns from into memory, with one pass of a cursor.</summary>
internal sealed class TrainingRowReader
{
    private readonly IDataView _data;
    private readonly DataViewSchema.Column _features;
    private readonly DataViewSchema.Column? _weight;
    private readonly SampleShape? _shape;
    private readonly UnusableRows _unusable;
    private readonly long? _memory;

    /// <param name="data">The rows.</param>
    /// <param name="label">The label column.</param>
    /// <param name="features">The column of the features.</param>
    /// <param name="weight">The column of the rows' weights, or null.</param>
    /// <param name="shape">The shape that the features are taken in; null = a plain vector.</param>
    /// <param name="unusable">What becomes of rows that cannot be used.</param>
    /// <param name="memory">How much memory they may take, in bytes; null = half of what is free.</param>
    public TrainingRowReader(
        IDataView data,
        string label,
        string features,
        string? weight,
        SampleShape? shape,
        UnusableRows unusable,
        long? memory = null)
    {
        _data = data;
        _memory = memory;
        _shape = shape;
        _unusable = unusable;
        Label = Columns.Require(data.Schema, label, "label");
        _features = Columns.RequireFeatures(data.Schema, features);
        if (shape is { } wanted) Columns.RequireShape(_features, wanted);
        _weight = weight is null ? null : Columns.Require(data.Schema, weight, "weight");
        if (_weight is { } column && column.Type != NumberDataViewType.Single)
            throw new ArgumentException($"The weight column '{column.Name}' has the type {column.Type}; Single was expected.");
    }

    /// <summary>Writes the targets of one row, all of which are 0 before.</summary>
    /// <param name="label">The label.</param>
    /// <param name="target">The targets.</param>
    /// <returns>What is wrong with the label, or null.</returns>
    public delegate string? SetTarget<in T>(T label, Span<float> target);

    /// <summary>The label column.</summary>
    public DataViewSchema.Column Label { get; }

    /// <summary>What rows that were read have lost of their digits before; see <see cref="Training.LostDigits"/>.</summary>
    public IEnumerable<string> LostDigits(TrainingData rows) => Training.LostDigits.Find(_data, _features, Label, rows);

    /// <summary>What the last <see cref="Read"/> left out.</summary>
    public LeftOutRows LeftOut { get; private set; }

    /// <summary>Reads all rows. Vectors that only hold what is not zero stay so.</summary>
    /// <typeparam name="TLabel">The raw type of the label column.</typeparam>
    /// <param name="outputs">The targets of a row.</param>
    /// <param name="setTarget">Makes them from the label.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="InsufficientMemoryException">The rows need more memory than there is.</exception>
    public TrainingData Read<TLabel>(int outputs, SetTarget<TLabel> setTarget, CancellationToken cancellationToken)
    {
        DataViewSchema.Column[] needed = _weight is { } column ? [Label, _features, column] : [Label, _features];
        using var cursor = _data.GetRowCursor(needed);
        var getLabel = cursor.GetGetter<TLabel>(Label);
        var getFeatures = cursor.GetGetter<VBuffer<float>>(_features);
        var getWeight = _weight is { } weightColumn ? cursor.GetGetter<float>(weightColumn) : null;

        var known = _data.GetRowCount();
        var width = Columns.SizeOf(_features);
        FeatureRows.Builder? features = null;
        var targets = new List<float>();
        var weights = getWeight is null ? null : new List<float>();
        VBuffer<float> vector = default;
        TLabel label = default!;
        float weight = 1;
        var target = new float[outputs];
        LeftOut = default;
        while (cursor.MoveNext())
        {
            cancellationToken.ThrowIfCancellationRequested();
            getFeatures(ref vector);
            if (width == 0) width = (int?)_shape?.Count ?? vector.Length;
            if (vector.Length != width || width == 0)
                throw new InvalidDataException(
                    $"Row {cursor.Position} has {vector.Length} values in the column '{_features.Name}', but {width} were expected; "
                    + "every row needs the same number of features.");
            getLabel(ref label);
            getWeight?.Invoke(ref weight);
            Array.Clear(target);
            if ((ProblemWith(vector) ?? ProblemWith(weight) ?? ProblemWith(setTarget(label, target))) is { } problem)
            {
                LeaveOut($"Row {cursor.Position} has {problem}");
                continue;
            }

            features ??= new FeatureRows.Builder(width, known, budget: _memory);
            features.Add(vector.GetValues(), vector.GetIndices(), vector.IsDense);
            if (targets.Count > Array.MaxLength - outputs)
                throw new InsufficientMemoryException(
                    $"{targets.Count / outputs:N0} rows with {outputs:N0} targets each are more than one array can hold; "
                    + "join rare classes, or take fewer rows.");
            targets.AddRange(target);
            weights?.Add(weight);
        }

        var used = targets.Count / outputs;
        if (features is null) throw new InvalidDataException(NothingLeft());
        LeftOut = LeftOut with { Total = LeftOut.Count + used };
        return new TrainingData(
            _shape ?? new SampleShape(width), outputs, features.Build(), [.. targets], weights is null ? null : [.. weights]);
    }

    private void LeaveOut(string reason)
    {
        if (_unusable == UnusableRows.Fail) throw new InvalidDataException(reason);
        LeftOut = new LeftOutRows(LeftOut.Count + 1, 0, LeftOut.Count == 0 ? reason : LeftOut.FirstReason);
    }

    private string NothingLeft() => LeftOut.Count == 0
        ? $"There are no rows to learn from (columns '{Label.Name}' and '{_features.Name}')."
        : $"There are no rows to learn from: all {LeftOut.Count} were left out. The first: {LeftOut.FirstReason}";

    private string? ProblemWith(string? label) => label is null ? null : $"{label} in the label column '{Label.Name}'.";

    private string? ProblemWith(float weight) => float.IsFinite(weight) && weight >= 0
        ? null
        : $"{weight} in the weight column '{_weight!.Value.Name}'; a weight is a finite number from 0.";

    private string? ProblemWith(in VBuffer<float> row)
    {
        var values = row.GetValues();
        var slots = row.GetIndices();
        for (var i = 0; i < values.Length; i++)
        {
            if (float.IsFinite(values[i])) continue;
            var slot = row.IsDense ? i : slots[i];
            var name = Columns.SlotName(_features, slot);
            return $"{values[i]} in the column '{_features.Name}', slot {slot}{(name is null ? string.Empty : $" ('{name}')")}; "
                + "features must be finite numbers. Put ReplaceMissingValues in front of the trainer.";
        }

        return null;
    }
}
