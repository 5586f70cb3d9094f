using MlNetBatchNorm.Onnx.Graph.Shapes;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Finds what makes a model invalid before a runtime does, and says where: operator sets that are not imported, names that are used twice or
/// made nowhere, nodes in the wrong order or in a cycle, constants that do not fit their shape, operands that do not fit together.
/// </summary>
/// <remarks>No tensor is read or allocated, so a file that declares absurd sizes costs nothing.</remarks>
internal static class GraphChecker
{
    /// <summary>Checks a model.</summary>
    /// <exception cref="InvalidModelException">The first problem that was found, with its place.</exception>
    public static void Check(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Graph is null) throw new InvalidModelException("The model has no graph.");
        var domains = model.OpsetImport.Select(import => Domain(import.Domain)).ToHashSet(StringComparer.Ordinal);
        // Operator sets came with IR version 3; older files mean the first one.
        if (model.IrVersion < 3) domains.Add(string.Empty);
        foreach (var function in model.Functions) CheckFunction(function);
        CheckGraph(model.Graph, null, domains);
        ShapeInference.Run(model);
    }

    private static string Domain(string domain) => domain == "ai.onnx" ? string.Empty : domain;

    private static void CheckGraph(GraphProto graph, Names? outer, HashSet<string> domains)
    {
        var where = outer is null ? "The graph" : $"The subgraph '{graph.Name}'";
        var names = new Names(outer);
        foreach (var input in graph.Input) names.Define(input.Name, $"{where} has two inputs", input.Name);
        var initializers = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in graph.Initializer)
        {
            if (!initializers.Add(tensor.Name))
                throw new InvalidModelException($"{where} has two initializers named '{tensor.Name}'; names must be unique.");
            // An initializer with an input's name is that input's default value.
            if (!names.IsDefinedHere(tensor.Name)) names.Define(tensor.Name, $"{where} has an initializer and another value", tensor.Name);
            InitializerChecker.Check(tensor, $"The initializer '{tensor.Name}'");
        }

        foreach (var tensor in graph.SparseInitializer)
        {
            var name = tensor.Values?.Name ?? string.Empty;
            if (!names.IsDefinedHere(name)) names.Define(name, $"{where} has a sparse initializer and another value", name);
        }

        CheckNodes(graph.Node, names, where, domains);
        foreach (var output in graph.Output)
        {
            if (!names.IsVisible(output.Name))
                throw new InvalidModelException($"{where} declares the output '{output.Name}', but no node, input or initializer has that name.");
        }
    }

    private static void CheckNodes(IReadOnlyList<NodeProto> nodes, Names names, string where, HashSet<string> domains)
    {
        foreach (var node in nodes)
        {
            if (node.OpType.Length == 0) throw new InvalidModelException($"{where} has a node '{node.Label()}' without an operator type.");
            if (!domains.Contains(Domain(node.Domain)))
                throw new InvalidModelException($"{node.Describe()} is of the domain '{node.Domain}', but the model imports no operator set of that domain.");
            foreach (var input in node.Input)
            {
                if (input.Length > 0 && !names.IsVisible(input)) throw NodeOrder.Explain(nodes, node, input);
            }

            foreach (var attribute in node.Attribute)
            {
                if (attribute.T is not null)
                    InitializerChecker.Check(attribute.T, $"The attribute '{attribute.Name}' of {node.Describe()}");
            }

            foreach (var subgraph in node.Subgraphs()) CheckGraph(subgraph, names, domains);
            foreach (var output in node.Output)
            {
                if (output.Length > 0) names.Define(output, $"{node.Describe()} makes a value whose name is taken", output);
            }
        }
    }

    // A function sees nothing but its own inputs, and imports its own operator sets.
    private static void CheckFunction(FunctionProto function)
    {
        var where = $"The function '{function.Name}'";
        var names = new Names(null);
        foreach (var input in function.Input) names.Define(input, $"{where} has two inputs", input);
        var domains = function.OpsetImport.Select(import => Domain(import.Domain)).ToHashSet(StringComparer.Ordinal);
        CheckNodes(function.Node, names, where, domains);
        foreach (var output in function.Output)
        {
            if (!names.IsVisible(output))
                throw new InvalidModelException($"{where} declares the output '{output}', but none of its nodes makes it.");
        }
    }

    /// <summary>The values that can be read at one place: those of the graph so far, and those of the graphs around it.</summary>
    private sealed class Names(Names? outer)
    {
        private readonly HashSet<string> _names = new(StringComparer.Ordinal);

        public bool IsDefinedHere(string name) => _names.Contains(name);

        public bool IsVisible(string name) => _names.Contains(name) || (outer?.IsVisible(name) ?? false);

        public void Define(string name, string problem, string what)
        {
            if (outer is not null && outer.IsVisible(name))
                throw new InvalidModelException($"{problem}: '{what}' is also a value of the graph around it; a subgraph may read outer values but not redefine them.");
            if (!_names.Add(name))
                throw new InvalidModelException($"{problem}: '{what}' is defined twice; every value needs a name of its own.");
        }
    }
}
