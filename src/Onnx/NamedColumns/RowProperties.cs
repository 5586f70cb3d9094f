using System.Reflection;
using System.Text.Json;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>Reads one property of a row into the cells of its column.</summary>
internal delegate void PropertyReader<TRow>(ref TRow row, RowCells cells);

/// <summary>
/// Makes what reads the properties of a type of rows. Each is bound to its getter once, by a delegate of the property's own type: reading a
/// row looks up nothing and puts no number into an object, and programs that are compiled ahead of time do it as fast.
/// </summary>
internal static class RowProperties<TRow>
{
    private delegate void Give<in TValue>(RowColumn column, RowCells cells, TValue value);

    private delegate TValue StructGetter<out TValue>(ref TRow row);

    private static readonly Dictionary<Type, Func<MethodInfo, RowColumn, PropertyReader<TRow>>> ByType = [];

    static RowProperties()
    {
        ByType.Add(typeof(string), Reader<string?>((column, cells, text) =>
        {
            if (text is null) column.Missing(cells);
            else column.Text(cells, text);
        }));
        Add<char>((column, cells, letter) => column.Text(cells, [letter]));
        Add<bool>((column, cells, truth) => column.Truth(cells, truth));
        Add<DateTimeOffset>((column, cells, time) => column.Time(cells, time));
        Add<DateTime>((column, cells, time) => column.Time(cells, AsWritten(time)));
        Add<DateOnly>((column, cells, date) => column.Time(cells, new DateTimeOffset(date, TimeOnly.MinValue, TimeSpan.Zero)));
        Add<byte>((column, cells, number) => column.Whole(cells, number));
        Add<sbyte>((column, cells, number) => column.Whole(cells, number));
        Add<short>((column, cells, number) => column.Whole(cells, number));
        Add<ushort>((column, cells, number) => column.Whole(cells, number));
        Add<int>((column, cells, number) => column.Whole(cells, number));
        Add<uint>((column, cells, number) => column.Whole(cells, number));
        Add<long>((column, cells, number) => column.Whole(cells, number));
        Add<ulong>((column, cells, number) => column.Number(cells, number));
        Add<Half>((column, cells, number) => column.Number(cells, (double)number));
        Add<float>((column, cells, number) => column.Number(cells, number));
        Add<double>((column, cells, number) => column.Number(cells, number));
        Add<decimal>((column, cells, number) => column.Number(cells, (double)number));
        Add<JsonElement>((column, cells, value) => RowReaders.Read(value, column, cells));
    }

    /// <summary>What reads a property.</summary>
    /// <exception cref="ColumnValueException">The column cannot have values of the property's type.</exception>
    public static PropertyReader<TRow> Of(PropertyInfo property, RowColumn column)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        return ByType.TryGetValue(property.PropertyType, out var reader) ? reader(property.GetMethod!, column)
            : type.IsEnum ? OfEnum(property.GetMethod!, column)
            : throw column.Refused($"a property of the type {type.Name}");
    }

    private static void Add<TValue>(Give<TValue> give)
        where TValue : struct
    {
        ByType.Add(typeof(TValue), Reader(give));
        ByType.Add(typeof(TValue?), Reader<TValue?>((column, cells, value) =>
        {
            if (value is { } known) give(column, cells, known);
            else column.Missing(cells);
        }));
    }

    private static Func<MethodInfo, RowColumn, PropertyReader<TRow>> Reader<TValue>(Give<TValue> give) => (getter, column) =>
    {
        if (typeof(TRow).IsValueType)
        {
            var ofStruct = getter.CreateDelegate<StructGetter<TValue>>();
            return (ref row, cells) => give(column, cells, ofStruct(ref row));
        }

        var get = getter.CreateDelegate<Func<TRow, TValue>>();
        return (ref row, cells) => give(column, cells, get(row));
    };

    // By the name of the value. There is no delegate of a type that is not known here.
    private static PropertyReader<TRow> OfEnum(MethodInfo getter, RowColumn column)
    {
        var get = MethodInvoker.Create(getter);
        return (ref row, cells) =>
        {
            if (get.Invoke(row)?.ToString() is { } text) column.Text(cells, text);
            else column.Missing(cells);
        };
    }

    // As a text without a distance from UTC is read: the clock is what counts.
    private static DateTimeOffset AsWritten(DateTime time) =>
        time.Kind == DateTimeKind.Local ? new DateTimeOffset(time) : new DateTimeOffset(DateTime.SpecifyKind(time, DateTimeKind.Utc));
}
