using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// Asks ONNX Runtime for a single node that <see cref="PartOperators"/> does not know: in float64 where it has a kernel of that type, in
/// float32 where not, which costs some digits that are nobody's fault.
/// </summary>
internal static class PartRuntime
{
    // The oldest operator set that ONNX Runtime promises to know.
    private const long OldestOpset = 7;

    /// <exception cref="NotSupportedException">It has no kernel for the node.</exception>
    public static IReadOnlyList<ExactTensor> Run(NodeProto node, ExactTensor?[] inputs, DataType[] types, long opset)
    {
        if (node.Subgraphs().Any()) throw new NotSupportedException($"{node.Describe()} has graphs of its own inside.");
        Exception? failure = null;
        foreach (var type in new[] { DataType.Double, DataType.Float })
        {
            try
            {
                return Run(node, inputs, types, Math.Max(opset, OldestOpset), type);
            }
            catch (InvalidModelException exception)
            {
                failure ??= exception;
            }
        }

        throw new NotSupportedException($"{node.Describe()} cannot be computed by itself: {failure!.Message}", failure);
    }

    private static List<ExactTensor> Run(NodeProto node, ExactTensor?[] inputs, DataType[] types, long opset, DataType real)
    {
        var only = node.Clone();
        var graph = new GraphProto { Name = "node", Node = { only } };
        var feeds = new Dictionary<string, HostTensor>(StringComparer.Ordinal);
        for (var i = 0; i < inputs.Length; i++)
        {
            only.Input[i] = inputs[i] is null ? string.Empty : $"x{i}";
            if (inputs[i] is not { } tensor) continue;
            var type = TensorData.IsReal((int)types[i]) ? real : types[i];
            var elements = ElementTypes.Of(type);
            var array = elements.Create(tensor.Count);
            elements.Write(tensor.Data, elements.Bytes(array));
            long[] shape = [.. tensor.Shape.Select(size => (long)size)];
            graph.Input.Add(ValueInfo.Of($"x{i}", type, [.. shape.Select(size => (TensorDimension)size)]));
            feeds.Add($"x{i}", new HostTensor(type, shape, array));
        }

        for (var i = 0; i < only.Output.Count; i++)
        {
            if (only.Output[i].Length == 0) continue;
            only.Output[i] = $"y{i}";
            graph.Output.Add(new ValueInfoProto { Name = $"y{i}" });
        }

        var model = new ModelProto { IrVersion = 8, Graph = graph, OpsetImport = { new OperatorSetIdProto { Version = opset } } };
        using var session = OnnxSession.Load(
            model, new ExecutionOptions { Optimization = GraphOptimization.None, Spinning = false, Name = node.Describe() });
        var results = session.Run(feeds);
        return
        [
            .. session.Outputs.Select(output => results[output.Name]).Select(result => new ExactTensor(
                [.. result.Shape.Select(size => (int)size)], ElementTypes.Of(result.Type).ToDoubles(result.Data))),
        ];
    }
}
