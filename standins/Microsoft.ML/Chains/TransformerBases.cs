using Microsoft.ML.Models;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Data;

/// <summary>A transformer that adds columns, each row by itself.</summary>
public abstract class RowToRowTransformerBase : ITransformer
{
    private protected RowToRowTransformerBase()
    {
    }

    bool ITransformer.IsRowToRowMapper => true;

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).OutputSchema;

    public IDataView Transform(IDataView input) => new MappedDataView(input, Bind(input.Schema));

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => Bind(inputSchema);

    void ICanSaveModel.Save(ModelSaveContext ctx) => Save(ctx);

    private protected abstract RowMapper Bind(DataViewSchema inputSchema);

    private protected abstract void Save(ModelSaveContext ctx);
}

/// <summary>A transformer that computes each output column from one input column.</summary>
public abstract class OneToOneTransformerBase : RowToRowTransformerBase
{
    private protected OneToOneTransformerBase(IEnumerable<InputOutputColumnPair> columns) => Columns = [.. columns];

    private protected InputOutputColumnPair[] Columns { get; }

    private protected override RowMapper Bind(DataViewSchema inputSchema) => new ColumnwiseMapper(inputSchema, Columns.Select((pair, i) =>
    {
        var source = inputSchema.Require(pair.InputColumnName);
        var (type, annotations, getter) = Map(i, source);
        return new AddedColumn(new DataViewSchema.DetachedColumn(pair.OutputColumnName, type, annotations), [source.Index], getter);
    }).ToArray());

    /// <summary>The output column for the <paramref name="index"/>-th pair: its type, its annotations, and how it is read off a row.</summary>
    private protected abstract (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source);

    private protected void WriteColumns(BinaryWriter writer) => writer.WriteArray(Columns, (w, pair) =>
    {
        w.Write(pair.OutputColumnName);
        w.Write(pair.InputColumnName);
    });

    private protected static InputOutputColumnPair[] ReadColumns(BinaryReader reader)
        => reader.ReadArray(r => new InputOutputColumnPair(r.ReadString(), r.ReadString()));
}

/// <summary>An estimator that learns nothing.</summary>
public abstract class TrivialEstimator<TTransformer> : IEstimator<TTransformer> where TTransformer : class, ITransformer
{
    private protected TrivialEstimator(TTransformer transformer) => Transformer = transformer;

    private protected TTransformer Transformer { get; }

    public TTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        Transformer.GetOutputSchema(input.Schema);
        return Transformer;
    }

    public abstract SchemaShape GetOutputSchema(SchemaShape inputSchema);
}
