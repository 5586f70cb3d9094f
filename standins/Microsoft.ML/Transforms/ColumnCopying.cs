using Microsoft.ML.Data;
using Microsoft.ML.Models;

namespace Microsoft.ML.Transforms;

public sealed class ColumnCopyingEstimator : TrivialEstimator<ColumnCopyingTransformer>
{
    internal ColumnCopyingEstimator(ColumnCopyingTransformer transformer) : base(transformer)
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
        => inputSchema.With(Transformer.Pairs.Select(p => inputSchema.Require(p.InputColumnName).Renamed(p.OutputColumnName)));
}

public sealed class ColumnCopyingTransformer : OneToOneTransformerBase
{
    internal const string Signature = "CopyTransform";

    internal ColumnCopyingTransformer(IEnumerable<InputOutputColumnPair> columns) : base(columns)
    {
    }

    internal IReadOnlyList<InputOutputColumnPair> Pairs => Columns;

    internal static ColumnCopyingTransformer Load(ModelLoadContext ctx) => new(ReadColumns(ctx.Reader));

    private protected override void Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        WriteColumns(ctx.Writer);
    }

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
        => (source.Type, source.Annotations, row => source.Type.RawType.For<Delegate>(Getter<int>, row, source));

    private static Delegate Getter<T>(DataViewRow row, DataViewSchema.Column column) => row.GetGetter<T>(column);
}
