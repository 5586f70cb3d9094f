using Microsoft.ML.Data;
using Microsoft.ML.Models;

namespace Microsoft.ML.Transforms;

public sealed class KeyToValueMappingEstimator : TrivialEstimator<KeyToValueMappingTransformer>
{
    internal KeyToValueMappingEstimator(KeyToValueMappingTransformer transformer) : base(transformer)
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.With(Transformer.Pairs.Select(pair =>
    {
        var source = inputSchema.Require(pair.InputColumnName);
        if (!source.IsKey || source.Annotations.Find(SchemaExtensions.KeyValues) is not { } values)
            throw SchemaExtensions.Mismatch("input", source.Name, "Key with KeyValues", source.TypeName);
        var annotations = source.Annotations.Where(a => a.Name == SchemaExtensions.SlotNames);
        return new SchemaShape.Column(pair.OutputColumnName, source.Kind, values.ItemType, values.IsKey, new SchemaShape(annotations));
    }));
}

public sealed class KeyToValueMappingTransformer : OneToOneTransformerBase
{
    internal const string Signature = "KeyToValueTransform";

    internal KeyToValueMappingTransformer(IEnumerable<InputOutputColumnPair> columns) : base(columns)
    {
    }

    internal IReadOnlyList<InputOutputColumnPair> Pairs => Columns;

    internal static KeyToValueMappingTransformer Load(ModelLoadContext ctx) => new(ReadColumns(ctx.Reader));

    private protected override void Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        WriteColumns(ctx.Writer);
    }

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
    {
        if (source.Type.ItemType() is not KeyDataViewType key)
            throw SchemaExtensions.Mismatch("input", source.Name, "Key", source.Type);
        var item = (source.Annotations.Schema.GetColumnOrNull(SchemaExtensions.KeyValues)?.Type as VectorDataViewType)?.ItemType
            ?? throw SchemaExtensions.Mismatch("input", source.Name, "Key with KeyValues", source.Type);
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add(source.Annotations, kind => kind == SchemaExtensions.SlotNames);
        DataViewType type = source.Type is VectorDataViewType vector ? new VectorDataViewType(item, vector.Dimensions) : item;
        return (type, builder.ToAnnotations(), row => item.RawType.For<Delegate>(Getter<int>, row, source));
    }

    private static Delegate Getter<T>(DataViewRow row, DataViewSchema.Column source)
    {
        VBuffer<T> values = default;
        source.GetKeyValues(ref values);
        var known = values.DenseValues().ToArray();
        var missing = (T)(object)(typeof(T) == typeof(float) ? float.NaN : typeof(T) == typeof(double) ? double.NaN : default(T));
        T ValueOf(ulong key) => key > 0 && key <= (ulong)known.Length ? known[key - 1] : missing;

        var keys = KeyReader.Create(row, source);
        if (source.Type is not VectorDataViewType)
            return (ValueGetter<T>)((ref T value) => value = ValueOf(keys()[0]));
        return (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) =>
        {
            var mapped = keys().Select(ValueOf).ToArray();
            VBuffer<T>.Copy(mapped, 0, ref value, mapped.Length);
        });
    }
}
