using System.Runtime.CompilerServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Microsoft.ML.Transforms.Onnx;

public sealed class OnnxScoringEstimator : TrivialEstimator<OnnxTransformer>
{
    internal OnnxScoringEstimator(OnnxTransformer transformer) : base(transformer) { }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        foreach (var input in Transformer.Inputs)
        {
            var (given, expected) = (inputSchema.Require(input.Key).ItemType, input.Value.Type.ItemType());
            if (!given.Equals(expected))
                throw SchemaExtensions.Mismatch("input", input.Key, expected, given);
        }
        return inputSchema.With(Transformer.Outputs.Select(o => new SchemaShape.Column(o.Key, o.Value.Type)));
    }
}

/// <summary>Scores one row at a time with an ONNX model, as the real one does.</summary>
public sealed class OnnxTransformer : RowToRowTransformerBase, IDisposable, ICanSaveModel
{
    internal const string Signature = "OnnxTransform", ModelEntry = "OnnxModel";
    private readonly Func<byte[]> _model;
    private readonly InferenceSession _session;

    internal OnnxTransformer(MLContext context, Func<byte[]> model, string[] outputs, string[] inputs, int? gpuDeviceId, bool fallbackToCpu)
        : base(Signature)
    {
        _model = model;
        try
        {
            _session = new InferenceSession(model(), SessionOptionsOf(context, gpuDeviceId, fallbackToCpu));
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidOperationException($"Error initializing model :{e}", e);
        }
        Inputs = Describe(inputs, _session.InputMetadata);
        Outputs = Describe(outputs, _session.OutputMetadata);
    }

    /// <summary>The columns that the model reads, in order, with their shapes; an unknown dimension is 0, but an unknown first one is 1.</summary>
    internal Dictionary<string, (int[] Shape, DataViewType Type)> Inputs { get; }
    internal Dictionary<string, (int[] Shape, DataViewType Type)> Outputs { get; }
    public void Dispose() => _session.Dispose();

    internal static OnnxTransformer Load(MLContext context, BinaryReader reader, byte[] model)
        => new(context, () => model, reader.ReadStrings(), reader.ReadStrings(), context.GpuDeviceId, context.FallbackToCpu);

    private protected override void Write(BinaryWriter writer)
    {
        writer.WriteStrings(Outputs.Keys);
        writer.WriteStrings(Inputs.Keys);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx) { ctx.SetSignature(Signature); Write(ctx.Writer); ctx.SaveBytes(ModelEntry, _model()); }

    private protected override RowMapper Bind(DataViewSchema inputSchema)
    {
        var sources = Inputs.Select(input =>
        {
            var source = inputSchema.Require(input.Key);
            var (expected, given) = (input.Value.Type, (source.Type as VectorDataViewType)?.Size ?? 1);
            if (source.Type.ItemType().RawType != expected.ItemType().RawType)
                throw SchemaExtensions.Mismatch("input", source.Name, expected.ItemType(), source.Type);
            if (expected is VectorDataViewType { Size: > 0 } vector && given % vector.Size != 0)
            {
                throw new InvalidOperationException($"Input shape mismatch: Input '{source.Name}' has shape {string.Join(",", input.Value.Shape)}, "
                    + $"but input data is of length {given}.");
            }
            return source;
        }).ToArray();
        var indices = sources.Select(s => s.Index).ToArray();
        var rows = new ConditionalWeakTable<DataViewRow, Func<IReadOnlyList<NamedOnnxValue>>>();
        return new RowMapper(inputSchema, inputSchema, Outputs.Select((output, i) => new AddedColumn(
            new DataViewSchema.DetachedColumn(output.Key.EndsWith(".output", StringComparison.Ordinal) ? output.Key[..^7] : output.Key, output.Value.Type),
            indices, row => output.Value.Type.ItemType().RawType.For<Delegate>(Getter<int>, rows.GetValue(row, r => Run(r, sources)), i))));
    }

    private static Delegate Getter<T>(Func<IReadOnlyList<NamedOnnxValue>> run, int output) => typeof(T) == typeof(ReadOnlyMemory<char>)
        ? Values.Getter(true, () => run()[output].AsEnumerable<string>().Select(text => text.AsMemory()).ToArray())
        : Values.Getter(true, () => run()[output].AsTensor<T>().ToArray());

    /// <summary>The outputs for the current row: computed once, when the first of them is asked for.</summary>
    private Func<IReadOnlyList<NamedOnnxValue>> Run(DataViewRow row, DataViewSchema.Column[] sources)
    {
        var feeds = sources.Select(s => s.Type.ItemType().RawType.For<Func<NamedOnnxValue>>(Feed<int>, row, s, Inputs[s.Name].Shape)).ToArray();
        var (results, position) = ((IDisposableReadOnlyCollection<DisposableNamedOnnxValue>)null, -1L);
        return () =>
        {
            if (position == row.Position)
                return results;
            results?.Dispose();
            results = _session.Run(Array.ConvertAll(feeds, feed => feed()), Outputs.Keys);
            position = row.Position;
            return results;
        };
    }

    private static Func<NamedOnnxValue> Feed<T>(DataViewRow row, DataViewSchema.Column source, int[] shape)
    {
        var (read, unknown, known) = (Values.Reader<T>(row, source), Array.IndexOf(shape, 0), shape.Where(d => d > 0).Aggregate(1, (p, d) => p * d));
        return () =>
        {
            var values = read();
            var dimensions = shape.Select((d, i) => i == unknown ? values.Length / known : d).ToArray();
            return values is ReadOnlyMemory<char>[] texts
                ? NamedOnnxValue.CreateFromTensor(source.Name, new DenseTensor<string>(texts.Select(t => t.ToString()).ToArray(), dimensions))
                : NamedOnnxValue.CreateFromTensor(source.Name, new DenseTensor<T>(values, dimensions));
        };
    }

    private static SessionOptions SessionOptionsOf(MLContext context, int? gpuDeviceId, bool fallbackToCpu)
    {
        if (context.GetOnnxSessionOption()?.CreateSessionOptions is { } create)
            return create();
        try
        {
            return gpuDeviceId is { } device ? SessionOptions.MakeSessionOptionWithCudaProvider(device) : new SessionOptions();
        }
        catch (OnnxRuntimeException) when (fallbackToCpu)
        {
            return new SessionOptions();
        }
    }

    private static Dictionary<string, (int[] Shape, DataViewType Type)> Describe(string[] names, IReadOnlyDictionary<string, NodeMetadata> nodes)
        => (names.Length == 0 ? nodes.Keys : names).ToDictionary(name => name, name =>
        {
            var node = nodes.TryGetValue(name, out var found) ? found
                : throw new ArgumentException($"The model has no '{name}', but {string.Join(", ", nodes.Keys)}.");
            var shape = node.Dimensions.Select((d, i) => d > 0 ? d : i == 0 ? 1 : 0).ToArray();
            var item = SchemaExtensions.PrimitiveOf(node.ElementType);
            return (shape, shape.Length == 0 ? (DataViewType)item : shape.Contains(0) ? new VectorDataViewType(item) : new VectorDataViewType(item, shape));
        });
}
