namespace Microsoft.ML;

internal static class SchemaExtensions
{
    public const string SlotNames = "SlotNames";
    public const string KeyValues = "KeyValues";
    public static DataViewSchema.Column Require(this DataViewSchema schema, string name, string role = "input")
        => schema.GetColumnOrNull(name) ?? throw Missing(role, name);
    public static Exception Missing(string role, string name)
        => new ArgumentOutOfRangeException("inputSchema", $"Could not find {role} column '{name}'");
    public static Exception Mismatch(string role, string name, object expected, object actual)
        => new ArgumentOutOfRangeException("inputSchema", $"Schema mismatch for {role} column '{name}': expected {expected}, got {actual}");
    public static DataViewSchema.Column RequireSingle(this DataViewSchema schema, string name, string role)
        => schema.Require(name, role) is var column && column.Type == NumberDataViewType.Single ? column : throw Mismatch(role, name, "Single", column.Type);
    public static PrimitiveDataViewType ItemType(this DataViewType type) => (type as VectorDataViewType)?.ItemType ?? (PrimitiveDataViewType)type;
    /// <summary>The type of the same shape, a scalar or a vector, with another type of item.</summary>
    public static DataViewType WithItem(this DataViewType type, PrimitiveDataViewType item)
        => type is VectorDataViewType vector ? new VectorDataViewType(item, vector.Dimensions) : item;
    public static PrimitiveDataViewType PrimitiveOf(Type type)
        => type == typeof(string) || type == typeof(ReadOnlyMemory<char>) ? TextDataViewType.Instance : type == typeof(bool) ? BooleanDataViewType.Instance
            : (PrimitiveDataViewType)typeof(NumberDataViewType).GetProperty(type.Name)?.GetValue(null)
                ?? throw new ArgumentException($"Could not determine an IDataView type for {type.FullName}.");
    public static PrimitiveDataViewType PrimitiveOf(DataKind kind) => PrimitiveOf(Type.GetType($"System.{kind}"));
    public static DataViewSchema.Annotations Only(this DataViewSchema.Annotations annotations, string kind) => Build(b => b.Add(annotations, kind.Equals));

    public static DataViewSchema.Annotations With(this DataViewSchema.Annotations annotations, string kind, PrimitiveDataViewType item, Array values)
        => annotations.With(kind, new VectorDataViewType(item, values.Length), item.RawType.For<Delegate>(VectorGetter<int>, values));
    public static DataViewSchema.Annotations With(this DataViewSchema.Annotations annotations, string kind, DataViewType type, Delegate getter)
        => Build(builder => { builder.Add(annotations, name => name != kind); builder.Add(kind, type, getter); });

    private static DataViewSchema.Annotations Build(Action<DataViewSchema.Annotations.Builder> add)
    {
        var builder = new DataViewSchema.Annotations.Builder();
        add(builder);
        return builder.ToAnnotations();
    }

    /// <summary>The getter as one of values of <typeparamref name="TValue"/>; an exception that names both types where it isn't.</summary>
    public static ValueGetter<TValue> As<TValue>(this Delegate getter) => getter as ValueGetter<TValue> ?? throw new InvalidOperationException(
        getter is null ? "The column is not active."
            : $"Invalid TValue in GetGetter: '{typeof(TValue)}', expected type: '{getter.GetType().GetGenericArguments()[0]}'.");
    /// <summary>Calls the generic <paramref name="method"/>, given with any type argument, with the type that is known only at run time.</summary>
    public static TResult For<TResult>(this Type type, Delegate method, params object[] arguments)
        => (TResult)method.Method.GetGenericMethodDefinition().MakeGenericMethod(type)
            .Invoke(method.Target, BindingFlags.DoNotWrapExceptions, null, arguments, null);
    private static Delegate VectorGetter<T>(T[] values)
        => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => new VBuffer<T>(values.Length, values).CopyTo(ref value));
}
