namespace Microsoft.ML.Data;

/// <summary>Which columns the members of a class stand for.</summary>
public sealed class SchemaDefinition : List<SchemaDefinition.Column>
{
    private SchemaDefinition() { }

    public Column this[string columnName]
    {
        get => Find(c => c.ColumnName == columnName);
        set { RemoveAll(c => c.ColumnName == columnName); Add(value); }
    }

    public static SchemaDefinition Create(Type userType, Direction direction = Direction.Both)
    {
        var definition = new SchemaDefinition();
        foreach (var member in MembersOf(userType, direction).Where(m => m.GetCustomAttribute<NoColumnAttribute>() is null))
        {
            var name = member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name;
            if (definition[name] is not null)
                throw new ArgumentException($"Duplicate column name '{name}' detected, this is disallowed", nameof(userType));
            definition.Add(new Column(member.Name, name, ColumnTypeOf(member)));
        }
        return definition;
    }

    /// <summary>The members of the class that stand for the columns of a schema, with its types, which may know more: sizes, keys.</summary>
    internal static SchemaDefinition Of(Type userType, DataViewSchema schema)
    {
        var definition = Create(userType, Direction.Read);
        foreach (var column in schema)
        {
            var member = definition[column.Name] ?? throw new InvalidOperationException($"Type should contain a member named {column.Name}");
            (member.ColumnType, member.Annotations) = (column.Type, column.Annotations);
        }
        return definition;
    }

    internal static IEnumerable<MemberInfo> MembersOf(Type type, Direction direction) => type.GetFields(BindingFlags.Public | BindingFlags.Instance)
        .Concat<MemberInfo>(type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.GetIndexParameters().Length == 0
            && ((direction.HasFlag(Direction.Read) && p.GetGetMethod() is not null) || (direction.HasFlag(Direction.Write) && p.GetSetMethod() is not null))));
    internal static Type TypeOf(MemberInfo member) => (member as FieldInfo)?.FieldType ?? ((PropertyInfo)member).PropertyType;
    /// <summary>Of an array or a vector, the type of its items; null of anything else.</summary>
    internal static Type ItemOf(Type type) => type.IsArray ? type.GetElementType()
        : type.IsGenericType && type.GetGenericTypeDefinition() == typeof(VBuffer<>) ? type.GetGenericArguments()[0] : null;

    private static DataViewType ColumnTypeOf(MemberInfo member)
    {
        var (type, vector) = (TypeOf(member), member.GetCustomAttribute<VectorTypeAttribute>());
        var item = SchemaExtensions.PrimitiveOf(ItemOf(type) ?? type);
        item = member.GetCustomAttribute<KeyTypeAttribute>()?.TypeOf(item.RawType) ?? item;
        if (ItemOf(type) is not null)
            return vector is { Dimensions.Length: > 0 } ? new VectorDataViewType(item, vector.Dimensions) : new VectorDataViewType(item);
        return vector is null ? item
            : throw new ArgumentException($"Member {member.Name} marked with VectorTypeAttribute, but does not appear to be a vector type");
    }

    public sealed class Column
    {
        internal Column(string memberName, string columnName, DataViewType columnType)
            => (MemberName, ColumnName, ColumnType) = (memberName, columnName, columnType);
        public string MemberName { get; }
        public string ColumnName { get; set; }
        public DataViewType ColumnType { get; set; }
        public DataViewSchema.Annotations Annotations { get; internal set; } = DataViewSchema.Annotations.Empty;
        public void AddAnnotation<T>(string kind, T value, DataViewType annotationType)
            => Annotations = Annotations.With(kind, annotationType, (ValueGetter<T>)((ref T destination) => destination = value));
    }

    [Flags]
    public enum Direction { Read = 1, Write = 2, Both = Read | Write }
}
