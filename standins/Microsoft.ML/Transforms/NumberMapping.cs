using Microsoft.ML.Data;

namespace Microsoft.ML.Transforms;

/// <summary>Maps each number of a real column, scalar or vector, by its slot.</summary>
internal static class NumberMapping
{
    public static Delegate Getter(DataViewRow row, DataViewSchema.Column column, Func<float, int, float> single, Func<double, int, double> real)
        => column.Type.ItemType() == NumberDataViewType.Single ? Getter(row, column, single) : Getter<double>(row, column, real);

    private static Delegate Getter<T>(DataViewRow row, DataViewSchema.Column column, Func<T, int, T> map)
    {
        if (column.Type is not VectorDataViewType)
        {
            var getter = row.GetGetter<T>(column);
            return (ValueGetter<T>)((ref T value) =>
            {
                getter(ref value);
                value = map(value, 0);
            });
        }
        var vectorGetter = row.GetGetter<VBuffer<T>>(column);
        VBuffer<T> source = default;
        // Explicit zeros are as good as implicit ones where the map leaves zero alone; otherwise the result is dense.
        return (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) =>
        {
            vectorGetter(ref source);
            var keepsZeros = !source.IsDense && Enumerable.Range(0, source.Length).All(i => EqualityComparer<T>.Default.Equals(map(default, i), default));
            if (keepsZeros)
                source.CopyTo(ref value);
            else
                source.CopyToDense(ref value);
            var editor = VBufferEditor.CreateFromBuffer(ref value);
            for (var i = 0; i < editor.Values.Length; i++)
                editor.Values[i] = map(editor.Values[i], keepsZeros ? editor.Indices[i] : i);
            value = editor.Commit();
        });
    }
}
