using Microsoft.ML.Data;

namespace Microsoft.ML.Models;

/// <summary>How values, types and schemas are written in a model file.</summary>
internal static class BinaryFormat
{
    public static void WriteArray<T>(this BinaryWriter writer, IReadOnlyCollection<T> items, Action<BinaryWriter, T> write)
    {
        writer.Write(items.Count);
        foreach (var item in items)
            write(writer, item);
    }

    public static T[] ReadArray<T>(this BinaryReader reader, Func<BinaryReader, T> read)
    {
        var items = new T[reader.ReadInt32()];
        for (var i = 0; i < items.Length; i++)
            items[i] = read(reader);
        return items;
    }

    public static void WriteStrings(this BinaryWriter writer, IReadOnlyCollection<string> items) => writer.WriteArray(items, (w, s) => w.Write(s));

    public static string[] ReadStrings(this BinaryReader reader) => reader.ReadArray(r => r.ReadString());

    public static void WriteItem<T>(this BinaryWriter writer, T item)
    {
        switch (item)
        {
            case bool x: writer.Write(x); break;
            case sbyte x: writer.Write(x); break;
            case byte x: writer.Write(x); break;
            case short x: writer.Write(x); break;
            case ushort x: writer.Write(x); break;
            case int x: writer.Write(x); break;
            case uint x: writer.Write(x); break;
            case long x: writer.Write(x); break;
            case ulong x: writer.Write(x); break;
            case float x: writer.Write(x); break;
            case double x: writer.Write(x); break;
            case ReadOnlyMemory<char> x: writer.Write(x.ToString()); break;
            case DateTime x: writer.Write(x.Ticks); break;
            case TimeSpan x: writer.Write(x.Ticks); break;
            default: throw new NotSupportedException($"The stand-in for ML.NET can't save values of type {typeof(T)}.");
        }
    }

    public static T ReadItem<T>(this BinaryReader reader)
    {
        object item = default(T) switch
        {
            bool => reader.ReadBoolean(),
            sbyte => reader.ReadSByte(),
            byte => reader.ReadByte(),
            short => reader.ReadInt16(),
            ushort => reader.ReadUInt16(),
            int => reader.ReadInt32(),
            uint => reader.ReadUInt32(),
            long => reader.ReadInt64(),
            ulong => reader.ReadUInt64(),
            float => reader.ReadSingle(),
            double => reader.ReadDouble(),
            ReadOnlyMemory<char> => reader.ReadString().AsMemory(),
            DateTime => new DateTime(reader.ReadInt64()),
            TimeSpan => new TimeSpan(reader.ReadInt64()),
            _ => throw new NotSupportedException($"The stand-in for ML.NET can't load values of type {typeof(T)}."),
        };
        return (T)item;
    }

    public static void WriteType(this BinaryWriter writer, DataViewType type)
    {
        if (type is VectorDataViewType vector)
        {
            writer.Write("Vector");
            writer.WriteArray(vector.Dimensions, (w, d) => w.Write(d));
            writer.WriteType(vector.ItemType);
        }
        else if (type is KeyDataViewType key)
        {
            writer.Write("Key");
            writer.Write(key.RawType.FullName);
            writer.Write(key.Count);
        }
        else
        {
            writer.Write(type is TextDataViewType ? "Text" : type.RawType.FullName);
        }
    }

    public static DataViewType ReadType(this BinaryReader reader)
    {
        var name = reader.ReadString();
        if (name == "Vector")
        {
            var dimensions = reader.ReadArray(r => r.ReadInt32());
            return new VectorDataViewType((PrimitiveDataViewType)reader.ReadType(), dimensions);
        }
        if (name == "Key")
            return new KeyDataViewType(TypeNamed(reader.ReadString()), reader.ReadUInt64());
        return name == "Text" ? TextDataViewType.Instance : SchemaExtensions.PrimitiveOf(TypeNamed(name));
    }

    public static void WriteSchema(this BinaryWriter writer, DataViewSchema schema) => writer.WriteArray(schema, (w, column) =>
    {
        w.Write(column.Name);
        w.WriteType(column.Type);
        w.WriteAnnotations(column.Annotations);
    });

    public static DataViewSchema ReadSchema(this BinaryReader reader)
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(reader.ReadArray(r => new DataViewSchema.DetachedColumn(r.ReadString(), r.ReadType(), r.ReadAnnotations())));
        return builder.ToSchema();
    }

    public static void WriteAnnotations(this BinaryWriter writer, DataViewSchema.Annotations annotations)
        => writer.WriteArray(annotations.Schema, (w, column) =>
        {
            w.Write(column.Name);
            w.WriteType(column.Type);
            column.Type.ItemType().RawType.For<object>(WriteValue<int>, w, annotations, column);
        });

    public static DataViewSchema.Annotations ReadAnnotations(this BinaryReader reader)
    {
        var builder = new DataViewSchema.Annotations.Builder();
        for (var count = reader.ReadInt32(); count > 0; count--)
        {
            var (name, type) = (reader.ReadString(), reader.ReadType());
            builder.Add(name, type, type.ItemType().RawType.For<Delegate>(ReadValue<int>, reader, type is VectorDataViewType));
        }
        return builder.ToAnnotations();
    }

    private static object WriteValue<T>(BinaryWriter writer, DataViewSchema.Annotations annotations, DataViewSchema.Column column)
    {
        VBuffer<T> vector = default;
        T scalar = default;
        if (column.Type is VectorDataViewType)
            annotations.GetValue(column.Name, ref vector);
        else
            annotations.GetValue(column.Name, ref scalar);
        writer.WriteArray(column.Type is VectorDataViewType ? vector.DenseValues().ToArray() : [scalar], (w, item) => w.WriteItem(item));
        return null;
    }

    private static Delegate ReadValue<T>(BinaryReader reader, bool isVector)
    {
        var values = reader.ReadArray(r => r.ReadItem<T>());
        return isVector
            ? (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => VBuffer<T>.Copy(values, 0, ref value, values.Length))
            : (ValueGetter<T>)((ref T value) => value = values[0]);
    }

    private static Type TypeNamed(string name) => Type.GetType(name) ?? throw new FormatException($"The model names the unknown type '{name}'.");
}
