using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.Transforms;

/// <summary>Reads a key, or a vector of keys, whatever its number type.</summary>
internal static class KeyReader
{
    public static Func<ulong[]> Create(DataViewRow row, DataViewSchema.Column column)
        => column.Type.ItemType().RawType.For<Func<ulong[]>>(Create<int>, row, column);

    private static Func<ulong[]> Create<T>(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is VectorDataViewType)
        {
            var vectorGetter = row.GetGetter<VBuffer<T>>(column);
            VBuffer<T> vector = default;
            return () =>
            {
                vectorGetter(ref vector);
                return vector.DenseValues().Select(v => Convert.ToUInt64(v, CultureInfo.InvariantCulture)).ToArray();
            };
        }
        var keys = new ulong[1];
        if (typeof(T) == typeof(uint))
        {
            // The usual case, without boxing.
            var uintGetter = row.GetGetter<uint>(column);
            uint key = 0;
            return () =>
            {
                uintGetter(ref key);
                keys[0] = key;
                return keys;
            };
        }
        var getter = row.GetGetter<T>(column);
        T value = default;
        return () =>
        {
            getter(ref value);
            keys[0] = Convert.ToUInt64(value, CultureInfo.InvariantCulture);
            return keys;
        };
    }
}
