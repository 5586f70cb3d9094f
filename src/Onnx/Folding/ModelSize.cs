using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>How large a model is, its subgraphs included.</summary>
internal readonly record struct ModelSize(int Nodes, long Parameters, long Bytes)
{
    public static ModelSize Of(ModelProto model)
    {
        var (nodes, parameters) = Of(model.Graph);
        return new ModelSize(nodes, parameters, ModelFile.Size(model));
    }

    private static (int Nodes, long Parameters) Of(GraphProto graph)
    {
        var nodes = graph.Node.Count;
        var parameters = graph.Initializer.Sum(tensor => TensorData.ElementCount(tensor.Dims, tensor.Name));
        foreach (var inner in graph.Node.SelectMany(node => node.Subgraphs()))
        {
            var (innerNodes, innerParameters) = Of(inner);
            nodes += innerNodes;
            parameters += innerParameters;
        }

        return (nodes, parameters);
    }
}
