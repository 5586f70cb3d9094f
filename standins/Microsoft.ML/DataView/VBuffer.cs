using System.Collections;

namespace Microsoft.ML.Data;

/// <summary>A vector that is either dense, or sparse with sorted indices of its explicit values.</summary>
public readonly struct VBuffer<T> : IEnumerable
{
    internal readonly T[] Memory;
    internal readonly int[] Positions;
    private readonly int _count;
    public readonly int Length;
    public VBuffer(int length, T[] values, int[] indices = null) : this(length, length, values, indices) { }

    public VBuffer(int length, int count, T[] values, int[] indices)
    {
        if (count < 0 || count > length || (values?.Length ?? 0) < count || (count < length && (indices?.Length ?? 0) < count))
            throw new ArgumentException($"A vector of length {length} needs as many values, or fewer with an index each, not {count}.", nameof(count));
        (Length, _count, Memory, Positions) = (length, count, values, indices);
    }

    public bool IsDense => _count == Length;
    public ReadOnlySpan<T> GetValues() => Memory.AsSpan(0, _count);
    public ReadOnlySpan<int> GetIndices() => IsDense ? default : Positions.AsSpan(0, _count);
    public void CopyTo(Span<T> destination) => CopyTo(destination, 0);
    public IEnumerator GetEnumerator() => DenseValues().GetEnumerator();
    public override string ToString() => IsDense ? $"Dense vector of size {Length}" : $"Sparse vector of size {Length}, {_count} explicit values";

    public void CopyToDense(ref VBuffer<T> destination)
    {
        var editor = VBufferEditor.Create(ref destination, Length);
        CopyTo(editor.Values);
        destination = editor.Commit();
    }

    public void CopyTo(ref VBuffer<T> destination)
    {
        var editor = VBufferEditor.Create(ref destination, Length, _count);
        GetValues().CopyTo(editor.Values);
        GetIndices().CopyTo(editor.Indices);
        destination = editor.Commit();
    }

    public void CopyTo(Span<T> destination, int destinationIndex, T defaultValue = default)
    {
        var target = destination.Slice(destinationIndex, Length);
        if (!IsDense)
            target.Fill(defaultValue);
        for (var i = 0; i < _count; i++)
            target[IsDense ? i : Positions[i]] = Memory[i];
    }

    public IEnumerable<KeyValuePair<int, T>> Items(bool all = false)
        => all || IsDense ? DenseValues().Select((v, i) => KeyValuePair.Create(i, v)) : Positions.Take(_count).Zip(Memory, KeyValuePair.Create);

    public IEnumerable<T> DenseValues()
    {
        var dense = new T[Length];
        CopyTo(dense);
        return dense;
    }

    public T GetItemOrDefault(int index)
    {
        var position = IsDense ? index : Array.BinarySearch(Positions ?? [], 0, _count, index);
        return position >= 0 ? Memory[position] : default;
    }
}

/// <summary>Writes a vector into the memory of another, where that is large enough.</summary>
public static class VBufferEditor
{
    public static VBufferEditor<T> Create<T>(scoped ref VBuffer<T> destination, int newLogicalLength, int? valuesCount = null,
        int? maxValuesCapacity = null, bool keepOldOnResize = false, bool requireIndicesOnDense = false)
        => new(destination, newLogicalLength, valuesCount ?? newLogicalLength, keepOldOnResize, requireIndicesOnDense);
}

public readonly ref struct VBufferEditor<T>
{
    private readonly int _length;
    private readonly T[] _values;
    private readonly int[] _indices;
    public readonly Span<T> Values;
    public readonly Span<int> Indices;

    internal VBufferEditor(VBuffer<T> old, int length, int count, bool keepOld, bool indicesOnDense)
    {
        var hasIndices = count < length || indicesOnDense;
        (CreatedNewValues, CreatedNewIndices) = ((old.Memory?.Length ?? 0) < count, hasIndices && (old.Positions?.Length ?? 0) < count);
        (_length, _values, _indices) = (length, old.Memory, old.Positions);
        if (CreatedNewValues && keepOld)
            Array.Resize(ref _values, count);
        _values = CreatedNewValues && !keepOld ? new T[count] : _values;
        if (CreatedNewIndices)
            Array.Resize(ref _indices, count);
        Values = _values.AsSpan(0, count);
        Indices = hasIndices ? _indices.AsSpan(0, count) : default;
    }

    public bool CreatedNewValues { get; }
    public bool CreatedNewIndices { get; }
    public VBuffer<T> Commit() => new(_length, Values.Length, _values, _indices);
    public VBuffer<T> CommitTruncated(int physicalValuesCount) => new(_length, physicalValuesCount, _values, _indices);
}
