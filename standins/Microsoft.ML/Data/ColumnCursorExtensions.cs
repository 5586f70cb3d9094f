using Microsoft.ML.Rows;

namespace Microsoft.ML.Data;

public static class ColumnCursorExtensions
{
    public static IEnumerable<T> GetColumn<T>(this IDataView data, string columnName) => data.GetColumn<T>(data.Schema[columnName]);

    public static IEnumerable<T> GetColumn<T>(this IDataView data, DataViewSchema.Column column)
    {
        ArgumentNullException.ThrowIfNull(data);
        var row = new ColumnRow<T>();
        var (isVector, item) = SchemaDefinition.ItemOf(typeof(T));
        if (isVector != column.Type is VectorDataViewType || item != column.Type.ItemType().RawType)
            throw new InvalidOperationException($"Could not map a data view's column '{column.Name}' of type {column.Type} to {typeof(T)}.");
        // The one-member class below stands for the column, so that arrays and strings are read as everywhere else.
        var definition = SchemaDefinition.Create(typeof(ColumnRow<T>));
        definition[0].ColumnName = column.Name;
        return Read();

        IEnumerable<T> Read()
        {
            using var cursor = data.GetRowCursor([column]);
            var fill = MemberBinding<ColumnRow<T>>.Create(definition[0]).Setter(cursor, column);
            while (cursor.MoveNext())
            {
                row.Value = default;
                fill(row);
                yield return row.Value;
            }
        }
    }

    private sealed class ColumnRow<T>
    {
        public T Value { get; set; }
    }
}
