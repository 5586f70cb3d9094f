namespace Microsoft.ML.Rows;

/// <summary>Scalars and vectors alike, as arrays: of one value for a scalar, of all slots for a vector.</summary>
internal static class Values
{
    /// <summary>Reads the column of the current row. The array is reused.</summary>
    public static Func<T[]> Reader<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var values = new T[1];
        if (column.Type is not VectorDataViewType)
        {
            var getter = row.GetGetter<T>(column);
            return () => { getter(ref values[0]); return values; };
        }
        var vectorGetter = row.GetGetter<VBuffer<T>>(column);
        VBuffer<T> vector = default;
        return () =>
        {
            vectorGetter(ref vector);
            if (values.Length != vector.Length)
                values = new T[vector.Length];
            vector.CopyTo(values);
            return values;
        };
    }

    /// <summary>The values of all rows. The array is reused.</summary>
    public static IEnumerable<T[]> Read<T>(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        for (var read = Reader<T>(cursor, column); cursor.MoveNext();)
            yield return read();
    }

    public static Delegate Getter<T>(bool isVector, Func<T[]> read) => isVector
        ? (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => Write(read(), ref value))
        : (ValueGetter<T>)((ref T value) => value = read()[0]);

    /// <summary>A getter of the column's values, each mapped by itself; the map gets its slot, too.</summary>
    public static Delegate Mapped<TSource, T>(DataViewRow row, DataViewSchema.Column column, Func<TSource, int, T> map)
    {
        var read = Reader<TSource>(row, column);
        return Getter(column.Type is VectorDataViewType, () => read().Select(map).ToArray());
    }

    public static bool IsMissing<T>(T value) => value switch
    {
        float number => float.IsNaN(number),
        double number => double.IsNaN(number),
        ReadOnlyMemory<char> text => text.IsEmpty,
        _ => false,
    };

    public static VBuffer<T> ToVector<T>(T[] values)
    {
        VBuffer<T> vector = default;
        Write(values, ref vector);
        return vector;
    }

    // Sparse where no more than half of it differs from zero: users' code must be ready for both.
    private static void Write<T>(T[] values, ref VBuffer<T> destination)
    {
        var zeros = EqualityComparer<T>.Default;
        var count = typeof(T) == typeof(float) ? values.Length - values.AsSpan().Count(default(T), zeros) : values.Length;
        var editor = VBufferEditor.Create(ref destination, values.Length, count <= values.Length / 2 ? count : values.Length);
        if (editor.Indices.IsEmpty)
            values.AsSpan(0, editor.Values.Length).CopyTo(editor.Values);
        for (int i = 0, next = 0; next < editor.Indices.Length; i++)
        {
            if (!zeros.Equals(values[i], default))
                (editor.Values[next], editor.Indices[next++]) = (values[i], i);
        }
        destination = editor.Commit();
    }
}
