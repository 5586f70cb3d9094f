using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>Reads the columns that a network learns from into memory, with one pass of a cursor.</summary>
internal sealed class TrainingRowReader
{
    private readonly IDataView _data;
    private readonly DataViewSchema.Column _features;
    private readonly DataViewSchema.Column? _weight;
    private readonly SampleShape? _shape;

    /// <param name="data">The rows.</param>
    /// <param name="label">The label column.</param>
    /// <param name="features">The column of the features.</param>
    /// <param name="weight">The column of the rows' weights, or null.</param>
    /// <param name="shape">The shape that the features are taken in; null = a plain vector.</param>
    public TrainingRowReader(IDataView data, string label, string features, string? weight, SampleShape? shape)
    {
        _data = data;
        _shape = shape;
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

    /// <summary>Reads all rows.</summary>
    /// <typeparam name="TLabel">The raw type of the label column.</typeparam>
    /// <param name="outputs">The targets of a row.</param>
    /// <param name="setTarget">Makes them from the label.</param>
    /// <param name="cancellation">Stops the reading.</param>
    public LabeledRows Read<TLabel>(int outputs, SetTarget<TLabel> setTarget, CancellationToken cancellation)
    {
        DataViewSchema.Column[] needed = _weight is { } column ? [Label, _features, column] : [Label, _features];
        using var cursor = _data.GetRowCursor(needed);
        var getLabel = cursor.GetGetter<TLabel>(Label);
        var getFeatures = cursor.GetGetter<VBuffer<float>>(_features);
        var getWeight = _weight is { } weightColumn ? cursor.GetGetter<float>(weightColumn) : null;

        var capacity = (int)Math.Min(_data.GetRowCount() ?? 1024, 1 << 20);
        var width = Columns.SizeOf(_features);
        var features = new List<float>(capacity * Math.Max(width, 1));
        var targets = new List<float>(capacity * outputs);
        var weights = getWeight is null ? null : new List<float>(capacity);
        VBuffer<float> vector = default;
        TLabel label = default!;
        var target = new float[outputs];
        float[] row = [];
        while (cursor.MoveNext())
        {
            cancellation.ThrowIfCancellationRequested();
            getFeatures(ref vector);
            if (width == 0) width = (int?)_shape?.Count ?? vector.Length;
            if (vector.Length != width || width == 0)
                throw new InvalidDataException(
                    $"Row {cursor.Position} has {vector.Length} values in the column '{_features.Name}', but {width} were expected; every row needs the same number of features.");
            if (row.Length != width) row = new float[width];
            vector.CopyTo(row);
            RequireFinite(row, cursor.Position);
            features.AddRange(row);
            getLabel(ref label);
            Array.Clear(target);
            if (setTarget(label, target) is { } problem)
                throw new InvalidDataException($"Row {cursor.Position} has {problem} in the label column '{Label.Name}'.");
            targets.AddRange(target);
            if (weights is not null) weights.Add(ReadWeight(getWeight!, cursor.Position));
        }

        if (targets.Count == 0) throw new InvalidDataException($"There are no rows to learn from (columns '{Label.Name}' and '{_features.Name}').");
        return new LabeledRows(_shape ?? new SampleShape(width), outputs, [.. features], [.. targets], weights is null ? null : [.. weights]);
    }

    private float ReadWeight(ValueGetter<float> getWeight, long position)
    {
        float weight = 0;
        getWeight(ref weight);
        return float.IsFinite(weight) && weight >= 0
            ? weight
            : throw new InvalidDataException($"Row {position} has {weight} in the weight column '{_weight!.Value.Name}'; a weight is a finite number from 0.");
    }

    private void RequireFinite(float[] row, long position)
    {
        for (var slot = 0; slot < row.Length; slot++)
        {
            if (float.IsFinite(row[slot])) continue;
            var name = Columns.SlotName(_features, slot);
            throw new InvalidDataException(
                $"Row {position} has {row[slot]} in the column '{_features.Name}', slot {slot}{(name is null ? string.Empty : $" ('{name}')")}; " +
                "features must be finite numbers. Put ReplaceMissingValues in front of the trainer.");
        }
    }
}
