using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Data
{
    /// <summary>A transformer that adds columns, each row by itself.</summary>
    public abstract class RowToRowTransformerBase : ITransformer
    {
        private protected RowToRowTransformerBase() { }
        bool ITransformer.IsRowToRowMapper => true;
        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).OutputSchema;
        public IDataView Transform(IDataView input) => Bind(input.Schema).Map(input);
        IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => Bind(inputSchema);
        void ICanSaveModel.Save(ModelSaveContext ctx) => Save(ctx);
        private protected abstract RowMapper Bind(DataViewSchema inputSchema);
        private protected abstract void Save(ModelSaveContext ctx);
    }

    /// <summary>A transformer that computes each output column from one input column.</summary>
    public abstract class OneToOneTransformerBase : RowToRowTransformerBase
    {
        private protected OneToOneTransformerBase(IEnumerable<InputOutputColumnPair> columns) => Columns = [.. columns];

        internal InputOutputColumnPair[] Columns { get; }

        private protected abstract string Signature { get; }

        /// <summary>The output of the <paramref name="index"/>-th pair: its type, its annotations, and how it is read off a row.</summary>
        private protected abstract (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
            int index, DataViewSchema.Column source);

        private protected virtual void Write(BinaryWriter writer) { }

        private protected sealed override void Save(ModelSaveContext ctx)
        {
            ctx.SetSignature(Signature);
            ctx.Writer.WriteStrings(Columns.Select(c => c.OutputColumnName));
            ctx.Writer.WriteStrings(Columns.Select(c => c.InputColumnName));
            Write(ctx.Writer);
        }

        private protected sealed override RowMapper Bind(DataViewSchema inputSchema) => new(inputSchema, inputSchema, Columns.Select((pair, i) =>
        {
            var source = inputSchema.Require(pair.InputColumnName);
            var (type, annotations, getter) = Map(i, source);
            return new AddedColumn(new DataViewSchema.DetachedColumn(pair.OutputColumnName, type, annotations), [source.Index], getter);
        }));
    }

    /// <summary>An estimator that learns nothing.</summary>
    public abstract class TrivialEstimator<TTransformer> : IEstimator<TTransformer> where TTransformer : class, ITransformer
    {
        private protected TrivialEstimator(TTransformer transformer) => Transformer = transformer;
        private protected TTransformer Transformer { get; }
        public abstract SchemaShape GetOutputSchema(SchemaShape inputSchema);

        public TTransformer Fit(IDataView input)
        {
            Transformer.GetOutputSchema(input.Schema);
            return Transformer;
        }
    }
}

namespace Microsoft.ML.Rows
{
    /// <summary>What a public transformer has that has no public base class.</summary>
    internal interface IBoundTransformer : ITransformer
    {
        bool ITransformer.IsRowToRowMapper => true;
        IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => Bind(inputSchema);
        RowMapper Bind(DataViewSchema inputSchema);
    }
}
