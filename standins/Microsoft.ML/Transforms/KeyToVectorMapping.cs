using Microsoft.ML.Data;
using Microsoft.ML.Models;

namespace Microsoft.ML.Transforms;

public sealed class KeyToVectorMappingEstimator : TrivialEstimator<KeyToVectorMappingTransformer>
{
    internal KeyToVectorMappingEstimator(KeyToVectorMappingTransformer transformer) : base(transformer)
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.With(Transformer.Pairs.Select(pair =>
    {
        var source = inputSchema.Require(pair.InputColumnName);
        var annotations = new List<SchemaShape.Column>();
        if (source.Annotations.Find(SchemaExtensions.KeyValues) is { ItemType: TextDataViewType })
            annotations.Add(new SchemaShape.Column(SchemaExtensions.SlotNames, SchemaShape.Column.VectorKind.Vector, TextDataViewType.Instance));
        if (!Transformer.OutputCounts || source.Kind == SchemaShape.Column.VectorKind.Scalar)
            annotations.Add(new SchemaShape.Column(SchemaExtensions.IsNormalized, BooleanDataViewType.Instance));
        var kind = source.Kind == SchemaShape.Column.VectorKind.VariableVector && !Transformer.OutputCounts
            ? SchemaShape.Column.VectorKind.VariableVector : SchemaShape.Column.VectorKind.Vector;
        return new SchemaShape.Column(pair.OutputColumnName, kind, NumberDataViewType.Single, false, new SchemaShape(annotations));
    }));
}

/// <summary>A key as an indicator vector; a vector of keys as one indicator vector after another, or as one vector of counts.</summary>
public sealed class KeyToVectorMappingTransformer : OneToOneTransformerBase
{
    internal const string Signature = "KeyToVectorTransform";

    internal KeyToVectorMappingTransformer(IEnumerable<InputOutputColumnPair> columns, bool outputCounts) : base(columns) => OutputCounts = outputCounts;

    internal bool OutputCounts { get; }

    internal IReadOnlyList<InputOutputColumnPair> Pairs => Columns;

    internal static KeyToVectorMappingTransformer Load(ModelLoadContext ctx) => new(ReadColumns(ctx.Reader), ctx.Reader.ReadBoolean());

    private protected override void Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        WriteColumns(ctx.Writer);
        ctx.Writer.Write(OutputCounts);
    }

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
    {
        if (source.Type.ItemType() is not KeyDataViewType key)
            throw SchemaExtensions.Mismatch("input", source.Name, "Key", source.Type);
        var count = checked((int)key.Count);
        var isOne = OutputCounts || source.Type is not VectorDataViewType { Size: not 1 };
        var type = isOne ? new VectorDataViewType(NumberDataViewType.Single, count)
            : new VectorDataViewType(NumberDataViewType.Single, ((VectorDataViewType)source.Type).Size, count);
        var builder = new DataViewSchema.Annotations.Builder();
        if (source.HasKeyValues())
            builder.AddSlotNames(NamesOf(source, isOne ? 1 : ((VectorDataViewType)source.Type).Size));
        if (!OutputCounts || source.Type is not VectorDataViewType)
            builder.AddIsNormalized();
        return (type, builder.ToAnnotations(), row => Getter(KeyReader.Create(row, source), count));
    }

    private static ReadOnlyMemory<char>[] NamesOf(DataViewSchema.Column source, int slots)
    {
        VBuffer<ReadOnlyMemory<char>> keys = default;
        source.GetKeyValues(ref keys);
        var values = keys.DenseValues().ToArray();
        if (source.Type is not VectorDataViewType)
            return values;
        VBuffer<ReadOnlyMemory<char>> slotNames = default;
        if (source.HasSlotNames())
            source.GetSlotNames(ref slotNames);
        return Enumerable.Range(0, slots).SelectMany(slot => values.Select(value
            => $"{(slot < slotNames.Length ? slotNames.GetItemOrDefault(slot).ToString() : $"[{slot}]")}.{value}".AsMemory())).ToArray();
    }

    // A slot whose key is not known has no 1: "unknown" is all zeros.
    private ValueGetter<VBuffer<float>> Getter(Func<ulong[]> read, int count) => (ref VBuffer<float> value) =>
    {
        var keys = read();
        var hits = keys.Select((key, slot) => (Key: key, Index: (OutputCounts ? 0 : slot * count) + (int)key - 1))
            .Where(k => k.Key > 0 && k.Key <= (ulong)count).GroupBy(k => k.Index).OrderBy(g => g.Key).ToArray();
        var editor = VBufferEditor.Create(ref value, OutputCounts ? count : keys.Length * count, hits.Length);
        for (var i = 0; i < hits.Length; i++)
        {
            editor.Values[i] = hits[i].Count();
            if (!editor.Indices.IsEmpty)
                editor.Indices[i] = hits[i].Key;
        }
        value = editor.Commit();
    };
}
