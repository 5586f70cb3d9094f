using System.Reflection;

namespace Microsoft.ML.Data;

/// <summary>Which columns the members of a class stand for.</summary>
public sealed class SchemaDefinition : List<SchemaDefinition.Column>
{
    private SchemaDefinition()
    {
    }

    public Column this[string columnName]
    {
        get => Find(c => c.ColumnName == columnName);
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            if (value.ColumnName != columnName)
                throw new ArgumentException($"The column is named '{value.ColumnName}', not '{columnName}'.", nameof(columnName));
            var index = FindIndex(c => c.ColumnName == columnName);
            if (index < 0)
                Add(value);
            else
                this[index] = value;
        }
    }

    public static SchemaDefinition Create(Type userType, Direction direction = Direction.Both)
    {
        ArgumentNullException.ThrowIfNull(userType);
        var definition = new SchemaDefinition();
        foreach (var member in Members(userType, direction))
        {
            var name = member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name;
            if (definition[name] is not null)
                throw new ArgumentException($"Duplicate column name '{name}' detected, this is disallowed", nameof(userType));
            definition.Add(new Column(member.Name, name, TypeOf(member)));
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
            member.ColumnType = column.Type;
            member.AddAnnotations(column.Annotations);
        }
        return definition;
    }

    private static IEnumerable<MemberInfo> Members(Type type, Direction direction)
    {
        const BindingFlags Flags = BindingFlags.Public | BindingFlags.Instance;
        var properties = type.GetProperties(Flags).Where(p => p.GetIndexParameters().Length == 0
            && ((direction.HasFlag(Direction.Read) && p.GetGetMethod() is not null)
                || (direction.HasFlag(Direction.Write) && p.GetSetMethod() is not null)));
        return type.GetFields(Flags).Concat<MemberInfo>(properties).Where(m => m.GetCustomAttribute<NoColumnAttribute>() is null);
    }

    private static DataViewType TypeOf(MemberInfo member)
    {
        var (isVector, item) = ItemOf(TypeOfValue(member));
        var key = member.GetCustomAttribute<KeyTypeAttribute>();
        var itemType = key is null ? SchemaExtensions.PrimitiveOf(item) : (key.Count ?? new KeyCount()).TypeOf(item);
        var vector = member.GetCustomAttribute<VectorTypeAttribute>();
        if (!isVector)
        {
            return vector is null ? itemType
                : throw new ArgumentException($"Member {member.Name} marked with VectorTypeAttribute, but does not appear to be a vector type");
        }
        return vector is null || vector.Dimensions.Length == 0 ? new VectorDataViewType(itemType) : new VectorDataViewType(itemType, vector.Dimensions);
    }

    internal static Type TypeOfValue(MemberInfo member) => member is FieldInfo field ? field.FieldType : ((PropertyInfo)member).PropertyType;

    /// <summary>Whether a member of this type holds a vector, and of what.</summary>
    internal static (bool IsVector, Type Item) ItemOf(Type type)
    {
        if (type.IsArray)
            return (true, Raw(type.GetElementType()));
        return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(VBuffer<>) ? (true, type.GetGenericArguments()[0]) : (false, Raw(type));

        static Type Raw(Type t) => t == typeof(string) ? typeof(ReadOnlyMemory<char>) : t;
    }

    public sealed class Column
    {
        private readonly DataViewSchema.Annotations.Builder _annotations = new();

        internal Column(string memberName, string columnName, DataViewType columnType)
        {
            MemberName = memberName;
            ColumnName = columnName;
            ColumnType = columnType;
        }

        public string MemberName { get; }

        public string ColumnName { get; set; }

        public DataViewType ColumnType { get; set; }

        public DataViewSchema.Annotations Annotations => _annotations.ToAnnotations();

        public void AddAnnotation<T>(string kind, T value, DataViewType annotationType)
        {
            if (Annotations.Schema.GetColumnOrNull(kind) is not null)
                throw new InvalidOperationException("Column already contains an annotation of this kind.");
            _annotations.Add(kind, annotationType, (ref T destination) => destination = value);
        }

        internal void AddAnnotations(DataViewSchema.Annotations annotations) => _annotations.Add(annotations, _ => true);
    }

    [Flags]
    public enum Direction
    {
        Read = 1,
        Write = 2,
        Both = Read | Write,
    }
}
