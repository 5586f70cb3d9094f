using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>Reads the columns that a network learns from into memory, with one pass of a cursor.</summary>
internal sealed class TrainingRowReader
{
    private readonly IDataView _data;
    private readonly DataViewSchema.Column _label;
    private readonly DataViewSchema.Column _features;
    private readonly DataViewSchema.Column? _weight;

    public TrainingRowReader(IDataView data, string label, string features, string? weight)
    {
        _data = data;
        _label = Columns.Require(data.Schema, label, "label");
        _features = Columns.RequireFeatures(data.Schema, features);
        _weight = weight is null ? null : Columns.Require(data.Schema, weight, "weight");
        if (_weight is { } column && column.Type != NumberDataViewType.Single)
            throw new ArgumentException($"The weight column '{column.Name}' has the type {column.Type}; Single was expected.");
    }

    /// <summary>Reads rows whose label is of type Boolean; its target is 1 for true.</summary>
    public LabeledRows ReadBinary(CancellationToken cancellation)
    {
        if (_label.Type is not BooleanDataViewType)
            throw new ArgumentException(
                $"The label column '{_label.Name}' has the type {_label.Type}; Boolean was expected. Map its two values to true and false first.");
        return Read<bool>(1, (value, target) => target[0] = value ? 1 : 0, cancellation);
    }

    private delegate void SetTarget<T>(T label, Span<float> target);

    private LabeledRows Read<TLabel>(int outputs, SetTarget<TLabel> setTarget, CancellationToken cancellation)
    {
        DataViewSchema.Column[] needed = _weight is { } column ? [_label, _features, column] : [_label, _features];
        using var cursor = _data.GetRowCursor(needed);
        var getLabel = cursor.GetGetter<TLabel>(_label);
        var getFeatures = cursor.GetGetter<VBuffer<float>>(_features);
        var getWeight = _weight is { } weightColumn ? cursor.GetGetter<float>(weightColumn) : null;

        var capacity = (int)Math.Min(_data.GetRowCount() ?? 1024, 1 << 20);
        var width = Columns.SizeOf(_features);
        var features = new List<float>(capacity * Math.Max(width, 1));
        var targets = new List<float>(capacity * outputs);
        var weights = getWeight is null ? null : new List<float>(capacity);
        VBuffer<float> vector = default;
        TLabel label = default!;
        Span<float> target = stackalloc float[outputs];
        float[] row = [];
        while (cursor.MoveNext())
        {
            cancellation.ThrowIfCancellationRequested();
            getFeatures(ref vector);
            if (width == 0) width = vector.Length;
            if (vector.Length != width || width == 0)
                throw new InvalidDataException(
                    $"Row {cursor.Position} has {vector.Length} values in the column '{_features.Name}', but {width} were expected; every row needs the same number of features.");
            if (row.Length != width) row = new float[width];
            vector.CopyTo(row);
            RequireFinite(row, cursor.Position);
            features.AddRange(row);
            getLabel(ref label);
            setTarget(label, target);
            targets.AddRange(target);
            if (weights is not null) weights.Add(ReadWeight(getWeight!, cursor.Position));
        }

        if (targets.Count == 0) throw new InvalidDataException($"There are no rows to learn from (columns '{_label.Name}' and '{_features.Name}').");
        return new LabeledRows(new SampleShape(width), outputs, [.. features], [.. targets], weights is null ? null : [.. weights]);
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
