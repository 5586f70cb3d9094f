using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Rows;

/// <summary>Finds columns, and says clearly when one is missing or has another type.</summary>
internal static class Columns
{
    public static DataViewSchema.Column Require(DataViewSchema schema, string name, string role) => schema.GetColumnOrNull(name)
        ?? throw new ArgumentException(
            $"There is no {role} column '{name}'; the columns are "
            + $"{string.Join(", ", schema.Where(column => !column.IsHidden).Select(column => column.Name))}.");

    public static DataViewSchema.Column RequireFeatures(DataViewSchema schema, string name)
    {
        var column = Require(schema, name, "feature");
        if (column.Type is VectorDataViewType { ItemType: NumberDataViewType item } && item == NumberDataViewType.Single) return column;
        throw new ArgumentException(
            $"The feature column '{name}' has the type {column.Type}; a vector of Single was expected. Join the columns with Concatenate "
            + "first.");
    }

    /// <summary>Checks that a vector column says its size, which whatever ML.NET runs of a saved model has to know.</summary>
    /// <param name="data">The data, of which the first row is read where the column does not say it.</param>
    /// <param name="column">The column.</param>
    /// <exception cref="ArgumentException">Its size varies; the message says what to write.</exception>
    public static void RequireKnownSize(IDataView data, DataViewSchema.Column column)
    {
        if (SizeOf(column) > 0) return;
        using var cursor = data.GetRowCursor([column]);
        VBuffer<float> first = default;
        if (cursor.MoveNext()) cursor.GetGetter<VBuffer<float>>(column)(ref first);
        throw new ArgumentException(VaryingSize(column.Name, first.Length));
    }

    /// <summary>That the size of a vector column varies, and what to write.</summary>
    /// <param name="name">The column.</param>
    /// <param name="size">The size of the first row; 0 = not known.</param>
    public static string VaryingSize(string name, int size)
    {
        var number = size > 0 ? $"{size}" : "N";
        return $"The column '{name}' is a vector whose size varies, as ML.NET makes one of a float[] without [VectorType], and ML.NET "
            + $"cannot run what would be saved of the model on it. Say the size: [VectorType({number})] in front of the member, or in a "
            + $"SchemaDefinition ColumnType = new VectorDataViewType(NumberDataViewType.Single, {number})"
            + (size > 0 ? $" (the first row has {size} values)." : ".");
    }

    /// <summary>Checks that the features of a column can be rows of a shape.</summary>
    /// <exception cref="ArgumentException">
    /// There are more or fewer, or the column's own dimensions say that they lie in another order.
    /// </exception>
    public static void RequireShape(DataViewSchema.Column features, SampleShape shape)
    {
        var type = (VectorDataViewType)features.Type;
        if (type.Size != 0 && type.Size != shape.Count)
            throw new ArgumentException(
                $"The network takes rows of shape {shape}, which are {shape.Count} values, but the column '{features.Name}' has "
                + $"{type.Size} values.");
        if (!shape.IsVector && type.Dimensions.Length > 1 && !type.Dimensions.Select(size => (long)size).SequenceEqual(shape.Sizes))
            throw new ArgumentException(
                $"The network takes rows of shape {shape}, but the column '{features.Name}' has the dimensions "
                + $"[{string.Join(", ", type.Dimensions)}]. Channels come first (ExtractPixels with interleavePixelColors: false).");
    }

    /// <summary>The size of a vector column; 0 when it varies.</summary>
    public static int SizeOf(DataViewSchema.Column column) => ((VectorDataViewType)column.Type).Size;

    public static string? SlotName(DataViewSchema.Column column, int slot)
    {
        var names = SlotNames(column);
        return names is null || names[slot].Length == 0 ? null : names[slot];
    }

    /// <summary>The names of a vector's slots, or null when it has none.</summary>
    public static string[]? SlotNames(DataViewSchema.Column column)
    {
        if (!column.HasSlotNames()) return null;
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetSlotNames(ref names);
        return [.. names.DenseValues().Select(name => name.ToString())];
    }
}
