using System.Buffers;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx;

/// <summary>
/// An ONNX model in memory, as it was read, trained or folded: a value to hand on (to a file, a <see cref="OnnxScorer"/>, the folder), not
/// to edit. Safe from many threads.
/// </summary>
public sealed class OnnxModel
{
    internal OnnxModel(ModelProto proto) => Proto = proto;

    /// <summary>The inputs that a caller has to give: those with a value of their own in the model are not among them.</summary>
    public IReadOnlyList<TensorInfo> Inputs
    {
        get
        {
            var given = Proto.Graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
            return [.. Proto.Graph.Input.Where(input => !given.Contains(input.Name)).Select(Describe)];
        }
    }

    /// <summary>The outputs, in the order of the model.</summary>
    public IReadOnlyList<TensorInfo> Outputs => [.. Proto.Graph.Output.Select(Describe)];

    /// <summary>The facts that are kept in the model by key, this library's own under <c>mlnetbn.</c></summary>
    public IReadOnlyDictionary<string, string> Metadata =>
        Proto.MetadataProps.GroupBy(entry => entry.Key)
            .ToDictionary(group => group.Key, group => group.First().Value, StringComparer.Ordinal);

    /// <summary>The version of the default operator set; 0 where the model imports none.</summary>
    public int Opset => (int)(Proto.OpsetImport.FirstOrDefault(import => import.Domain is "" or "ai.onnx")?.Version ?? 0);

    /// <summary>How many nodes the graph has, those of subgraphs among them.</summary>
    public int NodeCount => Size(Proto.Graph).Nodes;

    /// <summary>How many numbers the model's constants hold.</summary>
    public long ParameterCount => Size(Proto.Graph).Parameters;

    /// <summary>How many BatchNormalization nodes the graph has.</summary>
    public int BatchNormCount => Proto.Graph.Node.Sum(CountBatchNorms);

    /// <summary>The size in bytes of the model as a file.</summary>
    public long ByteCount => ModelFile.Size(Proto);

    /// <summary>The message itself, for our own assemblies.</summary>
    internal ModelProto Proto { get; }

    /// <summary>
    /// Reads a model from a file. External data is read too, from the file's own folder only, and becomes part of the model.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">
    /// The file is empty, cut off or not an ONNX model, or its external data is missing or elsewhere.
    /// </exception>
    public static OnnxModel Load(string path) => new(ModelFile.Read(path));

    /// <summary>Reads a model from a stream, to its end. External data cannot be found from here; see <see cref="Load(string)"/>.</summary>
    /// <param name="stream">The bytes of an ONNX file.</param>
    /// <exception cref="InvalidModelException">The bytes are not a whole ONNX model.</exception>
    public static OnnxModel Load(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return Load(bytes.GetBuffer().AsMemory(0, (int)bytes.Length));
    }

    /// <summary>Reads a model from memory.</summary>
    /// <param name="bytes">The bytes of an ONNX file.</param>
    /// <exception cref="InvalidModelException">The bytes are not a whole ONNX model.</exception>
    public static OnnxModel Load(ReadOnlyMemory<byte> bytes) => new(ModelFile.Parse(new ReadOnlySequence<byte>(bytes), "the model"));

    /// <summary>
    /// Writes the model so that the file is either the whole new one or untouched: to a temporary file beside it, then renamed. What
    /// protobuf cannot hold (above 2 GB) goes into a second file, <paramref name="path"/> with <c>.data</c> behind it.
    /// </summary>
    /// <param name="path">The file to create or replace.</param>
    /// <exception cref="IOException">The folder does not exist or cannot be written.</exception>
    public void Save(string path) => ModelFile.Write(Proto, path);

    /// <summary>Writes the model to a stream.</summary>
    /// <param name="stream">The stream; it stays open.</param>
    /// <exception cref="InvalidOperationException">The model is larger than one message can be; save it to a path.</exception>
    public void Save(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        RequireSingleFile();
        Proto.WriteTo(stream);
    }

    /// <summary>The model as the bytes of an ONNX file.</summary>
    /// <exception cref="InvalidOperationException">The model is larger than one message can be; save it to a path.</exception>
    public byte[] ToBytes()
    {
        RequireSingleFile();
        return Proto.ToByteArray();
    }

    /// <summary>The inputs and outputs.</summary>
    public override string ToString() => $"{string.Join(", ", Inputs)} -> {string.Join(", ", Outputs)}";

    // Subgraphs included.
    internal static (int Nodes, long Parameters) Size(GraphProto graph)
    {
        var (nodes, all) = (graph.Node.Count, graph.Node.Count);
        var parameters = 0L;
        // By index: an enumerator of protobuf's lists is slow, and there may be millions of nodes.
        for (var i = 0; i < graph.Initializer.Count; i++)
            parameters = checked(parameters + TensorData.ElementCount(graph.Initializer[i].Dims, graph.Initializer[i].Name));
        for (var i = 0; i < nodes; i++)
        {
            if (graph.Node[i].Attribute.Count == 0) continue;
            foreach (var inner in graph.Node[i].Subgraphs())
            {
                var (innerNodes, innerParameters) = Size(inner);
                all += innerNodes;
                parameters += innerParameters;
            }
        }

        return (all, parameters);
    }

    private static int CountBatchNorms(NodeProto node) =>
        (node.Is("BatchNormalization") ? 1 : 0) + node.Subgraphs().Sum(graph => graph.Node.Sum(CountBatchNorms));

    private static TensorInfo Describe(ValueInfoProto value) => value.Type?.TensorType is { } tensor
        ? new TensorInfo(value.Name, (DataType)tensor.ElemType, [.. tensor.Shape?.Dim.Select(TensorDimension.From) ?? []])
        : new TensorInfo(value.Name, DataType.Undefined, []);

    private void RequireSingleFile()
    {
        if (ByteCount > ModelFile.LargestSingleFile)
            throw new InvalidOperationException(
                $"The model has {ByteCount:N0} bytes, more than one ONNX message can hold; save it to a path, where its constants get a "
                    + "file of their own.");
    }
}
