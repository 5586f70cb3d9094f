using System.Runtime.CompilerServices;
using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Microsoft.ML.Rows;

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
public sealed class OnnxTransformer : RowToRowTransformerBase, IDisposable
{
    internal const string Signature = "OnnxTransform";
    private readonly Func<byte[]> _model;
    private readonly InferenceSession _session;

    internal OnnxTransformer(MLContext context, Func<byte[]> model, string[] outputs, string[] inputs, int? gpuDeviceId, bool fallbackToCpu)
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

    internal static OnnxTransformer Load(MLContext context, BinaryReader reader)
    {
        var (outputs, inputs, bytes) = (reader.ReadStrings(), reader.ReadStrings(), reader.ReadBytes(reader.ReadInt32()));
        return new OnnxTransformer(context, () => bytes, outputs, inputs, context.GpuDeviceId, context.FallbackToCpu);
    }

    private protected override void Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        ctx.Writer.WriteStrings(Outputs.Keys);
        ctx.Writer.WriteStrings(Inputs.Keys);
        var bytes = _model();
        ctx.Writer.Write(bytes.Length);
        ctx.Writer.Write(bytes);
    }

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
        var rows = new ConditionalWeakTable<DataViewRow, Func<object[]>>();
        return new RowMapper(inputSchema, inputSchema, Outputs.Select((output, i) => new AddedColumn(
            new DataViewSchema.DetachedColumn(output.Key.EndsWith(".output", StringComparison.Ordinal) ? output.Key[..^7] : output.Key, output.Value.Type),
            indices, row => output.Value.Type.ItemType().RawType.For<Delegate>(Getter<int>, rows.GetValue(row, r => Run(r, sources)), i))));
    }

    private static Delegate Getter<T>(Func<object[]> run, int output) => Values.Getter(true, () => (T[])run()[output]);

    /// <summary>The outputs for the current row: computed once, when the first of them is asked for.</summary>
    private Func<object[]> Run(DataViewRow row, DataViewSchema.Column[] sources)
    {
        var feeds = sources.Select(s => s.Type.ItemType().RawType.For<Func<NamedOnnxValue>>(Feed<int>, row, s, Inputs[s.Name].Shape)).ToArray();
        var (results, position) = (new object[Outputs.Count], -1L);
        return () =>
        {
            if (position == row.Position)
                return results;
            // The native memory goes with the run, so the results are copied.
            using var values = _session.Run(Array.ConvertAll(feeds, feed => feed()), Outputs.Keys);
            for (var i = 0; i < results.Length; i++)
                results[i] = ArrayOf(values[i].Value);
            position = row.Position;
            return results;
        };
    }

    private static object ArrayOf(object tensor) => tensor switch
    {
        Tensor<float> t => t.ToArray(),
        Tensor<double> t => t.ToArray(),
        Tensor<long> t => t.ToArray(),
        Tensor<int> t => t.ToArray(),
        Tensor<bool> t => t.ToArray(),
        Tensor<string> t => t.Select(s => s.AsMemory()).ToArray(),
        _ => throw new NotSupportedException($"The stand-in for ML.NET can't read an output of type {tensor.GetType()}."),
    };

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
        var given = context.GetOnnxSessionOption() ?? new OnnxSessionOptions();
        if (given.CreateSessionOptions is not null)
            return given.CreateSessionOptions();
        SessionOptions options = null;
        try
        {
            options = gpuDeviceId is { } device ? SessionOptions.MakeSessionOptionWithCudaProvider(device) : null;
        }
        catch (OnnxRuntimeException) when (fallbackToCpu)
        {
        }
        options ??= new SessionOptions();
        (options.IntraOpNumThreads, options.InterOpNumThreads) = (given.IntraOpNumThreads, given.InterOpNumThreads);
        return options;
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
