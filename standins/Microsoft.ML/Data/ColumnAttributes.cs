namespace Microsoft.ML.Data;

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class ColumnNameAttribute(string name) : Attribute { internal string Name => name; }

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class NoColumnAttribute : Attribute;

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class VectorTypeAttribute(params int[] dimensions) : Attribute
{
    public VectorTypeAttribute() : this([]) { }
    public VectorTypeAttribute(int size) : this([size]) { }
    internal int[] Dimensions => dimensions;
}

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class KeyTypeAttribute : Attribute
{
    private readonly ulong? _count;
    public KeyTypeAttribute() { }
    public KeyTypeAttribute(ulong count) => _count = count;
    internal KeyDataViewType TypeOf(Type number) => new(number, _count ?? KeyDataViewType.MaximumCount(number));
}

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class LoadColumnAttribute : Attribute
{
    public LoadColumnAttribute(int fieldIndex) => Fields = [fieldIndex];
    public LoadColumnAttribute(int start, int end) => (Fields, IsVector) = (Enumerable.Range(start, end - start + 1).ToArray(), true);
    public LoadColumnAttribute(int[] columnIndexes) => (Fields, IsVector) = (columnIndexes, true);
    internal int[] Fields { get; }
    internal bool IsVector { get; }
}
