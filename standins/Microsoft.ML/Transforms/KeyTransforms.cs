using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Transforms;

public sealed class ValueToKeyMappingEstimator : IEstimator<ValueToKeyMappingTransformer>
{
    private readonly InputOutputColumnPair[] _columns;
    private readonly KeyMapOptions _options;

    internal ValueToKeyMappingEstimator(InputOutputColumnPair[] columns, KeyMapOptions options) => (_columns, _options) = (columns, options);

    public ValueToKeyMappingTransformer Fit(IDataView input)
        => new(_columns, _columns.Select(pair => KeyMap.Train(input, input.Schema.Require(pair.InputColumnName), _options)).ToArray());

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Map(_columns, (source, name) =>
    {
        var values = new SchemaShape.Column(SchemaExtensions.KeyValues, SchemaShape.Column.VectorKind.Vector,
            _options.AsText ? TextDataViewType.Instance : source.ItemType, source.IsKey);
        return new SchemaShape.Column(name, source.Kind, NumberDataViewType.UInt32, true, [.. source.Only(SchemaExtensions.SlotNames), values]);
    });

    public enum KeyOrdinality : byte
    {
        ByOccurrence = 0,
        ByValue = 1,
    }
}

public sealed class ValueToKeyMappingTransformer : OneToOneTransformerBase
{
    internal const string Name = "TermTransform";
    private readonly KeyMap[] _maps;
    internal ValueToKeyMappingTransformer(InputOutputColumnPair[] columns, KeyMap[] maps) : base(columns) => _maps = maps;
    private protected override string Signature => Name;
    private protected override void Write(BinaryWriter writer) => writer.WriteArray(_maps, (w, map) => map.Write(w));

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
    {
        _maps[index].Check(source);
        return (source.Type.WithItem(_maps[index].KeyType),
            _maps[index].Annotate(source.Annotations.Only(SchemaExtensions.SlotNames), SchemaExtensions.KeyValues),
            row => _maps[index].Getter(row, source));
    }
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
    internal const string Name = "KeyToValueTransform";
    internal KeyToValueMappingTransformer(IEnumerable<InputOutputColumnPair> columns) : base(columns) { }
    private protected override string Signature => Name;

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
    {
        var item = source.Annotations.Schema.GetColumnOrNull(SchemaExtensions.KeyValues)?.Type.ItemType();
        if (item is null || source.Type.ItemType().RawType != typeof(uint))
            throw SchemaExtensions.Mismatch("input", source.Name, "Key with KeyValues", source.Type);
        return (source.Type.WithItem(item), source.Annotations.Only(SchemaExtensions.SlotNames), row => item.RawType.For<Delegate>(Getter<int>, row, source));
    }

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
    {
        if (kind != OutputKind.Indicator)
            throw new NotSupportedException($"The stand-in for ML.NET has no one-hot encoding of the kind {kind}.");
        (_columns, _options) = (columns, options);
    }

    public OneHotEncodingTransformer Fit(IDataView input)
        => new(_columns, _columns.Select(pair => KeyMap.Train(input, input.Schema.Require(pair.InputColumnName), _options)).ToArray());

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Map(_columns, (_, name) => new SchemaShape.Column(name,
        SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, false, SchemaShape.Column.Normalized,
        new SchemaShape.Column(SchemaExtensions.SlotNames, SchemaShape.Column.VectorKind.Vector, TextDataViewType.Instance, false)));

    public enum OutputKind : byte
    {
        Bag = 1,
        Indicator = 2,
        Key = 3,
        Binary = 4,
    }
}

/// <summary>A scalar as an indicator vector. A value that was not seen in training has no 1: all of it is 0.</summary>
public sealed class OneHotEncodingTransformer : IBoundTransformer
{
    internal const string Signature = "OneHotEncodingTransform";
    private readonly InputOutputColumnPair[] _columns;
    private readonly KeyMap[] _maps;

    internal OneHotEncodingTransformer(InputOutputColumnPair[] columns, KeyMap[] maps) => (_columns, _maps) = (columns, maps);

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).OutputSchema;
    public IDataView Transform(IDataView input) => Bind(input.Schema).Map(input);
    RowMapper IBoundTransformer.Bind(DataViewSchema inputSchema) => Bind(inputSchema);

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        ctx.Writer.WriteStrings(_columns.Select(c => c.OutputColumnName));
        ctx.Writer.WriteStrings(_columns.Select(c => c.InputColumnName));
        ctx.Writer.WriteArray(_maps, (w, map) => map.Write(w));
    }

    private RowMapper Bind(DataViewSchema inputSchema) => new(inputSchema, inputSchema, _columns.Select((pair, i) =>
    {
        var (source, map) = (inputSchema.Require(pair.InputColumnName), _maps[i]);
        map.Check(source);
        if (source.Type is VectorDataViewType)
            throw new NotSupportedException($"The stand-in for ML.NET does not one-hot encode vectors, such as '{source.Name}'.");
        var size = (int)map.KeyType.Count;
        return new AddedColumn(new DataViewSchema.DetachedColumn(pair.OutputColumnName, new VectorDataViewType(NumberDataViewType.Single, size),
            map.Annotate(DataViewSchema.Annotations.Empty, SchemaExtensions.SlotNames).Normalized()), [source.Index],
            row => Getter(map.Getter(row, source).As<uint>(), size));
    }));

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
