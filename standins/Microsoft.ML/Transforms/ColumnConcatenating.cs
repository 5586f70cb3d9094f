using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Transforms
{
    public sealed class ColumnConcatenatingEstimator : IEstimator<ColumnConcatenatingTransformer>
    {
        private readonly string _output;
        private readonly string[] _inputs;

        internal ColumnConcatenatingEstimator(string output, string[] inputs)
        {
            ArgumentException.ThrowIfNullOrEmpty(output);
            if (inputs is not { Length: > 0 } || Array.Exists(inputs, string.IsNullOrEmpty))
                throw new ArgumentException("Input columns not specified", nameof(inputs));
            _output = output;
            _inputs = inputs;
        }

        public ColumnConcatenatingTransformer Fit(IDataView input) => new(_output, _inputs);

        public SchemaShape GetOutputSchema(SchemaShape inputSchema)
        {
            var sources = _inputs.Select(inputSchema.Require).ToArray();
            foreach (var source in sources)
            {
                if (source.IsKey)
                    throw new InvalidOperationException($"Column '{source.Name}' is key. Concatenation of keys is unsupported.");
                if (!source.ItemType.Equals(sources[0].ItemType))
                {
                    throw new InvalidOperationException($"Concatenated columns should have the same type. Column '{source.Name}' has type of "
                        + $"{source.ItemType}, but expected column type is {sources[0].ItemType}.");
                }
            }
            var isVariable = Array.Exists(sources, s => s.Kind == SchemaShape.Column.VectorKind.VariableVector);
            var annotations = new List<SchemaShape.Column>();
            if (Array.TrueForAll(sources, s => s.Has(SchemaExtensions.IsNormalized)))
                annotations.Add(new SchemaShape.Column(SchemaExtensions.IsNormalized, BooleanDataViewType.Instance));
            if (Array.Exists(sources, s => s.Kind == SchemaShape.Column.VectorKind.Scalar || s.Has(SchemaExtensions.SlotNames)))
                annotations.Add(new SchemaShape.Column(SchemaExtensions.SlotNames, SchemaShape.Column.VectorKind.Vector, TextDataViewType.Instance));
            var kind = isVariable ? SchemaShape.Column.VectorKind.VariableVector : SchemaShape.Column.VectorKind.Vector;
            return inputSchema.With(new SchemaShape.Column(_output, kind, sources[0].ItemType, false, new SchemaShape(annotations)));
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

        internal ColumnConcatenatingTransformer(string output, string[] inputs)
        {
            _output = output;
            _inputs = inputs;
        }

        internal static ColumnConcatenatingTransformer Load(ModelLoadContext ctx) => new(ctx.Reader.ReadString(), ctx.Reader.ReadStrings());

        private protected override void Save(ModelSaveContext ctx)
        {
            ctx.SetSignature(Signature);
            ctx.Writer.Write(_output);
            ctx.Writer.WriteStrings(_inputs);
        }

        private protected override RowMapper Bind(DataViewSchema inputSchema)
        {
            var sources = _inputs.Select(name => inputSchema.Require(name)).ToArray();
            var item = sources[0].Type.ItemType();
            foreach (var source in sources.Where(s => !s.Type.ItemType().Equals(item)))
                throw SchemaExtensions.Mismatch("input", source.Name, item, source.Type);
            var indices = sources.Select(s => s.Index).ToArray();
            // One vector alone stays what it is.
            var column = sources is [{ Type: VectorDataViewType }]
                ? new DataViewSchema.DetachedColumn(_output, sources[0].Type, sources[0].Annotations)
                : new DataViewSchema.DetachedColumn(_output, new VectorDataViewType((PrimitiveDataViewType)item, SizeOf(sources)), AnnotationsOf(sources));
            return new ColumnwiseMapper(inputSchema, [new AddedColumn(column, indices, row => item.RawType.For<Delegate>(Getter<int>, row, indices))]);
        }

        private static int SizeOf(DataViewSchema.Column[] sources)
        {
            var sizes = sources.Select(s => (s.Type as VectorDataViewType)?.Size ?? 1).ToArray();
            return sizes.Contains(0) ? 0 : sizes.Sum();
        }

        private static DataViewSchema.Annotations AnnotationsOf(DataViewSchema.Column[] sources)
        {
            var builder = new DataViewSchema.Annotations.Builder();
            if (Array.TrueForAll(sources, s => s.IsNormalized() && s.Type.ItemType() is NumberDataViewType))
                builder.AddIsNormalized();
            if (SizeOf(sources) > 0 && Array.Exists(sources, s => s.Type is not VectorDataViewType || s.HasSlotNames()))
                builder.AddSlotNames(sources.SelectMany(NamesOf).ToArray());
            return builder.ToAnnotations();
        }

        private static IEnumerable<ReadOnlyMemory<char>> NamesOf(DataViewSchema.Column source)
        {
            if (source.Type is not VectorDataViewType vector)
                return [source.Name.AsMemory()];
            VBuffer<ReadOnlyMemory<char>> names = default;
            if (!source.HasSlotNames())
                return new ReadOnlyMemory<char>[vector.Size];
            source.GetSlotNames(ref names);
            return names.DenseValues().Select(n => n.IsEmpty ? n : $"{source.Name}.{n}".AsMemory());
        }

        private static Delegate Getter<T>(DataViewRow row, int[] sources)
        {
            var parts = new VBuffer<T>[sources.Length];
            var readers = sources.Select((source, i) => Reader(row, row.Schema[source], parts, i)).ToArray();
            return (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) =>
            {
                var (length, count) = (0, 0);
                for (var i = 0; i < parts.Length; i++)
                {
                    readers[i]();
                    length += parts[i].Length;
                    count += parts[i].GetValues().Length;
                }
                // Sparse as soon as no more than half of it is explicit, like the real one.
                var sparse = count <= length / 2;
                var editor = VBufferEditor.Create(ref value, length, sparse ? count : length);
                var (offset, written) = (0, 0);
                foreach (var part in parts)
                {
                    var values = part.GetValues();
                    if (sparse)
                    {
                        values.CopyTo(editor.Values[written..]);
                        for (var i = 0; i < values.Length; i++)
                            editor.Indices[written++] = offset + (part.IsDense ? i : part.GetIndices()[i]);
                    }
                    else
                    {
                        part.CopyTo(editor.Values, offset);
                    }
                    offset += part.Length;
                }
                value = editor.Commit();
            });
        }

        private static Action Reader<T>(DataViewRow row, DataViewSchema.Column column, VBuffer<T>[] parts, int index)
        {
            if (column.Type is not VectorDataViewType vector)
            {
                var scalar = row.GetGetter<T>(column);
                var memory = new T[1];
                parts[index] = new VBuffer<T>(1, memory);
                return () => scalar(ref memory[0]);
            }
            var getter = row.GetGetter<VBuffer<T>>(column);
            return () =>
            {
                getter(ref parts[index]);
                if (vector.Size != 0 && vector.Size != parts[index].Length)
                    throw new InvalidOperationException($"Column '{column.Name}': expected {vector.Size} slots, but got {parts[index].Length}");
            };
        }
    }
}
