using Microsoft.ML.Data;

namespace Microsoft.ML;

internal static class SchemaExtensions
{
    public const string SlotNames = "SlotNames";
    public const string KeyValues = "KeyValues";
    public const string IsNormalized = "IsNormalized";

    public static DataViewSchema.Column Require(this DataViewSchema schema, string name, string role = "input")
        => schema.GetColumnOrNull(name) ?? throw Missing(role, name);

    public static Exception Missing(string role, string name)
        => new ArgumentOutOfRangeException("inputSchema", $"Could not find {role} column '{name}'");

    public static Exception Mismatch(string role, string name, object expected, object actual)
        => new ArgumentOutOfRangeException("inputSchema", $"Schema mismatch for {role} column '{name}': expected {expected}, got {actual}");

    public static DataViewType ItemType(this DataViewType type) => type is VectorDataViewType vector ? vector.ItemType : type;

    public static PrimitiveDataViewType PrimitiveOf(Type type)
    {
        if (type == typeof(string) || type == typeof(ReadOnlyMemory<char>))
            return TextDataViewType.Instance;
        return Type.GetTypeCode(type) switch
        {
            TypeCode.Boolean => BooleanDataViewType.Instance,
            TypeCode.SByte => NumberDataViewType.SByte,
            TypeCode.Byte => NumberDataViewType.Byte,
            TypeCode.Int16 => NumberDataViewType.Int16,
            TypeCode.UInt16 => NumberDataViewType.UInt16,
            TypeCode.Int32 => NumberDataViewType.Int32,
            TypeCode.UInt32 => NumberDataViewType.UInt32,
            TypeCode.Int64 => NumberDataViewType.Int64,
            TypeCode.UInt64 => NumberDataViewType.UInt64,
            TypeCode.Single => NumberDataViewType.Single,
            TypeCode.Double => NumberDataViewType.Double,
            TypeCode.DateTime => DateTimeDataViewType.Instance,
            _ when type == typeof(DateTimeOffset) => DateTimeOffsetDataViewType.Instance,
            _ when type == typeof(TimeSpan) => TimeSpanDataViewType.Instance,
            _ when type == typeof(DataViewRowId) => RowIdDataViewType.Instance,
            _ => throw new ArgumentException($"Could not determine an IDataView type for {type.FullName}."),
        };
    }

    public static PrimitiveDataViewType PrimitiveOf(DataKind kind) => kind switch
    {
        DataKind.SByte => NumberDataViewType.SByte,
        DataKind.Byte => NumberDataViewType.Byte,
        DataKind.Int16 => NumberDataViewType.Int16,
        DataKind.UInt16 => NumberDataViewType.UInt16,
        DataKind.Int32 => NumberDataViewType.Int32,
        DataKind.UInt32 => NumberDataViewType.UInt32,
        DataKind.Int64 => NumberDataViewType.Int64,
        DataKind.UInt64 => NumberDataViewType.UInt64,
        DataKind.Single => NumberDataViewType.Single,
        DataKind.Double => NumberDataViewType.Double,
        DataKind.String => TextDataViewType.Instance,
        DataKind.Boolean => BooleanDataViewType.Instance,
        DataKind.TimeSpan => TimeSpanDataViewType.Instance,
        DataKind.DateTime => DateTimeDataViewType.Instance,
        DataKind.DateTimeOffset => DateTimeOffsetDataViewType.Instance,
        _ => throw new ArgumentException($"Unknown kind of data: {kind}.", nameof(kind)),
    };

    public static void AddSlotNames(this DataViewSchema.Annotations.Builder builder, ReadOnlyMemory<char>[] names)
        => builder.Add(SlotNames, new VectorDataViewType(TextDataViewType.Instance, names.Length),
            (ref VBuffer<ReadOnlyMemory<char>> destination) => VBuffer<ReadOnlyMemory<char>>.Copy(names, 0, ref destination, names.Length));

    public static void AddIsNormalized(this DataViewSchema.Annotations.Builder builder)
        => builder.AddPrimitiveValue(IsNormalized, BooleanDataViewType.Instance, true);
}
