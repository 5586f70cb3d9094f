using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>Whole models as parts of a larger one.</summary>
internal sealed partial class GraphBuilder
{
    private readonly SortedDictionary<string, long> _otherDomains = new(StringComparer.Ordinal);

    /// <summary>
    /// Adds the nodes and constants of a model, under names made unique (with the scope in front). Identity nodes are left out, and so is
    /// what the model declares about its values where no name is left for it.
    /// </summary>
    /// <param name="model">
    /// The model, written for this builder's operator set (<see cref="OperatorSetUpgrade"/> brings it there). It is left as it is.
    /// </param>
    /// <param name="inputs">A value for each input of the model.</param>
    /// <returns>The model's outputs by name.</returns>
    /// <exception cref="ArgumentException">An input has no value, or the model is written for another operator set.</exception>
    /// <exception cref="InvalidModelException">
    /// A node reads a value that nobody makes, or the model has functions, which are not joined.
    /// </exception>
    internal IReadOnlyDictionary<string, Value> Append(ModelProto model, IReadOnlyDictionary<string, Value> inputs)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        if (model.Functions.Count > 0)
            throw new InvalidModelException(
                $"The model has the function '{model.Functions[0].Name}'; models with functions cannot become part of another.");
        if (OperatorSets.DefaultOf(model) != Opset)
            throw new ArgumentException(
                $"The model is written for operator set {OperatorSets.DefaultOf(model)}, but {Opset} was expected.", nameof(model));
        foreach (var import in model.OpsetImport) Import(import);

        var names = new Dictionary<string, string>(StringComparer.Ordinal) { [string.Empty] = string.Empty };
        var initializers = model.Graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var input in model.Graph.Input.Where(input => !initializers.Contains(input.Name)))
        {
            names[input.Name] = inputs.TryGetValue(input.Name, out var value)
                ? Current(value)
                : throw new ArgumentException($"There is no value for the input '{input.Name}' of the model.", nameof(inputs));
        }

        var part = new GraphProto();
        AppendContent(model.Graph, part, names);
        _graph.Add(part);
        return model.Graph.Output.ToDictionary(output => output.Name, output => new Value(names[output.Name]), StringComparer.Ordinal);
    }

    private void AppendContent(GraphProto from, GraphProto to, Dictionary<string, string> names)
    {
        var made = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in from.Initializer)
        {
            var copy = tensor.Clone();
            names[tensor.Name] = copy.Name = Fresh(tensor.Name).Name;
            to.Initializer.Add(copy);
        }

        foreach (var node in from.Node)
        {
            if (node.Is("Identity"))
            {
                names[node.Output[0]] = Renamed(node.Input[0], node, names);
                continue;
            }

            var copy = node.Clone();
            for (var i = 0; i < copy.Input.Count; i++) copy.Input[i] = Renamed(copy.Input[i], node, names);
            foreach (var subgraph in copy.Subgraphs()) RenameSubgraph(subgraph, names);
            for (var i = 0; i < copy.Output.Count; i++)
            {
                if (copy.Output[i].Length == 0) continue;
                made.Add(node.Output[i]);
                names[node.Output[i]] = copy.Output[i] = Fresh(node.Output[i]).Name;
            }

            copy.Name = copy.Output.First(output => output.Length > 0);
            to.Node.Add(copy);
        }

        foreach (var info in from.ValueInfo.Concat(from.Output).Where(info => made.Remove(info.Name)))
        {
            var copy = info.Clone();
            copy.Name = names[info.Name];
            to.ValueInfo.Add(copy);
        }
    }

    // Names inside become unique in the whole model: a subgraph may not redefine what it sees from outside.
    private void RenameSubgraph(GraphProto graph, Dictionary<string, string> outer)
    {
        var names = new Dictionary<string, string>(outer, StringComparer.Ordinal);
        var old = graph.Clone();
        graph.Initializer.Clear();
        graph.Node.Clear();
        graph.ValueInfo.Clear();
        foreach (var input in graph.Input) names[input.Name] = input.Name = Fresh(input.Name).Name;
        AppendContent(old, graph, names);
        foreach (var output in graph.Output)
        {
            // An output that is only passed on has no node to be named by.
            if (!graph.Node.Any(node => node.Output.Contains(names[output.Name])))
            {
                var name = Fresh(output.Name).Name;
                graph.Node.Add(new NodeProto { OpType = "Identity", Name = name, Input = { names[output.Name] }, Output = { name } });
                names[output.Name] = name;
            }

            output.Name = names[output.Name];
        }
    }

    private void Import(OperatorSetIdProto import)
    {
        if (import.Domain is "" or "ai.onnx") return;
        if (_otherDomains.TryGetValue(import.Domain, out var version) && version != import.Version)
            throw new ArgumentException(
                $"One part of the model needs version {version} of the operators '{import.Domain}', another version"
                + $" {import.Version}.", nameof(import));
        _otherDomains[import.Domain] = import.Version;
    }

    private static string Renamed(string name, NodeProto reader, Dictionary<string, string> names) =>
        names.TryGetValue(name, out var renamed)
        ? renamed
        : throw new InvalidModelException(
            $"{reader.Describe()} reads '{name}', but no node, input or initializer before it has that name.");
}
