namespace Microsoft.ML.Data
{
    /// <summary>A transformer that adds columns, each row by itself.</summary>
    public abstract class RowToRowTransformerBase : ITransformer
    {
        private readonly string _signature;
        private protected RowToRowTransformerBase(string signature) => _signature = signature;
        bool ITransformer.IsRowToRowMapper => true;
        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).OutputSchema;
        public IDataView Transform(IDataView input) => Bind(input.Schema).Map(input);
        IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => Bind(inputSchema);
        private protected abstract RowMapper Bind(DataViewSchema inputSchema);
        private protected abstract void Write(BinaryWriter writer);
        void ICanSaveModel.Save(ModelSaveContext ctx) { ctx.SetSignature(_signature); Write(ctx.Writer); }
    }

    /// <summary>An output column made from one input column: its type, its annotations, and how it is read off a row.</summary>
    internal delegate (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) MapColumn(int index, DataViewSchema.Column source);

    /// <summary>A transformer that computes each output column from one input column.</summary>
    public abstract class OneToOneTransformerBase : RowToRowTransformerBase
    {
        private readonly MapColumn _map;
        private readonly Action<BinaryWriter> _write;
        private protected OneToOneTransformerBase(string signature, InputOutputColumnPair[] columns, MapColumn map, Action<BinaryWriter> write = null)
            : base(signature) => (Columns, _map, _write) = (columns, map, write);
        internal InputOutputColumnPair[] Columns { get; }

        private protected sealed override RowMapper Bind(DataViewSchema inputSchema) => new(inputSchema, inputSchema, Columns.Select((pair, i) =>
        {
            var source = inputSchema.Require(pair.InputColumnName);
            var (type, annotations, getter) = _map(i, source);
            return new AddedColumn(new DataViewSchema.DetachedColumn(pair.OutputColumnName, type, annotations), [source.Index], getter);
        }));

        private protected sealed override void Write(BinaryWriter writer)
        {
            writer.WriteStrings(Columns.Select(c => c.OutputColumnName));
            writer.WriteStrings(Columns.Select(c => c.InputColumnName));
            _write?.Invoke(writer);
        }
    }

    /// <summary>An estimator that learns nothing.</summary>
    public abstract class TrivialEstimator<TTransformer> : IEstimator<TTransformer> where TTransformer : class, ITransformer
    {
        private protected TrivialEstimator(TTransformer transformer) => Transformer = transformer;
        private protected TTransformer Transformer { get; }
        public abstract SchemaShape GetOutputSchema(SchemaShape inputSchema);
        public TTransformer Fit(IDataView input) { Transformer.GetOutputSchema(input.Schema); return Transformer; }
    }
}

namespace Microsoft.ML.Rows
{
    /// <summary>A transformer made of functions, for public ones that may not have a public base class.</summary>
    internal sealed class FunctionTransformer(string signature, Func<DataViewSchema, RowMapper> bind, Action<BinaryWriter> write) : RowToRowTransformerBase(signature)
    {
        private protected override RowMapper Bind(DataViewSchema inputSchema) => bind(inputSchema);
        private protected override void Write(BinaryWriter writer) => write(writer);
    }

    internal interface IWrappingTransformer : ITransformer
    {
        ITransformer Inner { get; }
        bool ITransformer.IsRowToRowMapper => Inner.IsRowToRowMapper;
        IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => Inner.GetRowToRowMapper(inputSchema);
        void ICanSaveModel.Save(ModelSaveContext ctx) => Inner.Save(ctx);
    }
}
