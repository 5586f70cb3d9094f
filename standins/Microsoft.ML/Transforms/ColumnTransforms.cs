namespace Microsoft.ML.Transforms
{
    public sealed class ColumnCopyingEstimator : TrivialEstimator<ColumnCopyingTransformer>
    {
        internal ColumnCopyingEstimator(ColumnCopyingTransformer transformer) : base(transformer) { }
        public override SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Map(Transformer.Columns,
            (source, name) => new SchemaShape.Column(name, source.Kind, source.ItemType, source.IsKey, [.. source.Annotations]));
    }

    public sealed class ColumnCopyingTransformer : OneToOneTransformerBase
    {
        internal const string Signature = "CopyTransform";
        internal ColumnCopyingTransformer(InputOutputColumnPair[] columns) : base(Signature, columns, (_, source)
            => (source.Type, source.Annotations, row => source.Type.RawType.For<Delegate>(Getter<int>, row, source)))
        { }
        private static ValueGetter<T> Getter<T>(DataViewRow row, DataViewSchema.Column column) => row.GetGetter<T>(column);
    }

    public sealed class ColumnSelectingEstimator : TrivialEstimator<ColumnSelectingTransformer>
    {
        internal ColumnSelectingEstimator(ColumnSelectingTransformer transformer) : base(transformer) { }
        public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
            => new(Transformer.Choose(inputSchema.Select(c => c.Name)).Select(inputSchema.Require));
    }

    public sealed class ColumnSelectingTransformer : IWrappingTransformer
    {
        internal const string Signature = "SelectColumnsTransform";
        private readonly string[] _names;
        private readonly bool _keep;
        private readonly ITransformer _inner;

        internal ColumnSelectingTransformer(string[] names, bool keep)
        {
            (_names, _keep) = (names, keep);
            _inner = new FunctionTransformer(Signature, schema => new(schema, Choose(schema.Select(c => c.Name)).Select(name => schema[name]), []), writer =>
            {
                writer.WriteStrings(names);
                writer.Write(keep);
            });
        }

        ITransformer IWrappingTransformer.Inner => _inner;
        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _inner.GetOutputSchema(inputSchema);
        public IDataView Transform(IDataView input) => _inner.Transform(input);
        /// <summary>The names that are kept: the chosen ones in the order they were chosen, or all but those.</summary>
        internal IEnumerable<string> Choose(IEnumerable<string> names) => Array.Find(_names, n => !names.Contains(n)) is { } missing
            ? throw SchemaExtensions.Missing("input", missing) : _keep ? _names : names.Distinct().Except(_names);
    }

    public sealed class ColumnConcatenatingEstimator : IEstimator<ColumnConcatenatingTransformer>
    {
        private readonly string _output;
        private readonly string[] _inputs;
        internal ColumnConcatenatingEstimator(string output, string[] inputs) => (_output, _inputs) = (output, inputs);
        public ColumnConcatenatingTransformer Fit(IDataView input) => new(_output, _inputs);

        public SchemaShape GetOutputSchema(SchemaShape inputSchema)
        {
            var sources = _inputs.Select(inputSchema.Require).ToArray();
            foreach (var source in sources.Where(s => s.IsKey || !s.ItemType.Equals(sources[0].ItemType)))
            {
                throw new InvalidOperationException($"Concatenated columns should have the same type, and not be keys. Column '{source.Name}' has "
                    + $"type of {source.TypeName}, but expected column type is {sources[0].ItemType}.");
            }
            SchemaShape.Column[] names = !Array.Exists(sources, s => s.Kind == SchemaShape.Column.VectorKind.Scalar || s.Only(SchemaExtensions.SlotNames).Length > 0)
                ? [] : [new SchemaShape.Column(SchemaExtensions.SlotNames, new VectorDataViewType(TextDataViewType.Instance, 1))];
            var kind = sources.Max(s => s.Kind) == SchemaShape.Column.VectorKind.VariableVector
                ? SchemaShape.Column.VectorKind.VariableVector : SchemaShape.Column.VectorKind.Vector;
            return inputSchema.With(new SchemaShape.Column(_output, kind, sources[0].ItemType, false, names));
        }
    }
}

namespace Microsoft.ML.Data
{
    public sealed class ColumnConcatenatingTransformer : RowToRowTransformerBase
    {
        internal const string Signature = "ConcatTransform";
        private readonly string _output;
        private readonly string[] _inputs;
        internal ColumnConcatenatingTransformer(string output, string[] inputs) : base(Signature) => (_output, _inputs) = (output, inputs);

        private protected override void Write(BinaryWriter writer) { writer.Write(_output); writer.WriteStrings(_inputs); }

        private protected override RowMapper Bind(DataViewSchema inputSchema)
        {
            var sources = _inputs.Select(name => inputSchema.Require(name)).ToArray();
            var item = sources[0].Type.ItemType();
            foreach (var source in sources.Where(s => !s.Type.ItemType().Equals(item)))
                throw SchemaExtensions.Mismatch("input", source.Name, item, source.Type);
            var sizes = sources.Select(s => (s.Type as VectorDataViewType)?.Size ?? 1).ToArray();
            // One vector alone stays what it is.
            var column = sources is [{ Type: VectorDataViewType }]
                ? new DataViewSchema.DetachedColumn(_output, sources[0].Type, sources[0].Annotations)
                : new DataViewSchema.DetachedColumn(_output, new VectorDataViewType(item, sizes.Contains(0) ? 0 : sizes.Sum()), AnnotationsOf(sources, sizes));
            return new RowMapper(inputSchema, inputSchema, [new AddedColumn(column, sources.Select(s => s.Index).ToArray(),
                row => item.RawType.For<Delegate>(Getter<int>, row, sources, sizes))]);
        }

        private static DataViewSchema.Annotations AnnotationsOf(DataViewSchema.Column[] sources, int[] sizes)
            => sizes.Contains(0) || !Array.Exists(sources, s => s.Type is not VectorDataViewType || s.HasSlotNames()) ? null
                : DataViewSchema.Annotations.Empty.With(SchemaExtensions.SlotNames, TextDataViewType.Instance, sources.SelectMany(NamesOf).ToArray());

        private static IEnumerable<ReadOnlyMemory<char>> NamesOf(DataViewSchema.Column source)
        {
            VBuffer<ReadOnlyMemory<char>> names = default;
            if (source.HasSlotNames())
                source.GetSlotNames(ref names);
            return source.Type is not VectorDataViewType vector ? [source.Name.AsMemory()] : !source.HasSlotNames() ? new ReadOnlyMemory<char>[vector.Size]
                : names.DenseValues().Select(n => n.IsEmpty ? n : $"{source.Name}.{n}".AsMemory());
        }

        private static Delegate Getter<T>(DataViewRow row, DataViewSchema.Column[] sources, int[] sizes)
        {
            var readers = sources.Select(s => Values.Reader<T>(row, s)).ToArray();
            return Values.Getter(true, () => readers.SelectMany((read, i) => read() is var part && (sizes[i] == 0 || sizes[i] == part.Length) ? part
                : throw new InvalidOperationException($"Column '{sources[i].Name}': expected {sizes[i]} slots, but got {part.Length}")).ToArray());
        }
    }
}
