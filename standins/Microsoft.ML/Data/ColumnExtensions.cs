namespace Microsoft.ML.Data;

public static class ColumnCursorExtensions
{
    public static IEnumerable<T> GetColumn<T>(this IDataView data, string columnName) => data.GetColumn<T>(data.Schema[columnName]);

    public static IEnumerable<T> GetColumn<T>(this IDataView data, DataViewSchema.Column column)
    {
        // A class with one member stands for the column, so that arrays and strings are read as everywhere else.
        var definition = SchemaDefinition.Create(typeof(OneColumn<T>));
        definition[0].ColumnName = column.Name;
        return new MLContext().Data.CreateEnumerable<OneColumn<T>>(data, false, false, definition).Select(row => row.Value);
    }

    private sealed class OneColumn<T> { public T Value { get; set; } }
}

public static class SchemaAnnotationsExtensions
{
    public static bool HasSlotNames(this DataViewSchema.Column column) => column.Type is VectorDataViewType { Size: > 0 } vector
        && column.Annotations.Schema.GetColumnOrNull(SchemaExtensions.SlotNames)?.Type is VectorDataViewType { ItemType: TextDataViewType } names
        && names.Size == vector.Size;
    public static void GetSlotNames(this DataViewSchema.Column column, ref VBuffer<ReadOnlyMemory<char>> slotNames)
        => column.Annotations.GetValue(SchemaExtensions.SlotNames, ref slotNames);
    public static bool HasKeyValues(this DataViewSchema.Column column, PrimitiveDataViewType keyValueItemType = null)
        => column.Annotations.Schema.GetColumnOrNull(SchemaExtensions.KeyValues)?.Type is VectorDataViewType values
            && (keyValueItemType ?? TextDataViewType.Instance).Equals(values.ItemType);
    public static void GetKeyValues<TValue>(this DataViewSchema.Column column, ref VBuffer<TValue> keyValues)
        => column.Annotations.GetValue(SchemaExtensions.KeyValues, ref keyValues);
}
