using Microsoft.ML.Data;
using Microsoft.ML.Models;

namespace Microsoft.ML.Transforms;

public sealed class ValueToKeyMappingEstimator : IEstimator<ValueToKeyMappingTransformer>
{
    private readonly InputOutputColumnPair[] _columns;
    private readonly int _maximum;
    private readonly KeyOrdinality _ordinality;
    private readonly bool _asText;
    private readonly IDataView _keyData;

    internal ValueToKeyMappingEstimator(InputOutputColumnPair[] columns, int maximum, KeyOrdinality ordinality, bool asText, IDataView keyData)
    {
        if (keyData is { Schema.Count: not 1 })
            throw new ArgumentException($"The data view of keys must have one column, but has {keyData.Schema.Count}.", nameof(keyData));
        _columns = columns;
        _maximum = maximum;
        _ordinality = ordinality;
        _asText = asText;
        _keyData = keyData;
    }

    public ValueToKeyMappingTransformer Fit(IDataView input) => new(_columns, _columns.Select(pair =>
    {
        var column = input.Schema.Require(pair.InputColumnName);
        var (data, source) = _keyData is null ? (input, column) : (_keyData, _keyData.Schema[0]);
        if (!source.Type.ItemType().Equals(column.Type.ItemType()))
            throw new ArgumentException($"The keys are of type {source.Type}, the column '{column.Name}' is of {column.Type}.");
        return KeyMap.Train(data, source, _ordinality, _maximum, _asText);
    }).ToArray());

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.With(_columns.Select(pair =>
    {
        var source = inputSchema.Require(pair.InputColumnName);
        var values = new SchemaShape.Column(SchemaExtensions.KeyValues, SchemaShape.Column.VectorKind.Vector,
            _asText ? TextDataViewType.Instance : source.ItemType, source.IsKey);
        var annotations = source.Annotations.Where(a => a.Name == SchemaExtensions.SlotNames).Append(values);
        return new SchemaShape.Column(pair.OutputColumnName, source.Kind, NumberDataViewType.UInt32, true, new SchemaShape(annotations));
    }));

    public enum KeyOrdinality : byte
    {
        ByOccurrence = 0,
        ByValue = 1,
    }
}

public sealed class ValueToKeyMappingTransformer : OneToOneTransformerBase
{
    internal const string Signature = "TermTransform";
    private readonly KeyMap[] _maps;

    internal ValueToKeyMappingTransformer(InputOutputColumnPair[] columns, KeyMap[] maps) : base(columns) => _maps = maps;

    internal static ValueToKeyMappingTransformer Load(ModelLoadContext ctx) => new(ReadColumns(ctx.Reader), ctx.Reader.ReadArray(KeyMap.Read));

    private protected override void Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        WriteColumns(ctx.Writer);
        ctx.Writer.WriteArray(_maps, (w, map) => map.Write(w));
    }

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
    {
        var map = _maps[index];
        if (!source.Type.ItemType().Equals(map.ItemType))
            throw SchemaExtensions.Mismatch("input", source.Name, map.ItemType, source.Type);
        var builder = new DataViewSchema.Annotations.Builder();
        map.AddKeyValues(builder);
        builder.Add(source.Annotations, kind => kind == SchemaExtensions.SlotNames);
        DataViewType type = source.Type is VectorDataViewType vector ? new VectorDataViewType(map.KeyType, vector.Dimensions) : map.KeyType;
        return (type, builder.ToAnnotations(), row => map.Getter(row, source));
    }
}
