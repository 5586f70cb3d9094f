using System.Globalization;
using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Rows;

/// <summary>
/// The classes that a network tells apart: how many, what they are called, and, where they are keys of a column, the annotations that say
/// so on the columns that are added.
/// </summary>
internal sealed class ClassLabels
{
    private const string KeyValues = "KeyValues";
    private const string SlotNames = "SlotNames";

    // A key column that has seen no data has as many classes as its type can hold.
    private const int MostClasses = 1 << 16;

    private ClassLabels(IReadOnlyList<string> texts, PrimitiveDataViewType valueType, DataViewSchema.Annotations keyAnnotations)
    {
        Texts = texts;
        ValueType = valueType;
        KeyAnnotations = keyAnnotations;
    }

    /// <summary>No classes: a number.</summary>
    public static ClassLabels None { get; } = new([], TextDataViewType.Instance, DataViewSchema.Annotations.Empty);

    /// <summary>The two values of a Boolean, the negative one first.</summary>
    public static ClassLabels Boolean { get; } = new(["false", "true"], BooleanDataViewType.Instance, DataViewSchema.Annotations.Empty);

    /// <summary>The classes as texts, in the order of their keys; where the keys have no values, their numbers from 0.</summary>
    public IReadOnlyList<string> Texts { get; }

    /// <summary>The type of the keys' values; text where they have none.</summary>
    public PrimitiveDataViewType ValueType { get; }

    /// <summary>The keys' values, as the label column has them.</summary>
    public DataViewSchema.Annotations KeyAnnotations { get; }

    /// <summary>The number of classes of a key column.</summary>
    /// <exception cref="ArgumentException">There are fewer than 2, or far too many.</exception>
    public static int CountOf(DataViewSchema.Column label)
    {
        var count = ((KeyDataViewType)label.Type).Count;
        return count is >= 2 and <= MostClasses
            ? (int)count
            : throw new ArgumentException(
                $"The label column '{label.Name}' has {count} {(count == 1 ? "class" : "classes")}; 2 to {MostClasses} can be learned.");
    }

    /// <summary>Whether the keys of a column say what they stand for.</summary>
    public static bool HasValues(DataViewSchema.Column label) =>
        label.Annotations.Schema.GetColumnOrNull(KeyValues)?.Type is VectorDataViewType vector && vector.Size == CountOf(label);

    /// <summary>The classes of a key column.</summary>
    /// <exception cref="ArgumentException">There are fewer than 2, or far too many.</exception>
    public static ClassLabels OfKeys(DataViewSchema.Column label)
    {
        var count = CountOf(label);
        if (label.Annotations.Schema.GetColumnOrNull(KeyValues)?.Type is not VectorDataViewType { ItemType: var type } vector
            || vector.Size != count)
        {
            return new ClassLabels(
                [.. Enumerable.Range(0, count).Select(index => index.ToString(CultureInfo.InvariantCulture))],
                TextDataViewType.Instance,
                DataViewSchema.Annotations.Empty);
        }

        var texts = (string[])typeof(ClassLabels).GetMethod(nameof(ReadTexts), BindingFlags.NonPublic | BindingFlags.Static)!
            .MakeGenericMethod(type.RawType).Invoke(null, [label])!;
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add(label.Annotations, name => name == KeyValues);
        return new ClassLabels(texts, type, builder.ToAnnotations());
    }

    /// <summary>The classes as the names of a vector's slots.</summary>
    public DataViewSchema.Annotations ToSlotNames() => NamesOfSlots(Texts);

    /// <summary>The annotations of a vector whose slots have names.</summary>
    public static DataViewSchema.Annotations NamesOfSlots(IReadOnlyList<string> texts)
    {
        ReadOnlyMemory<char>[] names = [.. texts.Select(text => text.AsMemory())];
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add<VBuffer<ReadOnlyMemory<char>>>(
            SlotNames,
            new VectorDataViewType(TextDataViewType.Instance, names.Length),
            (ref VBuffer<ReadOnlyMemory<char>> value) => value = new VBuffer<ReadOnlyMemory<char>>(names.Length, names));
        return builder.ToAnnotations();
    }

    private static string[] ReadTexts<T>(DataViewSchema.Column label)
    {
        VBuffer<T> values = default;
        label.GetKeyValues(ref values);
        return [.. values.DenseValues().Select(value => value is ReadOnlyMemory<char> text
            ? text.ToString()
            : Convert.ToString(value, CultureInfo.InvariantCulture) ?? string.Empty)];
    }
}
