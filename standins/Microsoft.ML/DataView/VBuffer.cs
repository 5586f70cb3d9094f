using System.Collections;

namespace Microsoft.ML.Data;

/// <summary>A vector that is either dense, or sparse with sorted indices of its explicit values.</summary>
public readonly struct VBuffer<T> : IEnumerable
{
    private readonly T[] _values;
    private readonly int[] _indices;
    private readonly int _count;

    public readonly int Length;

    public VBuffer(int length, T[] values, int[] indices = null) : this(length, length, values, indices)
    {
    }

    public VBuffer(int length, int count, T[] values, int[] indices)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (count < 0 || count > length)
            throw new ArgumentException($"The count must be between 0 and the length {length}, but is {count}.", nameof(count));
        if ((values?.Length ?? 0) < count)
            throw new ArgumentException($"There must be at least {count} values.", nameof(values));
        if (count < length && (indices?.Length ?? 0) < count)
            throw new ArgumentException($"There must be at least {count} indices.", nameof(indices));
        Length = length;
        _count = count;
        _values = values;
        _indices = indices;
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

    public static void Copy(T[] source, int sourceIndex, ref VBuffer<T> destination, int length)
    {
        var editor = VBufferEditor.Create(ref destination, length);
        source.AsSpan(sourceIndex, length).CopyTo(editor.Values);
        destination = editor.Commit();
    }

    public IEnumerable<KeyValuePair<int, T>> Items(bool all = false)
    {
        if (all)
            return DenseValues().Select((value, i) => KeyValuePair.Create(i, value));
        var (values, indices, count, dense) = (_values, _indices, _count, IsDense);
        return Enumerable.Range(0, count).Select(i => KeyValuePair.Create(dense ? i : indices[i], values[i]));
    }

    public IEnumerable<T> DenseValues()
    {
        if (IsDense)
            return _values is null ? [] : _values.Take(_count);
        var dense = new T[Length];
        CopyTo(dense);
        return dense;
    }

    public void GetItemOrDefault(int index, ref T destination) => destination = GetItemOrDefault(index);

    public T GetItemOrDefault(int index)
    {
        if (index < 0 || index >= Length)
            throw new ArgumentException($"The index must be between 0 and {Length - 1}, but is {index}.", nameof(index));
        if (IsDense)
            return _values[index];
        var position = LowerBound(index);
        return position < _count && _indices[position] == index ? _values[position] : default;
    }

    public IEnumerator GetEnumerator() => DenseValues().GetEnumerator();

    public override string ToString()
        => IsDense ? $"Dense vector of size {Length}" : $"Sparse vector of size {Length}, {_count} explicit values";

    internal VBufferEditor<T> Edit(int length, int valuesCount, int? maximumCapacity, bool keepOld, bool indicesOnDense)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length, "newLogicalLength");
        if (valuesCount < 0 || valuesCount > length)
            throw new ArgumentException($"The count must be between 0 and the length {length}, but is {valuesCount}.", nameof(valuesCount));
        var (values, indices) = (_values, _indices);
        var newValues = Grow(ref values, valuesCount, maximumCapacity, keepOld);
        var newIndices = (valuesCount < length || indicesOnDense) && Grow(ref indices, valuesCount, maximumCapacity, keepOld);
        return new VBufferEditor<T>(length, valuesCount, values, indices, indicesOnDense, newValues, newIndices);
    }

    internal VBufferEditor<T> Edit() => Edit(Length, _count, null, false, false);

    private static bool Grow<TItem>(ref TItem[] array, int size, int? maximum, bool keepOld)
    {
        if ((array?.Length ?? 0) >= size)
            return false;
        var capacity = array is null || !keepOld ? size : Math.Max(size, Math.Min(2 * array.Length, maximum ?? int.MaxValue));
        if (keepOld)
            Array.Resize(ref array, capacity);
        else
            array = new TItem[capacity];
        return true;
    }

    private int LowerBound(int index)
    {
        var position = _count == 0 ? 0 : Array.BinarySearch(_indices, 0, _count, index);
        return position < 0 ? ~position : position;
    }
}
