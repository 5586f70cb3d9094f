using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph.Shapes;

/// <summary>
/// Follows shapes through a model, as far as the operators are known. An operator that is not known, or whose inputs are not, leaves its
/// outputs to what the model declares about them; operands that cannot fit together are an error.
/// </summary>
internal static class ShapeInference
{
    /// <summary>The scopes of a model, each with the shapes that could be found out; subgraphs are keyed by their message.</summary>
    /// <exception cref="InvalidModelException">A node is given operands that do not fit together.</exception>
    public static IReadOnlyDictionary<GraphProto, GraphScope> Run(ModelProto model)
    {
        var scopes = new Dictionary<GraphProto, GraphScope>(ReferenceEqualityComparer.Instance);
        Visit(model.Graph, null, DefaultOpset(model), scopes);
        return scopes;
    }

    /// <summary>The version of ONNX's own operators that a model is written for; 1 for files older than operator sets.</summary>
    public static long DefaultOpset(ModelProto model) =>
        model.OpsetImport.FirstOrDefault(import => import.Domain is "" or "ai.onnx")?.Version ?? 1;

    private static void Visit(GraphProto graph, GraphScope? parent, long opset, Dictionary<GraphProto, GraphScope> scopes)
    {
        var scope = new GraphScope(graph, parent, opset);
        scopes[graph] = scope;
        var declared = new Dictionary<string, TensorShape>(StringComparer.Ordinal);
        foreach (var value in graph.ValueInfo.Concat(graph.Output))
        {
            if (TensorShape.From(value.Type) is { } shape) declared[value.Name] = shape;
        }

        foreach (var value in graph.Input) scope.SetShape(value.Name, TensorShape.From(value.Type));
        foreach (var tensor in graph.Initializer) scope.SetShape(tensor.Name, TensorShape.Of(tensor.Dims));
        foreach (var node in graph.Node)
        {
            foreach (var subgraph in node.Subgraphs()) Visit(subgraph, scope, opset, scopes);
            var context = new ShapeContext(scope, node);
            if (node.IsStandard() && ShapeRules.ByOperator.TryGetValue(node.OpType, out var rule)) rule(context);
            for (var i = 0; i < node.Output.Count; i++)
            {
                var name = node.Output[i];
                if (!declared.TryGetValue(name, out var said)) continue;
                // What exporters write about values in between is sometimes wrong, and runtimes ignore it then; so do we.
                var inferred = context.OutputShape(i);
                scope.SetShape(name, inferred is null ? said : TensorShape.Merge(inferred, said) ?? inferred);
            }
        }
    }
}
