using System.Collections;

namespace Microsoft.ML.Data;

/// <summary>A vector that is either dense, or sparse with sorted indices of its explicit values.</summary>
public readonly struct VBuffer<T> : IEnumerable
{
    private readonly T[] _values;
    private readonly int[] _indices;
    private readonly int _count;
    public readonly int Length;

    public VBuffer(int length, T[] values, int[] indices = null) : this(length, length, values, indices) { }

    public VBuffer(int length, int count, T[] values, int[] indices)
    {
        if (count < 0 || count > length || (values?.Length ?? 0) < count || (count < length && (indices?.Length ?? 0) < count))
            throw new ArgumentException($"A vector of length {length} needs as many values, or fewer with an index each, not {count}.", nameof(count));
        (Length, _count, _values, _indices) = (length, count, values, indices);
    }

    public bool IsDense => _count == Length;
    public ReadOnlySpan<T> GetValues() => _values.AsSpan(0, _count);
    public ReadOnlySpan<int> GetIndices() => IsDense ? default : _indices.AsSpan(0, _count);

    public void CopyToDense(ref VBuffer<T> destination)
    {
        var editor = VBufferEditor.Create(ref destination, Length);
        CopyTo(editor.Values);
        destination = editor.Commit();
    }

    public void CopyTo(ref VBuffer<T> destination) => CopyTo(ref destination, 0, Length);

    public void CopyTo(ref VBuffer<T> destination, int sourceIndex, int length)
    {
        if (sourceIndex < 0 || length < 0 || sourceIndex > Length - length)
            throw new ArgumentException($"The range from {sourceIndex}, {length} long, is not within the length {Length}.", nameof(length));
        var from = IsDense ? sourceIndex : LowerBound(sourceIndex);
        var count = IsDense ? length : LowerBound(sourceIndex + length) - from;
        var editor = VBufferEditor.Create(ref destination, length, count);
        _values.AsSpan(from, count).CopyTo(editor.Values);
        for (var i = 0; i < editor.Indices.Length; i++)
            editor.Indices[i] = _indices[from + i] - sourceIndex;
        destination = editor.Commit();
    }

    public void CopyTo(Span<T> destination) => CopyTo(destination, 0);

    public void CopyTo(Span<T> destination, int destinationIndex, T defaultValue = default)
    {
        var target = destination.Slice(destinationIndex, Length);
        if (IsDense)
        {
            GetValues().CopyTo(target);
            return;
        }
        target.Fill(defaultValue);
        for (var i = 0; i < _count; i++)
            target[_indices[i]] = _values[i];
    }

    public IEnumerable<KeyValuePair<int, T>> Items(bool all = false)
    {
        if (all || IsDense)
            return DenseValues().Select((value, i) => KeyValuePair.Create(i, value));
        return _indices.Take(_count).Zip(_values, KeyValuePair.Create);
    }

    public IEnumerable<T> DenseValues()
    {
        var dense = new T[Length];
        CopyTo(dense);
        return dense;
    }

    public void GetItemOrDefault(int index, ref T destination) => destination = GetItemOrDefault(index);

    public T GetItemOrDefault(int index)
    {
        var position = IsDense ? index : LowerBound(index);
        return IsDense || (position < _count && _indices[position] == index) ? _values[position] : default;
    }

    public IEnumerator GetEnumerator() => DenseValues().GetEnumerator();
    public override string ToString()
        => IsDense ? $"Dense vector of size {Length}" : $"Sparse vector of size {Length}, {_count} explicit values";

    internal VBufferEditor<T> Edit(int length, int valuesCount, bool keepOld, bool indicesOnDense)
    {
        var (values, indices) = (_values, _indices);
        var newValues = Grow(ref values, valuesCount, keepOld);
        var newIndices = (valuesCount < length || indicesOnDense) && Grow(ref indices, valuesCount, keepOld);
        return new VBufferEditor<T>(length, valuesCount, values, indices, indicesOnDense, newValues, newIndices);
    }

    private static bool Grow<TItem>(ref TItem[] array, int size, bool keepOld)
    {
        if ((array?.Length ?? 0) >= size)
            return false;
        if (keepOld)
            Array.Resize(ref array, size);
        else
            array = new TItem[size];
        return true;
    }

    private int LowerBound(int index)
    {
        var position = _count == 0 ? 0 : Array.BinarySearch(_indices, 0, _count, index);
        return position < 0 ? ~position : position;
    }
}

/// <summary>Writes a vector into the memory of another, where that is large enough.</summary>
public static class VBufferEditor
{
    public static VBufferEditor<T> CreateFromBuffer<T>(scoped ref VBuffer<T> destination)
        => destination.Edit(destination.Length, destination.GetValues().Length, false, false);

    public static VBufferEditor<T> Create<T>(scoped ref VBuffer<T> destination, int newLogicalLength, int? valuesCount = null,
        int? maxValuesCapacity = null, bool keepOldOnResize = false, bool requireIndicesOnDense = false)
        => destination.Edit(newLogicalLength, valuesCount ?? newLogicalLength, keepOldOnResize, requireIndicesOnDense);
}

public readonly ref struct VBufferEditor<T>
{
    private readonly int _length;
    private readonly T[] _values;
    private readonly int[] _indices;
    public readonly Span<T> Values;
    public readonly Span<int> Indices;

    internal VBufferEditor(int length, int count, T[] values, int[] indices, bool indicesOnDense, bool newValues, bool newIndices)
    {
        (_length, _values, _indices, CreatedNewValues, CreatedNewIndices) = (length, values, indices, newValues, newIndices);
        Values = values.AsSpan(0, count);
        Indices = count < length || indicesOnDense ? indices.AsSpan(0, count) : default;
    }

    public bool CreatedNewValues { get; }
    public bool CreatedNewIndices { get; }
    public VBuffer<T> Commit() => new(_length, Values.Length, _values, _indices);
    public VBuffer<T> CommitTruncated(int physicalValuesCount) => new(_length, physicalValuesCount, _values, _indices);
}
