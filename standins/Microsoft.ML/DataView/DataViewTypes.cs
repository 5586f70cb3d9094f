using System.Collections.Immutable;

namespace Microsoft.ML.Data;

public abstract class DataViewType : IEquatable<DataViewType>
{
    private protected DataViewType(Type rawType) => RawType = rawType;
    public Type RawType { get; }
    public abstract bool Equals(DataViewType other);
}

public abstract class PrimitiveDataViewType : DataViewType { protected PrimitiveDataViewType(Type rawType) : base(rawType) { } }

public abstract class StructuredDataViewType : DataViewType { protected StructuredDataViewType(Type rawType) : base(rawType) { } }

public sealed class TextDataViewType : PrimitiveDataViewType
{
    private TextDataViewType() : base(typeof(ReadOnlyMemory<char>)) { }
    public static TextDataViewType Instance { get; } = new();
    public override bool Equals(DataViewType other) => this == other;
    public override string ToString() => "String";
}

public sealed class BooleanDataViewType : PrimitiveDataViewType
{
    private BooleanDataViewType() : base(typeof(bool)) { }
    public static BooleanDataViewType Instance { get; } = new();
    public override bool Equals(DataViewType other) => this == other;
    public override string ToString() => "Boolean";
}

public sealed class NumberDataViewType : PrimitiveDataViewType
{
    private NumberDataViewType(Type rawType) : base(rawType) { }
    public static NumberDataViewType SByte { get; } = new(typeof(sbyte));
    public static NumberDataViewType Byte { get; } = new(typeof(byte));
    public static NumberDataViewType Int16 { get; } = new(typeof(short));
    public static NumberDataViewType UInt16 { get; } = new(typeof(ushort));
    public static NumberDataViewType Int32 { get; } = new(typeof(int));
    public static NumberDataViewType UInt32 { get; } = new(typeof(uint));
    public static NumberDataViewType Int64 { get; } = new(typeof(long));
    public static NumberDataViewType UInt64 { get; } = new(typeof(ulong));
    public static NumberDataViewType Single { get; } = new(typeof(float));
    public static NumberDataViewType Double { get; } = new(typeof(double));
    public override bool Equals(DataViewType other) => this == other;
    public override string ToString() => RawType.Name;
}

/// <summary>A category among <see cref="Count"/>, stored from 1 on; 0 is "missing".</summary>
public sealed class KeyDataViewType : PrimitiveDataViewType
{
    public KeyDataViewType(Type type, ulong count) : base(type)
    {
        if (!IsValidDataType(type) || count == 0 || count > MaximumCount(type))
            throw new ArgumentException($"A key must be of an unsigned type that holds its count, not {type} for {count}.", nameof(type));
        Count = count;
    }

    public KeyDataViewType(Type type, int count) : this(type, count < 0 ? 0 : (ulong)count) { }
    public ulong Count { get; }
    public static bool IsValidDataType(Type type)
        => type == typeof(byte) || type == typeof(ushort) || type == typeof(uint) || type == typeof(ulong);
    public override bool Equals(DataViewType other) => other is KeyDataViewType key && key.RawType == RawType && key.Count == Count;
    public override bool Equals(object other) => Equals(other as DataViewType);
    public override int GetHashCode() => HashCode.Combine(RawType, Count);
    public override string ToString() => $"Key<{RawType.Name}, 0-{Count - 1}>";
    internal static ulong MaximumCount(Type type) => type == typeof(byte) ? byte.MaxValue
        : type == typeof(ushort) ? ushort.MaxValue : type == typeof(uint) ? uint.MaxValue : ulong.MaxValue;
}

public sealed class VectorDataViewType : StructuredDataViewType
{
    public VectorDataViewType(PrimitiveDataViewType itemType, int size = 0) : this(itemType, ImmutableArray.Create(size)) { }
    public VectorDataViewType(PrimitiveDataViewType itemType, params int[] dimensions) : this(itemType, dimensions.ToImmutableArray()) { }
    public VectorDataViewType(PrimitiveDataViewType itemType, ImmutableArray<int> dimensions)
        : base(typeof(VBuffer<>).MakeGenericType(itemType.RawType))
    {
        if (dimensions.IsDefaultOrEmpty || dimensions.Any(d => d < 0))
            throw new ArgumentException("There must be at least one dimension and none may be negative.", nameof(dimensions));
        (ItemType, Dimensions, Size) = (itemType, dimensions, dimensions.Aggregate(1, (product, d) => checked(product * d)));
    }

    public PrimitiveDataViewType ItemType { get; }
    public ImmutableArray<int> Dimensions { get; }
    /// <summary>The product of the dimensions; 0 where one of them is unknown.</summary>
    public int Size { get; }
    public bool IsKnownSize => Size > 0;
    public override bool Equals(DataViewType other)
        => other is VectorDataViewType vector && ItemType.Equals(vector.ItemType) && Dimensions.SequenceEqual(vector.Dimensions);
    public override bool Equals(object other) => Equals(other as DataViewType);
    public override int GetHashCode() => HashCode.Combine(ItemType.RawType, Size, Dimensions.Length);
    public override string ToString() => Dimensions is [0]
        ? $"Vector<{ItemType}>" : $"Vector<{ItemType}{string.Concat(Dimensions.Select(d => d > 0 ? $", {d}" : ", *"))}>";
}
