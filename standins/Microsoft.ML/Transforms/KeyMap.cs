namespace Microsoft.ML.Transforms;

internal sealed record KeyMapOptions(int Maximum, ValueToKeyMappingEstimator.KeyOrdinality Ordinality, bool AsText, IDataView KeyData);

/// <summary>The values of a column, numbered from 1 on; what is not among them, or is missing, is 0.</summary>
internal abstract class KeyMap(PrimitiveDataViewType item, Array values, bool asText)
{
    public static KeyMap[] TrainAll(IDataView data, InputOutputColumnPair[] columns, KeyMapOptions options) => columns.Select(pair =>
    {
        var column = data.Schema.Require(pair.InputColumnName);
        var (source, keys) = options.KeyData is null ? (data, column) : (options.KeyData, options.KeyData.Schema[0]);
        using var cursor = source.GetRowCursor([keys]);
        return column.Type.ItemType().RawType.For<KeyMap>(Train<int>, cursor, keys, options);
    }).ToArray();

    public static KeyMap Read(BinaryReader reader)
    {
        var (item, values) = reader.ReadValues();
        return item.RawType.For<KeyMap>(Create<int>, item, values, reader.ReadBoolean());
    }

    public void Write(BinaryWriter writer) { writer.WriteValues(item, values); writer.Write(asText); }

    public KeyDataViewType KeyTypeFor(DataViewSchema.Column source) => source.Type.ItemType().Equals(item)
        ? new(typeof(uint), values.Length == 0 ? int.MaxValue : values.Length) : throw SchemaExtensions.Mismatch("input", source.Name, item, source.Type);
    /// <summary>The values, as annotation: in text if asked for.</summary>
    public DataViewSchema.Annotations Annotate(DataViewSchema.Annotations annotations, string kind) => asText
        ? annotations.With(kind, TextDataViewType.Instance, values.Cast<object>().Select(TextOf).ToArray()) : annotations.With(kind, item, values);
    public abstract Delegate Getter(DataViewRow row, DataViewSchema.Column column);
    internal static ReadOnlyMemory<char> TextOf(object value) => value is ReadOnlyMemory<char> text ? text
        : (value is bool flag ? (flag ? "1" : "0") : Convert.ToString(value, CultureInfo.InvariantCulture)).AsMemory();

    private static KeyMap<T> Train<T>(DataViewRowCursor cursor, DataViewSchema.Column column, KeyMapOptions options)
    {
        var values = Values.Read<T>(cursor, column).SelectMany(v => v).Where(v => !Values.IsMissing(v))
            .Distinct(TextComparer.For<T>()).Take(options.Maximum).ToArray();
        if (options.Ordinality == ValueToKeyMappingEstimator.KeyOrdinality.ByValue)
            Array.Sort(values, TextComparer.For<T>() as IComparer<T>);
        return new KeyMap<T>(column.Type.ItemType(), values, options.AsText);
    }

    private static KeyMap<T> Create<T>(PrimitiveDataViewType item, T[] values, bool asText) => new(item, values, asText);
}

internal sealed class KeyMap<T>(PrimitiveDataViewType item, T[] values, bool asText) : KeyMap(item, values, asText)
{
    private readonly Dictionary<T, uint> _keys = values.Index().ToDictionary(v => v.Item, v => (uint)v.Index + 1, TextComparer.For<T>());
    public override Delegate Getter(DataViewRow row, DataViewSchema.Column column)
        => Values.Mapped<T, uint>(row, column, (value, _) => _keys.GetValueOrDefault(value));
}

/// <summary>The memory of two equal texts is not the same memory.</summary>
internal sealed class TextComparer : IEqualityComparer<ReadOnlyMemory<char>>, IComparer<ReadOnlyMemory<char>>
{
    public static IEqualityComparer<T> For<T>() => new TextComparer() as IEqualityComparer<T> ?? EqualityComparer<T>.Default;
    public bool Equals(ReadOnlyMemory<char> x, ReadOnlyMemory<char> y) => x.Span.SequenceEqual(y.Span);
    public int GetHashCode(ReadOnlyMemory<char> text) => string.GetHashCode(text.Span);
    public int Compare(ReadOnlyMemory<char> x, ReadOnlyMemory<char> y) => x.Span.SequenceCompareTo(y.Span);
}
