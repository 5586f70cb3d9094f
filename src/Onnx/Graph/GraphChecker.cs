using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Finds what makes a model invalid before a runtime does, and says where: operator sets that are not imported, names that are used twice
/// or made nowhere, nodes in the wrong order or in a cycle, constants that do not fit their shape, operands that do not fit together.
/// </summary>
/// <remarks>
/// No tensor is read or allocated, so a file that declares absurd sizes costs nothing. Everything behind relies on what is checked here:
/// <list type="bullet">
/// <item>
/// each value has a name of its own and is made before it is read; inputs, outputs and constants have names, inputs also types;
/// </item>
/// <item>a constant holds as many elements as its shape says, in the bytes or in the list of its type, and nothing in any other;</item>
/// <item>a node of ONNX's own domain has the inputs that its operator asks for and at least one output
/// (<see cref="OperatorSignature"/>);</item>
/// <item>axes lie within ±<see cref="MostAxes"/>, and the order of a Transpose names each axis once;</item>
/// <item>operands whose shapes are known fit together (<see cref="ShapeInference"/>).</item>
/// </list>
/// </remarks>
internal static class GraphChecker
{
    /// <summary>More dimensions than any runtime takes; shapes of more are not followed.</summary>
    public const int MostAxes = 64;

    /// <summary>Checks a model.</summary>
    /// <exception cref="InvalidModelException">The first problem that was found, with its place.</exception>
    public static void Check(ModelProto model)
    {
        CheckForm(model);
        new ModelEditor(model, isRead: true).InferShapes();
    }

    /// <summary>The same without the operands that fit together, for who follows the shapes anyway.</summary>
    /// <exception cref="InvalidModelException">As above.</exception>
    public static void CheckForm(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Graph is null) throw new InvalidModelException("The model has no graph.");
        var domains = model.OpsetImport.Select(import => Domain(import.Domain)).ToHashSet(StringComparer.Ordinal);
        // Operator sets came with IR version 3; older files mean the first one.
        if (model.IrVersion < 3) domains.Add(string.Empty);
        var rules = new NodeRules(
            domains, OperatorSets.DefaultOf(model),
            model.Functions.Where(function => Domain(function.Domain).Length == 0).Select(function => function.Name)
                .ToHashSet(StringComparer.Ordinal));
        foreach (var function in model.Functions) CheckFunction(function, rules);
        CheckGraph(model.Graph, null, rules);
    }

    private static string Domain(string domain) => domain == "ai.onnx" ? string.Empty : domain;

    private static void CheckGraph(GraphProto graph, Names? outer, NodeRules rules)
    {
        var where = outer is null ? "The graph" : $"The subgraph '{graph.Name}'";
        var names = new Names(outer, graph.Input.Count + graph.Initializer.Count + graph.Node.Count);
        foreach (var input in graph.Input)
        {
            if (input.Name.Length == 0) throw new InvalidModelException($"{where} has an input without a name.");
            if (outer is null && input.Type is null)
                throw new InvalidModelException($"{where} has an input '{input.Name}' without a type.");
            if (!names.Define(input.Name)) throw names.WhyTaken($"{where} has two inputs", input.Name);
        }

        var inputs = graph.Input.Select(input => input.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var tensor in graph.Initializer)
        {
            if (tensor.Name.Length == 0) throw new InvalidModelException($"{where} has an initializer without a name.");
            // An initializer with an input's name is that input's default value. Else it is defined here only if another one has the name.
            var isTaken = !inputs.Remove(tensor.Name) && !names.Define(tensor.Name);
            if (isTaken && names.IsDefinedHere(tensor.Name))
                throw new InvalidModelException($"{where} has two initializers named '{tensor.Name}'; names must be unique.");
            if (isTaken) throw names.WhyTaken($"{where} has an initializer and another value", tensor.Name);
            InitializerChecker.Check(tensor, $"The initializer '{tensor.Name}'");
        }

        foreach (var tensor in graph.SparseInitializer)
        {
            if (tensor.Values is not { Name: { Length: > 0 } name })
                throw new InvalidModelException($"{where} has a sparse initializer without values or a name.");
            if (!names.IsDefinedHere(name) && !names.Define(name))
                throw names.WhyTaken($"{where} has a sparse initializer and another value", name);
        }

        CheckNodes(graph.Node, names, where, rules);
        foreach (var output in graph.Output)
        {
            if (!names.IsVisible(output.Name))
                throw new InvalidModelException(
                    $"{where} declares the output '{output.Name}', but no node, input or initializer has that name.");
        }
    }

    private static void CheckNodes(IReadOnlyList<NodeProto> nodes, Names names, string where, NodeRules rules)
    {
        foreach (var node in nodes)
        {
            if (node.OpType.Length == 0) throw new InvalidModelException($"{where} has a node '{node.Label()}' without an operator type.");
            if (!rules.Domains.Contains(Domain(node.Domain)))
                throw new InvalidModelException(
                    $"{node.Describe()} is of the domain '{node.Domain}', but the model imports no operator set of that domain.");
            if (node.IsStandard() && !rules.Functions.Contains(node.OpType)) OperatorSignature.Check(node, rules.Opset);
            // By index: an enumerator of protobuf's lists is an object, and there may be millions of nodes.
            for (var i = 0; i < node.Input.Count; i++)
            {
                var input = node.Input[i];
                if (input.Length > 0 && !names.IsVisible(input))
                    throw NodeOrder.Explain(ModelEditor.Of(new GraphProto { Node = { nodes } }).Main, node, input);
            }

            if (node.Attribute.Count > 0) CheckAttributes(node, names, rules);
            for (var i = 0; i < node.Output.Count; i++)
            {
                var output = node.Output[i];
                if (output.Length > 0 && !names.Define(output))
                    throw names.WhyTaken($"{node.Describe()} makes a value whose name is taken", output);
            }
        }
    }

    private static void CheckAttributes(NodeProto node, Names names, NodeRules rules)
    {
        foreach (var attribute in node.Attribute)
        {
            if (attribute.T is not null) InitializerChecker.Check(attribute.T, $"The attribute '{attribute.Name}' of {node.Describe()}");
        }

        foreach (var subgraph in node.Subgraphs()) CheckGraph(subgraph, names, rules);
    }

    // A function sees nothing but its own inputs, and imports its own operator sets.
    private static void CheckFunction(FunctionProto function, NodeRules rules)
    {
        var where = $"The function '{function.Name}'";
        var names = new Names(null, function.Input.Count + function.Node.Count);
        foreach (var input in function.Input)
        {
            if (input.Length == 0) throw new InvalidModelException($"{where} has an input without a name.");
            if (!names.Define(input)) throw names.WhyTaken($"{where} has two inputs", input);
        }

        var domains = function.OpsetImport.Select(import => Domain(import.Domain)).ToHashSet(StringComparer.Ordinal);
        CheckNodes(function.Node, names, where, rules with { Domains = domains });
        foreach (var output in function.Output)
        {
            if (!names.IsVisible(output))
                throw new InvalidModelException($"{where} declares the output '{output}', but none of its nodes makes it.");
        }
    }

    /// <summary>What nodes are checked by: the domains that are imported, the version of ONNX's own, and functions in its place.</summary>
    private sealed record NodeRules(HashSet<string> Domains, long Opset, HashSet<string> Functions);

    /// <summary>The values that can be read at one place: those of the graph so far, and those of the graphs around it.</summary>
    private sealed class Names(Names? outer, int expected)
    {
        private readonly HashSet<string> _names = new(expected, StringComparer.Ordinal);

        public bool IsDefinedHere(string name) => _names.Contains(name);

        public bool IsVisible(string name) => _names.Contains(name) || (outer?.IsVisible(name) ?? false);

        /// <summary>Takes a name; false where it is taken already, see <see cref="WhyTaken"/>.</summary>
        public bool Define(string name) => outer?.IsVisible(name) != true && _names.Add(name);

        public InvalidModelException WhyTaken(string problem, string name) => new(outer?.IsVisible(name) == true
            ? $"{problem}: '{name}' is also a value of the graph around it; a subgraph may read outer values but not redefine them."
            : $"{problem}: '{name}' is defined twice; every value needs a name of its own.");
    }
}

/// <summary>Whether a constant holds as many elements as its shape says, found out from counts alone.</summary>
internal static class InitializerChecker
{
    /// <summary>About the bytes that a constant's elements take in the file: those of a list are counted as if they were bytes.</summary>
    public static long StoredBytes(TensorProto tensor) => tensor.RawData.Length + (4L * (tensor.FloatData.Count + tensor.Int32Data.Count))
        + (8L * (tensor.Int64Data.Count + tensor.DoubleData.Count + tensor.Uint64Data.Count));

    /// <exception cref="InvalidModelException">Too few or too many elements, or an impossible shape.</exception>
    public static void Check(TensorProto tensor, string what)
    {
        var count = TensorData.ElementCount(tensor.Dims, tensor.Name);
        if (tensor.DataLocation == TensorProto.Types.DataLocation.External) return;
        var type = (DataType)tensor.DataType;
        if (type == DataType.Undefined) throw new InvalidModelException($"{what} has no element type.");
        var total = (long)tensor.FloatData.Count + tensor.Int32Data.Count + tensor.Int64Data.Count
            + tensor.DoubleData.Count + tensor.Uint64Data.Count + tensor.StringData.Count;
        // An empty field of bytes beside a list is nothing.
        if (tensor.HasRawData && (tensor.RawData.Length > 0 || total == 0))
        {
            if (type == DataType.String) throw new InvalidModelException($"{what} holds texts as bytes; they belong into string_data.");
            if (total > 0) throw new InvalidModelException($"{what} holds its elements twice, as bytes and as a list.");
            // A type newer than this library knows passes through unmeasured.
            if (ElementTypes.Find(type)?.Bits is not { } bits) return;
            var bytes = (((Int128)count * bits) + 7) / 8;
            if (bytes != tensor.RawData.Length)
                throw new InvalidModelException(
                    $"{what} of shape {Shape(tensor)} needs {count} {type} elements ({bytes} bytes), but holds "
                    + $"{tensor.RawData.Length} bytes.");
            return;
        }

        var stored = type switch
        {
            DataType.Float or DataType.Complex64 => tensor.FloatData.Count,
            DataType.Double or DataType.Complex128 => tensor.DoubleData.Count,
            DataType.Int64 => tensor.Int64Data.Count,
            DataType.Uint64 or DataType.Uint32 => tensor.Uint64Data.Count,
            DataType.String => tensor.StringData.Count,
            _ => tensor.Int32Data.Count,
        };
        if (total != stored)
            throw new InvalidModelException($"{what} holds elements of another type than {type}, which it says it has.");
        var expected = type switch
        {
            DataType.Complex64 or DataType.Complex128 => 2 * (Int128)count,
            DataType.Int4 or DataType.Uint4 or DataType.Float4E2M1 => ((Int128)count + 1) / 2,
            _ => count,
        };
        if (stored != expected)
            throw new InvalidModelException($"{what} of shape {Shape(tensor)} needs {count} {type} elements, but holds {stored}.");
    }

    private static string Shape(TensorProto tensor) => $"[{string.Join(", ", tensor.Dims)}]";
}

/// <summary>
/// Explains why a node reads a value that does not exist yet: nobody makes it, a later node makes it, or the nodes form a cycle.
/// </summary>
internal static class NodeOrder
{
    // A cycle of thousands is seen by its first nodes.
    private const int MostNamed = 8;

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
                $"The graph has a cycle: {string.Join(" ← ", path.Prepend(reader).Take(MostNamed).Select(node => node.Describe()))}"
                + (path.Count < MostNamed ? "." : $" ← … ({path.Count} nodes)."));
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
                for (var step = node; step is not null; step = cameFrom[step]) path.Add(step);
                path.Reverse();
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
