using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Finds what makes a model invalid before a runtime does, and says where: operator sets that are not imported, names that are used twice
/// or made nowhere, nodes in the wrong order or in a cycle, constants that do not fit their shape, operands that do not fit together.
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
        new ModelEditor(model).InferShapes();
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
                throw new InvalidModelException(
                    $"{where} declares the output '{output.Name}', but no node, input or initializer has that name.");
        }
    }

    private static void CheckNodes(IReadOnlyList<NodeProto> nodes, Names names, string where, HashSet<string> domains)
    {
        foreach (var node in nodes)
        {
            if (node.OpType.Length == 0) throw new InvalidModelException($"{where} has a node '{node.Label()}' without an operator type.");
            if (!domains.Contains(Domain(node.Domain)))
                throw new InvalidModelException(
                    $"{node.Describe()} is of the domain '{node.Domain}', but the model imports no operator set of that domain.");
            foreach (var input in node.Input)
            {
                if (input.Length > 0 && !names.IsVisible(input))
                    throw NodeOrder.Explain(ModelEditor.Of(new GraphProto { Node = { nodes } }).Main, node, input);
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
                throw new InvalidModelException(
                    $"{problem}: '{what}' is also a value of the graph around it; a subgraph may read outer values but not redefine them.");
            if (!_names.Add(name))
                throw new InvalidModelException($"{problem}: '{what}' is defined twice; every value needs a name of its own.");
        }
    }
}

/// <summary>Whether a constant holds as many elements as its shape says, found out from counts alone.</summary>
internal static class InitializerChecker
{
    /// <exception cref="InvalidModelException">Too few or too many elements, or an impossible shape.</exception>
    public static void Check(TensorProto tensor, string what)
    {
        var shape = $"[{string.Join(", ", tensor.Dims)}]";
        var count = TensorData.ElementCount(tensor.Dims, tensor.Name);
        if (tensor.DataLocation == TensorProto.Types.DataLocation.External) return;
        var type = (DataType)tensor.DataType;
        if (type == DataType.Undefined) throw new InvalidModelException($"{what} has no element type.");
        if (tensor.HasRawData && type != DataType.String)
        {
            // A type newer than this library knows passes through unmeasured.
            if (ElementTypes.Find(type)?.Bits is not { } bits) return;
            var bytes = (((Int128)count * bits) + 7) / 8;
            if (bytes != tensor.RawData.Length)
                throw new InvalidModelException(
                    $"{what} of shape {shape} needs {count} {type} elements ({bytes} bytes), but holds {tensor.RawData.Length} bytes.");
            return;
        }

        var stored = tensor.FloatData.Count + tensor.Int32Data.Count + tensor.Int64Data.Count
            + tensor.DoubleData.Count + tensor.Uint64Data.Count + tensor.StringData.Count;
        var expected = type switch
        {
            DataType.Complex64 or DataType.Complex128 => 2 * (Int128)count,
            DataType.Int4 or DataType.Uint4 or DataType.Float4E2M1 => ((Int128)count + 1) / 2,
            _ => count,
        };
        if (stored != expected)
            throw new InvalidModelException($"{what} of shape {shape} needs {count} {type} elements, but holds {stored}.");
    }
}

/// <summary>
/// Explains why a node reads a value that does not exist yet: nobody makes it, a later node makes it, or the nodes form a cycle.
/// </summary>
internal static class NodeOrder
{
    /// <summary>The error for <paramref name="reader"/>, which reads <paramref name="value"/> before it exists.</summary>
    public static InvalidModelException Explain(OnnxGraph graph, NodeProto reader, string value)
    {
        if (graph.Producer(value) is not { } maker)
            return new InvalidModelException($"{reader.Describe()} reads '{value}', but no node, input or initializer has that name.");
        if (ReferenceEquals(maker, reader))
            return new InvalidModelException($"{reader.Describe()} reads its own output '{value}': a cycle.");
        var path = Path(graph, maker, reader);
        return path is null
            ? new InvalidModelException(
                $"{reader.Describe()} reads '{value}', which {maker.Describe()} makes only later in the file; nodes must stand in"
                + " topological order.")
            : new InvalidModelException(
                $"The graph has a cycle: {string.Join(" ← ", path.Prepend(reader).Select(node => node.Describe()))}.");
    }

    // Breadth first from the maker up through what it reads; reaching the reader closes the circle.
    private static List<NodeProto>? Path(OnnxGraph graph, NodeProto from, NodeProto to)
    {
        var cameFrom = new Dictionary<NodeProto, NodeProto?>(ReferenceEqualityComparer.Instance) { [from] = null };
        var queue = new Queue<NodeProto>([from]);
        while (queue.TryDequeue(out var node))
        {
            if (ReferenceEquals(node, to))
            {
                var path = new List<NodeProto>();
                for (var step = node; step is not null; step = cameFrom[step]) path.Insert(0, step);
                return path;
            }

            foreach (var input in node.Input)
            {
                if (graph.Producer(input) is { } maker && cameFrom.TryAdd(maker, node)) queue.Enqueue(maker);
            }
        }

        return null;
    }
}
