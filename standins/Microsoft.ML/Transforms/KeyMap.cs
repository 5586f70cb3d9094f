using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Transforms;

/// <summary>The values of a column, numbered from 1 on; what is not among them, or is missing, is 0.</summary>
internal abstract class KeyMap
{
    public abstract int Count { get; }

    public KeyDataViewType KeyType => new(typeof(uint), Count == 0 ? int.MaxValue : Count);

    public abstract PrimitiveDataViewType ItemType { get; }

    public static KeyMap Train(IDataView data, DataViewSchema.Column column, ValueToKeyMappingEstimator.KeyOrdinality ordinality, int maximum, bool asText)
    {
        using var cursor = data.GetRowCursor([column]);
        return column.Type.ItemType().RawType.For<KeyMap>(Train<int>, cursor, column, ordinality, maximum, asText);
    }

    public static KeyMap Read(BinaryReader reader)
    {
        var item = (PrimitiveDataViewType)reader.ReadType();
        return item.RawType.For<KeyMap>(Read<int>, reader, item);
    }

    public abstract void Write(BinaryWriter writer);

    public abstract Delegate Getter(DataViewRow row, DataViewSchema.Column column);

    public abstract void AddKeyValues(DataViewSchema.Annotations.Builder builder);

    private static KeyMap<T> Train<T>(DataViewRowCursor cursor, DataViewSchema.Column column, ValueToKeyMappingEstimator.KeyOrdinality ordinality,
        int maximum, bool asText)
    {
        var values = new List<T>();
        var seen = new HashSet<T>(KeyMap<T>.Comparer);
        var isMissing = KeyMap<T>.Missing(column.Type.ItemType());
        foreach (var value in ColumnValues.Read<T>(cursor, column))
        {
            if (values.Count < maximum && !isMissing(value) && seen.Add(value))
                values.Add(value);
        }
        if (ordinality == ValueToKeyMappingEstimator.KeyOrdinality.ByValue)
            values.Sort(KeyMap<T>.Comparer as IComparer<T> ?? Comparer<T>.Default);
        return new KeyMap<T>((PrimitiveDataViewType)column.Type.ItemType(), [.. values], asText);
    }

    private static KeyMap<T> Read<T>(BinaryReader reader, PrimitiveDataViewType item)
        => new(item, reader.ReadArray(r => r.ReadItem<T>()), reader.ReadBoolean());
}

internal sealed class KeyMap<T> : KeyMap
{
    private readonly PrimitiveDataViewType _item;
    private readonly T[] _values;
    private readonly bool _asText;
    private readonly Dictionary<T, uint> _keys;

    public KeyMap(PrimitiveDataViewType item, T[] values, bool asText)
    {
        _item = item;
        _values = values;
        _asText = asText;
        _keys = new Dictionary<T, uint>(Comparer);
        for (var i = 0; i < values.Length; i++)
            _keys.Add(values[i], (uint)i + 1);
    }

    // The memory of two equal texts is not the same memory.
    public static IEqualityComparer<T> Comparer { get; }
        = typeof(T) == typeof(ReadOnlyMemory<char>) ? (IEqualityComparer<T>)(object)new TextComparer() : EqualityComparer<T>.Default;

    public override int Count => _values.Length;

    public override PrimitiveDataViewType ItemType => _item;

    public static Func<T, bool> Missing(DataViewType item) => item is TextDataViewType
        ? (Func<T, bool>)(object)(Func<ReadOnlyMemory<char>, bool>)(text => text.IsEmpty)
        : MissingValues.Test<T>(item);

    public override void Write(BinaryWriter writer)
    {
        writer.WriteType(_item);
        writer.WriteArray(_values, (w, v) => w.WriteItem(v));
        writer.Write(_asText);
    }

    public override void AddKeyValues(DataViewSchema.Annotations.Builder builder)
    {
        if (_asText && _item is not TextDataViewType)
            Add(builder, TextDataViewType.Instance, _values.Select(v => TextOf(v).AsMemory()).ToArray());
        else
            Add(builder, _item, _values);
    }

    public override Delegate Getter(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is not VectorDataViewType)
        {
            var getter = row.GetGetter<T>(column);
            T value = default;
            return (ValueGetter<uint>)((ref uint key) =>
            {
                getter(ref value);
                key = _keys.GetValueOrDefault(value);
            });
        }
        var vectorGetter = row.GetGetter<VBuffer<T>>(column);
        VBuffer<T> vector = default;
        return (ValueGetter<VBuffer<uint>>)((ref VBuffer<uint> keys) =>
        {
            vectorGetter(ref vector);
            var dense = vector.DenseValues().Select(v => _keys.GetValueOrDefault(v)).ToArray();
            VBuffer<uint>.Copy(dense, 0, ref keys, dense.Length);
        });
    }

    private static void Add<TValue>(DataViewSchema.Annotations.Builder builder, PrimitiveDataViewType type, TValue[] values)
        => builder.Add(SchemaExtensions.KeyValues, new VectorDataViewType(type, values.Length),
            (ref VBuffer<TValue> destination) => VBuffer<TValue>.Copy(values, 0, ref destination, values.Length));

    private static string TextOf(T value) => value is bool flag ? (flag ? "1" : "0") : Convert.ToString(value, CultureInfo.InvariantCulture);
}

internal sealed class TextComparer : IEqualityComparer<ReadOnlyMemory<char>>, IComparer<ReadOnlyMemory<char>>
{
    public bool Equals(ReadOnlyMemory<char> x, ReadOnlyMemory<char> y) => x.Span.SequenceEqual(y.Span);

    public int GetHashCode(ReadOnlyMemory<char> text) => string.GetHashCode(text.Span);

    public int Compare(ReadOnlyMemory<char> x, ReadOnlyMemory<char> y) => x.Span.SequenceCompareTo(y.Span);
}
