using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Transforms;

public sealed class ColumnSelectingEstimator : TrivialEstimator<ColumnSelectingTransformer>
{
    internal ColumnSelectingEstimator(ColumnSelectingTransformer transformer) : base(transformer)
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        Transformer.Check(name => inputSchema.Find(name) is not null);
        return new SchemaShape(inputSchema.Where(c => Transformer.Keeps(c.Name)));
    }
}

/// <summary>Keeps or drops columns: the only transformer here whose output is not the input with columns added.</summary>
public sealed class ColumnSelectingTransformer : ITransformer
{
    internal const string Signature = "SelectColumnsTransform";
    private readonly string[] _names;
    private readonly bool _keep;
    private readonly bool _keepHidden;

    internal ColumnSelectingTransformer(string[] names, bool keep, bool keepHidden)
    {
        if (names is not { Length: > 0 })
            throw new ArgumentException("No columns are named.", nameof(names));
        _names = names;
        _keep = keep;
        _keepHidden = keepHidden;
    }

    bool ITransformer.IsRowToRowMapper => true;

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => new Mapper(this, inputSchema).OutputSchema;

    public IDataView Transform(IDataView input) => new SelectedDataView(input, new Mapper(this, input.Schema));

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => new Mapper(this, inputSchema);

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        ctx.Writer.WriteStrings(_names);
        ctx.Writer.Write(_keep);
        ctx.Writer.Write(_keepHidden);
    }

    internal static ColumnSelectingTransformer Load(ModelLoadContext ctx)
        => new(ctx.Reader.ReadStrings(), ctx.Reader.ReadBoolean(), ctx.Reader.ReadBoolean());

    internal bool Keeps(string name) => _names.Contains(name) == _keep;

    internal void Check(Func<string, bool> exists)
    {
        if (Array.Find(_names, n => !exists(n)) is { } missing)
            throw SchemaExtensions.Missing("input", missing);
    }

    private sealed class Mapper : IRowToRowMapper
    {
        private readonly DataViewSchema.Column[] _sources;

        public Mapper(ColumnSelectingTransformer parent, DataViewSchema inputSchema)
        {
            parent.Check(name => inputSchema.GetColumnOrNull(name) is not null);
            InputSchema = inputSchema;
            // The columns to keep are ordered as they are named.
            var kept = inputSchema.Where(c => (parent._keepHidden || !c.IsHidden) && parent.Keeps(c.Name));
            _sources = (parent._keep ? kept.OrderBy(c => Array.IndexOf(parent._names, c.Name)) : kept).ToArray();
            var builder = new DataViewSchema.Builder();
            builder.AddColumns(_sources);
            OutputSchema = builder.ToSchema();
        }

        public DataViewSchema InputSchema { get; }

        public DataViewSchema OutputSchema { get; }

        public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
            => dependingColumns.Select(SourceOf).ToArray();

        public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns) => new SelectedRow(input, this);

        public DataViewSchema.Column SourceOf(DataViewSchema.Column column) => _sources[column.Index];
    }

    private sealed class SelectedRow(DataViewRow input, Mapper mapper) : DataViewRow
    {
        public override DataViewSchema Schema => mapper.OutputSchema;

        public override long Position => input.Position;

        public override long Batch => input.Batch;

        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

        public override bool IsColumnActive(DataViewSchema.Column column) => input.IsColumnActive(mapper.SourceOf(column));

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => input.GetGetter<TValue>(mapper.SourceOf(column));

        protected override void Dispose(bool disposing)
        {
            input.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class SelectedDataView(IDataView input, Mapper mapper) : IDataView
    {
        public DataViewSchema Schema => mapper.OutputSchema;

        public bool CanShuffle => input.CanShuffle;

        public long? GetRowCount() => input.GetRowCount();

        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
            => new Cursor(input.GetRowCursor(mapper.GetDependencies(columnsNeeded), rand), mapper);

        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
            => [GetRowCursor(columnsNeeded, rand)];

        private sealed class Cursor(DataViewRowCursor input, Mapper mapper) : ForwardingCursor(new SelectedRow(input, mapper))
        {
            public override bool MoveNext() => input.MoveNext();
        }
    }
}
