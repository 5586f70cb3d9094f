using Microsoft.ML.Data;

namespace Microsoft.ML.Rows;

internal static class ColumnValues
{
    /// <summary>The values of a column one after another; of a vector, its slots.</summary>
    public static IEnumerable<T> Read<T>(DataViewRowCursor cursor, DataViewSchema.Column column)
        => ReadRows<T>(cursor, column).SelectMany(values => values);

    /// <summary>The values of a column, an array per row. The array is reused.</summary>
    public static IEnumerable<T[]> ReadRows<T>(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        var values = new T[1];
        if (column.Type is VectorDataViewType)
        {
            var getter = cursor.GetGetter<VBuffer<T>>(column);
            VBuffer<T> vector = default;
            while (cursor.MoveNext())
            {
                getter(ref vector);
                if (values.Length != vector.Length)
                    values = new T[vector.Length];
                vector.CopyTo(values);
                yield return values;
            }
        }
        else
        {
            var getter = cursor.GetGetter<T>(column);
            while (cursor.MoveNext())
            {
                getter(ref values[0]);
                yield return values;
            }
        }
    }
}
