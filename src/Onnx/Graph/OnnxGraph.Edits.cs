using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>The changes of a graph: whoever adds, replaces, renames or removes something does it by these.</summary>
internal sealed partial class OnnxGraph
{
    private readonly Dictionary<string, RealTensor> _fresh = new(StringComparer.Ordinal);
    private readonly HashSet<string> _gone = new(StringComparer.Ordinal);
    private bool _hasOtherNodes;

    /// <summary>A name that nothing in the model has, in any graph.</summary>
    public string Fresh(string stem) => _model.Names.Fresh(stem);

    /// <summary>Adds an input.</summary>
    public void AddInput(ValueInfoProto input)
    {
        _model.Names.Take(input.Name);
        _inputs.Add(input.Name);
        _declarations = null;
        Proto.Input.Add(input);
    }

    /// <summary>Makes a value an output.</summary>
    public void AddOutput(ValueInfoProto output)
    {
        _outputs.Add(output.Name);
        _declarations = null;
        Proto.Output.Add(output);
    }

    /// <summary>Gives some of the outputs, in their order, and not the others; their values stay.</summary>
    public void KeepOutputs(Func<string, bool> isKept)
    {
        _declarations = null;
        RemoveAll(Proto.Output, output => !isKept(output.Name));
        _outputs.RemoveWhere(output => !isKept(output));
    }

    /// <summary>Adds a node at the end, or in front of another one.</summary>
    public void Add(NodeProto node, NodeProto? before = null)
    {
        _nodes.AddBefore(before, node);
        Take(node);
    }

    /// <summary>Adds the constants, nodes and declarations of a graph that has names of its own already.</summary>
    public void Add(GraphProto part)
    {
        foreach (var tensor in part.Initializer) AddConstant(tensor);
        foreach (var node in part.Node) Add(node);
        foreach (var value in part.ValueInfo) Declare(value);
    }

    /// <summary>Adds a node right behind another one; null = in front of all.</summary>
    public void AddBehind(NodeProto? place, NodeProto node)
    {
        _nodes.AddBehind(place, node);
        Take(node);
    }

    /// <summary>Says what is known of a value that a node makes.</summary>
    public void Declare(ValueInfoProto value)
    {
        _declarations = null;
        Proto.ValueInfo.Add(value);
    }

    /// <summary>Adds a constant, under the name that it has.</summary>
    public void AddConstant(TensorProto tensor)
    {
        _model.Names.Take(tensor.Name);
        _initializers.Add(tensor.Name, tensor);
        Proto.Initializer.Add(tensor);
        if (!_model.InitializersAreInputs || _outer is not null) return;
        AddInput(
            ValueInfo.Of(tensor.Name, (TensorProto.Types.DataType)tensor.DataType, [.. tensor.Dims.Select(size => (TensorDimension)size)]));
    }

    /// <summary>Adds a constant, under a name that nothing has.</summary>
    /// <param name="stem">What the name begins with.</param>
    /// <param name="create">Makes the constant of a given name.</param>
    /// <returns>The name.</returns>
    public string AddConstant(string stem, Func<string, TensorProto> create)
    {
        var tensor = create(Fresh(stem));
        AddConstant(tensor);
        return tensor.Name;
    }

    /// <summary>
    /// Puts a constant of another name in the place of one that callers cannot override. Whoever reads the old one waits for a node that
    /// makes it.
    /// </summary>
    public void ReplaceConstant(string name, TensorProto other)
    {
        var tensors = Proto.Initializer;
        for (var i = 0; i < tensors.Count; i++)
            if (tensors[i].Name == name) tensors[i] = other;
        _initializers.Remove(name);
        _initializers.Add(other.Name, other);
        if (!_inputs.Remove(name)) return;
        _declarations = null;
        _inputs.Add(other.Name);
        var input = Proto.Input.First(input => input.Name == name);
        input.Name = other.Name;
        input.Type.TensorType.ElemType = other.DataType;
    }

    /// <summary>Lets a node read another value; an empty name = none.</summary>
    public void SetInput(NodeProto node, int input, string value)
    {
        while (node.Input.Count <= input) node.Input.Add(string.Empty);
        var old = node.Input[input];
        RemoveReader(old, new Use(node, input));
        _model.Abandon(this, old);
        Forget(node);
        node.Input[input] = value;
        AddReader(value, new Use(node, input));
    }

    /// <summary>Lets a node make a value of another name, which nothing makes; the old one is made by nobody then.</summary>
    public void SetOutput(NodeProto node, int output, string value)
    {
        var old = node.Output[output];
        Forget(node);
        _producers.Remove(old);
        _gone.Add(old);
        node.Output[output] = value;
        _model.Names.Take(value);
        _producers.Add(value, node);
    }

    public static void SetAttribute(NodeProto node, AttributeProto attribute)
    {
        if (node.Attribute(attribute.Name) is { } old) node.Attribute.Remove(old);
        node.Attribute.Add(attribute);
    }

    /// <summary>Lets a node read a new constant of its own; whoever else reads the old one keeps it.</summary>
    public void SetConstant(NodeProto node, int input, RealTensor tensor, string stem)
    {
        _model.InferShapes();
        // Before IR version 4 an initializer must be an input as well, and subgraphs cannot have more inputs: the main graph takes it.
        var home = this;
        while (_model.InitializersAreInputs && home._outer is not null) home = home._outer;
        var name = Fresh(stem);
        home._fresh.Add(name, tensor);
        home.SetShape(name, TensorShape.Of(tensor.Shape));
        var old = node.InputAt(input);
        SetInput(node, input, name);
        // A weight that takes in a long chain is replaced by each link, and nobody can ask for the earlier ones any more.
        if (home.Readers(old).Count == 0) home._fresh.Remove(old);
    }

    /// <summary>Puts a new node behind a node's first output; everything that read the output reads the new node's instead.</summary>
    /// <param name="node">The node.</param>
    /// <param name="opType">The operator of the new node.</param>
    /// <param name="operand">Its second operand.</param>
    /// <param name="attributes">Its attributes.</param>
    /// <returns>The new node.</returns>
    public NodeProto InsertBehind(NodeProto node, string opType, RealTensor operand, IEnumerable<AttributeProto> attributes)
    {
        var output = node.Output[0];
        var inner = Fresh($"{output}_{opType.ToLowerInvariant()}_in");
        SetShape(inner, Shape(output));
        SetOutput(node, 0, inner);
        var name = Fresh($"{node.Label()}_{opType.ToLowerInvariant()}");
        var added = new NodeProto { OpType = opType, Name = name, Input = { inner }, Output = { output } };
        added.Attribute.AddRange(attributes);
        AddBehind(node, added);
        SetConstant(added, 1, operand, $"{node.Label()}_shift");
        return added;
    }

    /// <summary>Takes out a node. What it made is made by nobody then; what only it read goes at the end.</summary>
    public void Remove(NodeProto node)
    {
        Forget(node);
        for (var i = 0; i < node.Input.Count; i++) RemoveReader(node.Input[i], new Use(node, i));
        foreach (var subgraph in Subgraphs(node)) subgraph.ForgetReads();
        for (var i = 0; i < node.Input.Count; i++) _model.Abandon(this, node.Input[i]);
        foreach (var output in node.Output)
        {
            if (!ReferenceEquals(Producer(output), node)) continue;
            _producers.Remove(output);
            _gone.Add(output);
        }

        _nodes.Remove(node);
        _subgraphs.Remove(node);
        _hasOtherNodes = true;
    }

    /// <summary>Takes out a node whose map moved up: what made its input makes its output instead, under the output's name.</summary>
    public void RemoveKeepingOutput(NodeProto node, int input)
    {
        var (from, to) = (node.Input[input], node.Output[0]);
        var producer = Producer(from)!;
        Remove(node);
        SetOutput(producer, producer.Output.IndexOf(from), to);
        foreach (var use in Readers(from).ToList()) SetInput(use.Node, use.Input, to);
    }

    /// <summary>Takes out a node whose map moved down: what read its output reads its input instead.</summary>
    public void RemoveKeepingInput(NodeProto node, int input)
    {
        var (from, to) = (node.Input[input], node.Output[0]);
        Remove(node);
        foreach (var use in Readers(to).ToList()) SetInput(use.Node, use.Input, from);
    }

    /// <summary>Turns a node into another operator on its first input.</summary>
    public void Replace(NodeProto node, string opType, RealTensor operand, IEnumerable<AttributeProto> attributes)
    {
        for (var i = node.Input.Count - 1; i >= 1; i--)
        {
            SetInput(node, i, string.Empty);
            node.Input.RemoveAt(i);
        }

        while (node.Output.Count > 1) node.Output.RemoveAt(1);
        node.OpType = opType;
        node.Attribute.Clear();
        node.Attribute.AddRange(attributes);
        SetConstant(node, 1, operand, $"{node.Label()}_{opType.ToLowerInvariant()}");
    }

    /// <summary>Puts nodes in the place of a node.</summary>
    public void Replace(NodeProto node, params IEnumerable<NodeProto> others)
    {
        var place = _nodes.Previous(node);
        Remove(node);
        foreach (var other in others)
        {
            AddBehind(place, other);
            place = other;
        }
    }

    /// <summary>Puts a graph in the place of a node: its outputs are the node's, and everything inside it gets names of its own.</summary>
    /// <param name="node">The node.</param>
    /// <param name="part">The graph, which becomes part of this one.</param>
    /// <param name="inputs">Which values of this graph its inputs are.</param>
    public void Replace(NodeProto node, GraphProto part, IReadOnlyDictionary<string, string> inputs)
    {
        var names = new Dictionary<string, string>(inputs, StringComparer.Ordinal) { [string.Empty] = string.Empty };
        for (var i = 0; i < part.Output.Count; i++) names.Add(part.Output[i].Name, node.Output[i]);
        var label = node.Label();
        foreach (var tensor in part.Initializer)
        {
            names.Add(tensor.Name, AddConstant($"{label}_{tensor.Name}", name =>
            {
                tensor.Name = name;
                return tensor;
            }));
        }

        foreach (var added in part.Node)
        {
            added.Name = Fresh($"{label}_{added.Name}");
            for (var i = 0; i < added.Input.Count; i++) added.Input[i] = names[added.Input[i]];
            for (var i = 0; i < added.Output.Count; i++)
            {
                if (!names.TryGetValue(added.Output[i], out var name))
                    names.Add(added.Output[i], name = Fresh($"{label}_{added.Output[i]}"));
                added.Output[i] = name;
            }
        }

        Replace(node, part.Node.ToList());
    }

    /// <summary>
    /// Gives a value that a node of this graph makes another name, wherever it is read. Nothing may have that name, and no subgraph read
    /// the value.
    /// </summary>
    public void Rename(string from, string to)
    {
        var producer = Producer(from)!;
        SetOutput(producer, producer.Output.IndexOf(from), to);
        foreach (var use in Readers(from).ToList()) SetInput(use.Node, use.Input, to);
        foreach (var info in Proto.ValueInfo.Where(info => info.Name == from)) info.Name = to;
        _declarations = null;
        _gone.Remove(from);
    }

    /// <summary>Takes out all that the outputs do not need: nodes, constants, and inputs that nobody reads.</summary>
    public void Prune()
    {
        _declarations = null;
        // Nodes stand in topological order, so one pass from the end meets every reader before its makers.
        foreach (var node in _nodes.Backwards())
            if (!node.Output.Any(IsUsed)) Remove(node);
        foreach (var name in Proto.Initializer.Select(tensor => tensor.Name).Where(name => !IsUsed(name))) _initializers.Remove(name);
        RemoveAll(Proto.Initializer, tensor => !IsUsed(tensor.Name));
        RemoveAll(Proto.Input, input => !IsUsed(input.Name));
        RemoveAll(Proto.ValueInfo, info => !IsUsed(info.Name));
        _inputs.RemoveWhere(input => !IsUsed(input));
    }

    /// <summary>Takes out what makes a value that nobody reads: a constant, or a node that makes nothing else that is read.</summary>
    public void Drop(string value)
    {
        // A graph input stays, with its default: the interface must not change. Before IR version 4 it is only there for the initializer's
        // sake.
        if (_initializers.TryGetValue(value, out var tensor) && (!_inputs.Contains(value) || _model.InitializersAreInputs))
        {
            _dropped.Add(tensor);
            _initializers.Remove(value);
            _inputs.Remove(value);
            _gone.Add(value);
        }
        else if (Producer(value) is { } producer && !producer.Output.Any(IsUsed))
        {
            Remove(producer);
        }
    }

    /// <summary>Writes the nodes into the message.</summary>
    public void WriteNodes()
    {
        if (!_hasOtherNodes) return;
        var nodes = _nodes.ToList();
        Proto.Node.Clear();
        Proto.Node.AddRange(nodes);
        _hasOtherNodes = false;
    }

    /// <summary>
    /// Writes the new constants that are used, takes out those that are gone, and forgets what was declared about values that are gone.
    /// </summary>
    /// <param name="isLazy">Whether large ones are computed each time they are read.</param>
    public void WriteConstants(bool isLazy)
    {
        var used = _fresh.Where(fresh => IsUsed(fresh.Key)).ToList();
        _fresh.Clear();
        foreach (var (name, tensor) in used) AddConstant(tensor.ToProto(name, isLazy));
        if (_gone.Count == 0) return;
        _declarations = null;
        // Several at once, since each by itself would go through the whole list. Another value may have the name by now.
        RemoveAll(Proto.Initializer, _dropped.Contains);
        _dropped.Clear();
        RemoveAll(Proto.Input, input => _gone.Contains(input.Name) && !_inputs.Contains(input.Name));
        RemoveAll(Proto.ValueInfo, value => _gone.Contains(value.Name) && Producer(value.Name) is null);
        RemoveAll(
            Proto.QuantizationAnnotation, annotation => _gone.Contains(annotation.TensorName) && Producer(annotation.TensorName) is null);
        _gone.Clear();
    }

    private void Take(NodeProto node)
    {
        _hasOtherNodes = true;
        _model.Names.Take(node);
        Define(node);
        Read(node);
    }

    // Nothing in this graph, which goes with the node around it, reads anything outside any more.
    private void ForgetReads()
    {
        foreach (var subgraph in _subgraphs.Values.SelectMany(inner => inner)) subgraph.ForgetReads();
        foreach (var (value, uses) in _readers.ToList())
        {
            foreach (var use in uses.ToList()) RemoveReader(value, use);
            if (!Owns(value)) _model.Abandon(this, value);
        }

        foreach (var output in _outputs.Where(output => !Owns(output))) _outer!.RemoveReader(output, new Use(_owner!, -1));
        _model.Graphs.Remove(this);
    }

    // Not Remove of the list: messages are compared by content, which for a constant means all of its elements.
    private static void RemoveAll<T>(IList<T> list, Func<T, bool> isGone)
    {
        // Not RemoveAt, which moves all that stands behind.
        var kept = list.Where(item => !isGone(item)).ToList();
        if (kept.Count == list.Count) return;
        list.Clear();
        foreach (var item in kept) list.Add(item);
    }
}
