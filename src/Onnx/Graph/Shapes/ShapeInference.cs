namespace MlNetBatchNorm.Onnx.Graph.Shapes;

/// <summary>
/// Follows shapes through a graph and its subgraphs, as far as the operators are known. An operator that is not known, or whose inputs are not,
/// leaves its outputs to what the model declares about them; operands that cannot fit together are an error.
/// </summary>
internal static class ShapeInference
{
    /// <summary>Notes in the graph each shape that can be found out.</summary>
    /// <exception cref="InvalidModelException">A node is given operands that do not fit together.</exception>
    public static void Run(OnnxGraph graph)
    {
        var declared = new Dictionary<string, TensorShape>(StringComparer.Ordinal);
        foreach (var value in graph.Proto.ValueInfo.Concat(graph.Proto.Output))
        {
            if (TensorShape.From(value.Type) is { } shape) declared[value.Name] = shape;
        }

        foreach (var value in graph.Proto.Input) graph.SetShape(value.Name, TensorShape.From(value.Type));
        foreach (var tensor in graph.Proto.Initializer) graph.SetShape(tensor.Name, TensorShape.Of(tensor.Dims));
        foreach (var node in graph.Nodes)
        {
            foreach (var subgraph in graph.Subgraphs(node)) Run(subgraph);
            var context = new ShapeContext(graph, node);
            if (node.IsStandard() && ShapeRules.ByOperator.TryGetValue(node.OpType, out var rule)) rule(context);
            for (var i = 0; i < node.Output.Count; i++)
            {
                var name = node.Output[i];
                if (!declared.TryGetValue(name, out var said)) continue;
                // What exporters write about values in between is sometimes wrong, and runtimes ignore it then; so do we.
                var inferred = context.OutputShape(i);
                graph.SetShape(name, inferred is null ? said : TensorShape.Merge(inferred, said) ?? inferred);
            }
        }
    }
}
