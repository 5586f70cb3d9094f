using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Transforms.Onnx;

public sealed class OnnxScoringEstimator : TrivialEstimator<OnnxTransformer>
{
    internal OnnxScoringEstimator(OnnxTransformer transformer) : base(transformer)
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        foreach (var input in Transformer.Inputs)
        {
            var column = inputSchema.Require(input);
            if (!column.ItemType.Equals(Transformer.InputType(input).ItemType()))
                throw SchemaExtensions.Mismatch("input", input, Transformer.InputType(input).ItemType(), column.ItemType);
        }
        return inputSchema.With(Transformer.Outputs.Select(output => new SchemaShape.Column(output,
            Transformer.OutputType(output) is VectorDataViewType { IsKnownSize: true }
                ? SchemaShape.Column.VectorKind.Vector : SchemaShape.Column.VectorKind.VariableVector,
            Transformer.OutputType(output).ItemType())));
    }
}

/// <summary>Scores one row at a time with an ONNX model, as the real one does.</summary>
public sealed class OnnxTransformer : RowToRowTransformerBase, IDisposable
{
    internal const string Signature = "OnnxTransform";
    private readonly OnnxOptions _options;
    private readonly byte[] _bytes;
    private readonly InferenceSession _session;

    internal OnnxTransformer(MLContext context, OnnxOptions options, byte[] bytes)
    {
        if (bytes is null && !File.Exists(options.ModelFile))
            throw new IOException($"Model file {options.ModelFile} does not exists.");
        _options = options;
        _bytes = bytes;
        try
        {
            _session = Open(context);
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidOperationException($"Error initializing model :{e}", e);
        }
        Inputs = options.InputColumns is { Length: > 0 } inputs ? inputs : [.. _session.InputNames];
        Outputs = options.OutputColumns is { Length: > 0 } outputs ? outputs : [.. _session.OutputNames];
        foreach (var name in Inputs)
            InputType(name);
        foreach (var name in Outputs)
            OutputType(name);
    }

    internal string[] Inputs { get; }

    internal string[] Outputs { get; }

    public void Dispose() => _session.Dispose();

    internal DataViewType InputType(string name) => TypeOf(name, _session.InputMetadata);

    internal DataViewType OutputType(string name) => TypeOf(name, _session.OutputMetadata);

    internal static OnnxTransformer Load(ModelLoadContext ctx)
    {
        var bytes = ctx.Reader.ReadBytes(ctx.Reader.ReadInt32());
        var options = new OnnxOptions
        {
            InputColumns = ctx.Reader.ReadStrings(),
            OutputColumns = ctx.Reader.ReadStrings(),
            ShapeDictionary = ctx.Reader.ReadArray(r => (Name: r.ReadString(), Shape: r.ReadArray(d => d.ReadInt32()))).ToDictionary(s => s.Name, s => s.Shape),
            GpuDeviceId = ctx.Context.GpuDeviceId,
            FallbackToCpu = ctx.Context.FallbackToCpu,
        };
        return new OnnxTransformer(ctx.Context, options, bytes);
    }

    private protected override void Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        var bytes = _bytes ?? File.ReadAllBytes(_options.ModelFile);
        ctx.Writer.Write(bytes.Length);
        ctx.Writer.Write(bytes);
        ctx.Writer.WriteStrings(Inputs);
        ctx.Writer.WriteStrings(Outputs);
        ctx.Writer.WriteArray(_options.ShapeDictionary?.ToArray() ?? [], (w, shape) =>
        {
            w.Write(shape.Key);
            w.WriteArray(shape.Value, (d, size) => d.Write(size));
        });
    }

    private protected override RowMapper Bind(DataViewSchema inputSchema) => new Mapper(this, inputSchema);

    private InferenceSession Open(MLContext context)
    {
        var common = context.GetOnnxSessionOption() ?? new OnnxSessionOptions();
        if (common.CreateSessionOptions is not null)
            return Open(common.CreateSessionOptions());
        if (_options.GpuDeviceId is { } device)
        {
            try
            {
                var cuda = SessionOptions.MakeSessionOptionWithCudaProvider(device);
                common.CopyTo(cuda, _options);
                return Open(cuda);
            }
            catch (OnnxRuntimeException) when (_options.FallbackToCpu)
            {
            }
        }
        var options = new SessionOptions();
        common.CopyTo(options, _options);
        return Open(options);
    }

    private InferenceSession Open(SessionOptions options)
        => _bytes is null ? new InferenceSession(_options.ModelFile, options) : new InferenceSession(_bytes, options);

    private DataViewType TypeOf(string name, IReadOnlyDictionary<string, NodeMetadata> nodes)
    {
        var node = nodes.TryGetValue(name, out var found) ? found
            : throw new ArgumentException($"The model has no input or output '{name}', but {string.Join(", ", nodes.Keys)}.");
        var item = SchemaExtensions.PrimitiveOf(node.ElementType);
        var shape = ShapeOf(name, node);
        return shape.Length == 0 ? item : shape.Contains(0) ? new VectorDataViewType(item) : new VectorDataViewType(item, shape);
    }

    // An unknown first dimension is the batch, of one row; any other unknown one is 0.
    private int[] ShapeOf(string name, NodeMetadata node) => _options.ShapeDictionary is { } shapes && shapes.TryGetValue(name, out var shape)
        ? shape : node.Dimensions.Select((d, i) => d > 0 ? d : i == 0 ? 1 : 0).ToArray();

    private sealed class Mapper : RowMapper
    {
        private readonly OnnxTransformer _parent;
        private readonly DataViewSchema.Column[] _sources;

        public Mapper(OnnxTransformer parent, DataViewSchema inputSchema) : base(inputSchema, parent.Outputs.Select(output
            => new DataViewSchema.DetachedColumn(output.EndsWith(".output", StringComparison.Ordinal) ? output[..^7] : output, parent.OutputType(output))))
        {
            _parent = parent;
            _sources = parent.Inputs.Select(name => inputSchema.Require(name)).ToArray();
            foreach (var source in _sources)
            {
                var expected = parent.InputType(source.Name);
                if (source.Type.ItemType().RawType != expected.ItemType().RawType)
                    throw SchemaExtensions.Mismatch("input", source.Name, expected.ItemType(), source.Type);
                var (size, given) = ((expected as VectorDataViewType)?.Size ?? 1, (source.Type as VectorDataViewType)?.Size ?? 1);
                if (size > 0 && given % size != 0)
                {
                    throw new InvalidOperationException($"Input shape mismatch: Input '{source.Name}' has shape "
                        + $"{string.Join(",", parent.ShapeOf(source.Name, parent._session.InputMetadata[source.Name]))}, but input data is of length {given}.");
                }
            }
        }

        public override IEnumerable<int> SourcesOf(int added) => _sources.Select(s => s.Index);

        public override Delegate[] CreateGetters(DataViewRow input, bool[] active, out IDisposable resource)
        {
            resource = null;
            var outputs = _parent.Outputs.Where((_, i) => active[i]).ToArray();
            if (outputs.Length == 0)
                return new Delegate[active.Length];
            var run = new RowRun(input, _parent._session, outputs,
                _sources.Select(s => s.Type.ItemType().RawType.For<Func<NamedOnnxValue>>(Feed<int>, input, s)).ToArray());
            return _parent.Outputs.Select((output, i) => active[i]
                ? _parent.OutputType(output).ItemType().RawType.For<Delegate>(Getter<int>, run, Array.IndexOf(outputs, output)) : null).ToArray();
        }

        private Func<NamedOnnxValue> Feed<T>(DataViewRow row, DataViewSchema.Column source)
        {
            var shape = _parent.ShapeOf(source.Name, _parent._session.InputMetadata[source.Name]).ToArray();
            var unknown = Array.IndexOf(shape, 0);
            var known = shape.Where(d => d > 0).Aggregate(1, (product, d) => product * d);
            var read = Reader<T>(row, source);
            return () =>
            {
                var values = read();
                if (unknown >= 0)
                    shape[unknown] = values.Length / known;
                return values is ReadOnlyMemory<char>[] texts
                    ? NamedOnnxValue.CreateFromTensor(source.Name, new DenseTensor<string>(texts.Select(t => t.ToString()).ToArray(), shape))
                    : NamedOnnxValue.CreateFromTensor(source.Name, new DenseTensor<T>(values, shape));
            };
        }

        private static Func<T[]> Reader<T>(DataViewRow row, DataViewSchema.Column source)
        {
            var values = new T[1];
            if (source.Type is not VectorDataViewType)
            {
                var getter = row.GetGetter<T>(source);
                return () =>
                {
                    getter(ref values[0]);
                    return values;
                };
            }
            var vectorGetter = row.GetGetter<VBuffer<T>>(source);
            VBuffer<T> vector = default;
            return () =>
            {
                vectorGetter(ref vector);
                if (values.Length != vector.Length)
                    values = new T[vector.Length];
                vector.CopyTo(values);
                return values;
            };
        }

        private static Delegate Getter<T>(RowRun run, int output) => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) =>
        {
            var result = run.Current()[output] is DenseTensor<string> texts
                ? (T[])(object)texts.Buffer.ToArray().Select(t => t.AsMemory()).ToArray()
                : ((DenseTensor<T>)run.Current()[output]).Buffer.ToArray();
            VBuffer<T>.Copy(result, 0, ref value, result.Length);
        });
    }

    /// <summary>The outputs for the current row: computed once, when the first of them is asked for.</summary>
    private sealed class RowRun(DataViewRow row, InferenceSession session, string[] outputs, Func<NamedOnnxValue>[] inputs)
    {
        private readonly object[] _results = new object[outputs.Length];
        private long _position = -1;

        public object[] Current()
        {
            if (_position == row.Position)
                return _results;
            using var values = session.Run(inputs.Select(i => i()).ToArray(), outputs);
            for (var i = 0; i < _results.Length; i++)
                _results[i] = Copy(values[i]);
            _position = row.Position;
            return _results;
        }

        // The native memory goes with the run.
        private static object Copy(DisposableNamedOnnxValue value) => value.Value switch
        {
            Tensor<string> tensor => tensor.Clone(),
            Tensor<float> tensor => tensor.Clone(),
            Tensor<double> tensor => tensor.Clone(),
            Tensor<long> tensor => tensor.Clone(),
            Tensor<int> tensor => tensor.Clone(),
            Tensor<bool> tensor => tensor.Clone(),
            Tensor<byte> tensor => tensor.Clone(),
            _ => throw new NotSupportedException($"The stand-in for ML.NET can't read the output '{value.Name}' of type {value.ElementType}."),
        };
    }
}
