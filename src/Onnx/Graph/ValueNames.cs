using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>The names that are taken in a model, in whatever part of it, and the one way to make new ones.</summary>
internal sealed class ValueNames
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _next = new(StringComparer.Ordinal);

    /// <summary>Takes all names of a graph and its subgraphs: of values, whoever makes or reads them, and of nodes.</summary>
    public void Take(GraphProto graph)
    {
        // A node's name, and a value that it makes.
        _taken.EnsureCapacity(_taken.Count + graph.Initializer.Count + (2 * graph.Node.Count));
        foreach (var value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo)) _taken.Add(value.Name);
        foreach (var tensor in graph.Initializer) _taken.Add(tensor.Name);
        foreach (var tensor in graph.SparseInitializer) _taken.Add(tensor.Values?.Name ?? string.Empty);
        foreach (var node in graph.Node) Take(node);
    }

    /// <summary>Takes all names of a node: its own, and those of what it makes and reads, also inside of its subgraphs.</summary>
    public void Take(NodeProto node)
    {
        _taken.Add(node.Name);
        for (var i = 0; i < node.Input.Count; i++) _taken.Add(node.Input[i]);
        for (var i = 0; i < node.Output.Count; i++) _taken.Add(node.Output[i]);
        foreach (var subgraph in node.Subgraphs()) Take(subgraph);
    }

    /// <summary>Takes a name.</summary>
    public void Take(string name) => _taken.Add(name);

    /// <summary>Takes a name that nothing has: the stem itself, or with a number behind it.</summary>
    public string Fresh(string stem)
    {
        var name = stem;
        while (!_taken.Add(name))
        {
            var number = _next.GetValueOrDefault(stem, 1) + 1;
            _next[stem] = number;
            name = FormattableString.Invariant($"{stem}_{number}");
        }

        return name;
    }

    /// <summary>
    /// Gives values new names wherever they occur. A value that already has one of the new names gets another that nobody has, so that the
    /// graph keeps its meaning whatever it is called.
    /// </summary>
    /// <param name="graph">The graph, which is changed.</param>
    /// <param name="names">The new name of each value that gets one; no new name may be given twice.</param>
    public static void Rename(GraphProto graph, IReadOnlyDictionary<string, string> names)
    {
        var taken = new ValueNames();
        taken.Take(graph);
        var all = names.Where(pair => pair.Key != pair.Value).ToDictionary(StringComparer.Ordinal);
        var clashes = all.Values.Where(wanted => taken._taken.Contains(wanted) && !all.ContainsKey(wanted)).ToList();
        foreach (var wanted in all.Values) taken.Take(wanted);
        foreach (var clash in clashes) all[clash] = taken.Fresh(clash);
        Replace(graph, name => all.GetValueOrDefault(name, name));
    }

    /// <summary>
    /// Sees to it that no value and no node of a graph has a name that something new is to have: what has it gets another that nobody has.
    /// </summary>
    public static void Vacate(GraphProto graph, string name)
    {
        var taken = new ValueNames();
        taken.Take(graph);
        if (!taken._taken.Contains(name)) return;
        var other = taken.Fresh(name);
        Replace(graph, known => known == name ? other : known);
        RenameNodes(graph);

        void RenameNodes(GraphProto graph)
        {
            foreach (var node in graph.Node)
            {
                if (node.Name == name) node.Name = other;
                foreach (var subgraph in node.Subgraphs()) RenameNodes(subgraph);
            }
        }
    }

    // Puts something else in the place of each name of a value.
    private static void Replace(GraphProto graph, Func<string, string> replace)
    {
        foreach (var node in graph.Node)
        {
            for (var i = 0; i < node.Input.Count; i++) node.Input[i] = NotEmpty(node.Input[i]);
            for (var i = 0; i < node.Output.Count; i++) node.Output[i] = NotEmpty(node.Output[i]);
            foreach (var subgraph in node.Subgraphs()) Replace(subgraph, replace);
        }

        // Other models may share the constants.
        for (var i = 0; i < graph.Initializer.Count; i++)
        {
            var (was, name) = (graph.Initializer[i].Name, replace(graph.Initializer[i].Name));
            if (name != was) graph.Initializer[i] = graph.Initializer[i].Renamed(name);
        }

        foreach (var tensor in graph.SparseInitializer) tensor.Values.Name = replace(tensor.Values.Name);
        foreach (var value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo)) value.Name = replace(value.Name);
        foreach (var annotation in graph.QuantizationAnnotation) annotation.TensorName = replace(annotation.TensorName);

        // An empty name is an optional input or output that is not there.
        string NotEmpty(string name) => name.Length == 0 ? name : replace(name);
    }
}
