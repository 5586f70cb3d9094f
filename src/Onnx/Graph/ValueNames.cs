using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>Changes the names of values in a graph and its subgraphs.</summary>
internal static class ValueNames
{
    /// <summary>
    /// Gives values new names wherever they occur. A value that already has one of the new names gets another that nobody has, so that the
    /// graph keeps its meaning whatever it is called.
    /// </summary>
    /// <param name="graph">The graph, which is changed.</param>
    /// <param name="names">The new name of each value that gets one; no new name may be given twice.</param>
    public static void Rename(GraphProto graph, IReadOnlyDictionary<string, string> names)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(names);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        Replace(graph, name =>
        {
            taken.Add(name);
            return name;
        });
        var all = names.Where(pair => pair.Key != pair.Value).ToDictionary(StringComparer.Ordinal);
        foreach (var wanted in all.Values.ToArray())
            if (taken.Contains(wanted) && !all.ContainsKey(wanted)) all[wanted] = Free(wanted, taken);
        Replace(graph, name => all.GetValueOrDefault(name, name));
    }

    private static string Free(string name, HashSet<string> taken)
    {
        for (var number = 2; ; number++)
        {
            var candidate = FormattableString.Invariant($"{name}_{number}");
            if (taken.Add(candidate)) return candidate;
        }
    }

    private static void Replace(GraphProto graph, Func<string, string> replace)
    {
        foreach (var node in graph.Node)
        {
            for (var i = 0; i < node.Input.Count; i++) node.Input[i] = NotEmpty(node.Input[i]);
            for (var i = 0; i < node.Output.Count; i++) node.Output[i] = NotEmpty(node.Output[i]);
            foreach (var subgraph in node.Subgraphs()) Replace(subgraph, replace);
        }

        foreach (var tensor in graph.Initializer) tensor.Name = replace(tensor.Name);
        foreach (var tensor in graph.SparseInitializer) tensor.Values.Name = replace(tensor.Values.Name);
        foreach (var value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo)) value.Name = replace(value.Name);
        foreach (var annotation in graph.QuantizationAnnotation) annotation.TensorName = replace(annotation.TensorName);

        // An empty name is an optional input or output that is not there.
        string NotEmpty(string name) => name.Length == 0 ? name : replace(name);
    }
}
