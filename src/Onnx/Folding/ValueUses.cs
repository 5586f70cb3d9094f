using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>How often each name is read in a model, in all of its graphs together: by nodes and as graph outputs.</summary>
internal sealed class ValueUses
{
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    public ValueUses(ModelProto model) => Visit(model.Graph);

    public bool IsUsed(string value) => _counts.GetValueOrDefault(value) > 0;

    public void Remove(string value)
    {
        if (_counts.TryGetValue(value, out var count)) _counts[value] = count - 1;
    }

    private void Visit(GraphProto graph)
    {
        foreach (var output in graph.Output) Add(output.Name);
        foreach (var node in graph.Node)
        {
            foreach (var input in node.Input) Add(input);
            foreach (var subgraph in node.Subgraphs()) Visit(subgraph);
        }
    }

    private void Add(string value) => _counts[value] = _counts.GetValueOrDefault(value) + 1;
}
