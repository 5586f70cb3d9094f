namespace Microsoft.ML.Transforms;

public sealed class ValueToKeyMappingEstimator : IEstimator<ValueToKeyMappingTransformer>
{
    private readonly InputOutputColumnPair[] _columns;
    private readonly KeyMapOptions _options;
    internal ValueToKeyMappingEstimator(InputOutputColumnPair[] columns, KeyMapOptions options) => (_columns, _options) = (columns, options);
    public ValueToKeyMappingTransformer Fit(IDataView input) => new(_columns, KeyMap.TrainAll(input, _columns, _options));
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Map(_columns, (source, name) => new SchemaShape.Column(
        name, source.Kind, NumberDataViewType.UInt32, true, [.. source.Only(SchemaExtensions.SlotNames), new SchemaShape.Column(SchemaExtensions.KeyValues,
            SchemaShape.Column.VectorKind.Vector, _options.AsText ? TextDataViewType.Instance : source.ItemType, source.IsKey)]));

    public enum KeyOrdinality : byte { ByOccurrence = 0, ByValue = 1 }
}

public sealed class ValueToKeyMappingTransformer : OneToOneTransformerBase
{
    internal const string Signature = "TermTransform";
    internal ValueToKeyMappingTransformer(InputOutputColumnPair[] columns, KeyMap[] maps) : base(Signature, columns, (i, source) => (
        source.Type.WithItem(maps[i].KeyTypeFor(source)), maps[i].Annotate(source.Annotations.Only(SchemaExtensions.SlotNames), SchemaExtensions.KeyValues),
        row => maps[i].Getter(row, source)), writer => writer.WriteArray(maps, (w, map) => map.Write(w)))
    { }
}

public sealed class KeyToValueMappingEstimator : TrivialEstimator<KeyToValueMappingTransformer>
{
    internal KeyToValueMappingEstimator(KeyToValueMappingTransformer transformer) : base(transformer) { }
    public override SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Map(Transformer.Columns, (source, name) => source.With(name,
        source is { IsKey: true } && source.Annotations.Find(SchemaExtensions.KeyValues) is { } values ? values.ItemType
            : throw SchemaExtensions.Mismatch("input", source.Name, "Key with KeyValues", source.TypeName), source.Only(SchemaExtensions.SlotNames)));
}

public sealed class KeyToValueMappingTransformer : OneToOneTransformerBase
{
    internal const string Signature = "KeyToValueTransform";
    internal KeyToValueMappingTransformer(InputOutputColumnPair[] columns) : base(Signature, columns, (_, source) => (source.Type.WithItem(ItemOf(source)),
        source.Annotations.Only(SchemaExtensions.SlotNames), row => ItemOf(source).RawType.For<Delegate>(Getter<int>, row, source)))
    { }
    private static PrimitiveDataViewType ItemOf(DataViewSchema.Column source)
        => source.Annotations.Schema.GetColumnOrNull(SchemaExtensions.KeyValues)?.Type.ItemType()
            ?? throw SchemaExtensions.Mismatch("input", source.Name, "Key with KeyValues", source.Type);

    private static Delegate Getter<T>(DataViewRow row, DataViewSchema.Column source)
    {
        VBuffer<T> values = default;
        source.GetKeyValues(ref values);
        var known = values.DenseValues().ToArray();
        var missing = (T)(typeof(T) == typeof(float) ? float.NaN : typeof(T) == typeof(double) ? (object)double.NaN : default(T));
        return Values.Mapped<uint, T>(row, source, (key, _) => key > 0 && key <= known.Length ? known[key - 1] : missing);
    }
}

public sealed class OneHotEncodingEstimator : IEstimator<OneHotEncodingTransformer>
{
    private readonly InputOutputColumnPair[] _columns;
    private readonly KeyMapOptions _options;
    internal OneHotEncodingEstimator(InputOutputColumnPair[] columns, OutputKind kind, KeyMapOptions options)
        => (_columns, _options) = (columns, kind == OutputKind.Indicator ? options
            : throw new NotSupportedException($"The stand-in for ML.NET has no one-hot encoding of the kind {kind}."));
    public OneHotEncodingTransformer Fit(IDataView input) => new(new IndicatorTransformer(_columns, KeyMap.TrainAll(input, _columns, _options)));
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Map(_columns, (_, name) => new SchemaShape.Column(name,
        SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, false,
        new SchemaShape.Column(SchemaExtensions.SlotNames, SchemaShape.Column.VectorKind.Vector, TextDataViewType.Instance, false)));

    public enum OutputKind : byte { Bag = 1, Indicator = 2, Key = 3, Binary = 4 }
}

public sealed class OneHotEncodingTransformer : IWrappingTransformer
{
    private readonly ITransformer _inner;
    internal OneHotEncodingTransformer(ITransformer inner) => _inner = inner;
    ITransformer IWrappingTransformer.Inner => _inner;
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _inner.GetOutputSchema(inputSchema);
    public IDataView Transform(IDataView input) => _inner.Transform(input);
}

/// <summary>A scalar as an indicator vector. A value that was not seen in training has no 1: all of it is 0.</summary>
internal sealed class IndicatorTransformer(InputOutputColumnPair[] columns, KeyMap[] maps) : OneToOneTransformerBase(Signature, columns, (i, source) =>
{
    var size = source.Type is not VectorDataViewType ? (int)maps[i].KeyTypeFor(source).Count
        : throw new NotSupportedException($"The stand-in for ML.NET does not one-hot encode vectors, such as '{source.Name}'.");
    return (new VectorDataViewType(NumberDataViewType.Single, size),
        maps[i].Annotate(DataViewSchema.Annotations.Empty, SchemaExtensions.SlotNames), row => Getter(maps[i].Getter(row, source).As<uint>(), size));
}, writer => writer.WriteArray(maps, (w, map) => map.Write(w)))
{
    internal const string Signature = "OneHotEncodingTransform";

    private static ValueGetter<VBuffer<float>> Getter(ValueGetter<uint> getter, int size)
    {
        var key = 0u;
        return (ref VBuffer<float> value) =>
        {
            getter(ref key);
            var editor = VBufferEditor.Create(ref value, size, key == 0 ? 0 : 1);
            editor.Values.Fill(1);
            if (!editor.Indices.IsEmpty)
                editor.Indices[0] = (int)key - 1;
            value = editor.Commit();
        };
    }
}
