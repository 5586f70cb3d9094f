using Google.Protobuf.Collections;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Puts the bodies of model-local functions in the place of their calls, so that what they are made of is seen beside its neighbours:
/// exporters write each layer, or each module, as a function.
/// </summary>
internal sealed class FunctionInlining
{
    // A function that calls another twice, and so on: what a small file can grow to is bounded.
    private const long LargestGrowth = 1 << 20;

    private readonly ModelProto _model;
    private readonly Dictionary<FunctionKey, FunctionProto> _functions = [];
    private readonly Dictionary<FunctionKey, string> _kept = [];
    private List<FunctionKey> _order = [];

    private FunctionInlining(ModelProto model)
    {
        _model = model;
        foreach (var function in model.Functions) _functions.TryAdd(FunctionKey.Of(function), function);
    }

    /// <summary>
    /// A model with all functions inlined that are called, when one of them holds a given operator; otherwise the given one.
    /// </summary>
    /// <param name="model">The model; it is left as it is.</param>
    /// <param name="opType">The operator, of the default domain.</param>
    /// <returns>
    /// The model, and why the functions that still hold the operator could not be inlined: a clause for each, in the model's order.
    /// </returns>
    public static (ModelProto Model, IReadOnlyList<(FunctionProto Function, string Reason)> Kept) Of(ModelProto model, string opType)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (!model.Functions.Any(function => Holds(function.Node, opType))) return (model, []);
        var inlining = new FunctionInlining(model);
        if (inlining.Prepare(opType))
        {
            model = model.Clone();
            var (copy, kept) = (new FunctionInlining(model), inlining._kept);
            foreach (var (key, reason) in kept) copy._kept.Add(key, reason);
            copy.Inline(inlining._order);
        }

        var reasons =
            from function in model.Functions
            where Holds(function.Node, opType)
            let uncalled = $"the function '{function.Name}' is called nowhere"
            select (function, inlining._kept.GetValueOrDefault(FunctionKey.Of(function), uncalled));
        return (model, [.. reasons]);
    }

    private static bool Holds(IEnumerable<NodeProto> nodes, string opType) => All(nodes).Any(node => node.Is(opType));

    // The nodes, and those of their subgraphs.
    private static IEnumerable<NodeProto> All(IEnumerable<NodeProto> nodes) =>
        nodes.SelectMany(node => All(node.Subgraphs().SelectMany(graph => graph.Node)).Prepend(node));

    // Finds out what can be inlined, and whether that is anything.
    private bool Prepare(string opType)
    {
        _order = CallsFirst(Called(_model.Graph.Node));
        if (!_order.Exists(key => Holds(_functions[key].Node, opType))) return false;
        foreach (var key in _order) Admit(key);
        if (Bound(_order) is { } problem) foreach (var key in _order) _kept[key] = problem;
        return _order.Exists(key => !_kept.ContainsKey(key));
    }

    private void Inline(List<FunctionKey> order)
    {
        // Bodies first, so that one step from each call is enough.
        foreach (var key in order.Where(key => !_kept.ContainsKey(key)))
        {
            var names = new ValueNames();
            foreach (var name in _functions[key].Input) names.Take(name);
            foreach (var node in _functions[key].Node) names.Take(node);
            Expand(_functions[key].Node, names);
        }

        var taken = new ValueNames();
        taken.Take(_model.Graph);
        Expand(_model.Graph.Node, taken);
        foreach (var import in order.Where(key => !_kept.ContainsKey(key)).SelectMany(key => _functions[key].OpsetImport))
        {
            if (!_model.OpsetImport.Any(known => Domain(known.Domain) == Domain(import.Domain))) _model.OpsetImport.Add(import.Clone());
        }

        RemoveUncalled([.. order]);
    }

    // A body can stand in the graph only when both mean the same by each operator.
    private void Admit(FunctionKey key)
    {
        foreach (var import in _functions[key].OpsetImport)
        {
            var known = _model.OpsetImport.FirstOrDefault(known => Domain(known.Domain) == Domain(import.Domain));
            if (known is not null && known.Version != import.Version)
                _kept[key] = $"the function '{key.Name}' is written for operator set {import.Version}, and the model for {known.Version}";
        }
    }

    // How many nodes there would be; null when that is bearable.
    private string? Bound(List<FunctionKey> order)
    {
        var sizes = new Dictionary<FunctionKey, Int128>();
        foreach (var key in order) sizes[key] = Size(_functions[key].Node);
        var total = Size(_model.Graph.Node);
        return total > LargestGrowth + All(_model.Graph.Node).Count()
            ? $"its functions call each other so often that they would become {total:N0} nodes"
            : null;

        Int128 Size(IEnumerable<NodeProto> nodes) => All(nodes)
            .Select(node => sizes.TryGetValue(FunctionKey.OfCall(node), out var size) ? size : 1)
            .Aggregate((Int128)0, (sum, size) => Int128.Min(sum + size, long.MaxValue));
    }

    private HashSet<FunctionKey> Called(IEnumerable<NodeProto> nodes) =>
        All(nodes).Select(FunctionKey.OfCall).Where(_functions.ContainsKey).ToHashSet();

    // All that is reached, those that are called before their callers; functions that call themselves in a circle are left out.
    private List<FunctionKey> CallsFirst(IEnumerable<FunctionKey> roots)
    {
        var (order, state) = (new List<FunctionKey>(), new Dictionary<FunctionKey, bool>());
        var path = new Stack<(FunctionKey Key, Queue<FunctionKey> Next)>();
        foreach (var root in roots) Enter(root);
        while (path.TryPeek(out var top))
        {
            if (top.Next.TryDequeue(out var next))
            {
                Enter(next);
                continue;
            }

            path.Pop();
            state[top.Key] = true;
            order.Add(top.Key);
        }

        return order;

        void Enter(FunctionKey key)
        {
            if (state.TryGetValue(key, out var isDone))
            {
                if (!isDone && path.Any(step => step.Key == key)) _kept[key] = $"the function '{key.Name}' calls itself";
                return;
            }

            state[key] = false;
            path.Push((key, new(Called(_functions[key].Node))));
        }
    }

    private void Expand(RepeatedField<NodeProto> nodes, ValueNames names)
    {
        var result = new List<NodeProto>(nodes.Count);
        var changed = false;
        foreach (var node in nodes)
        {
            foreach (var subgraph in node.Subgraphs()) Expand(subgraph.Node, names);
            var key = FunctionKey.OfCall(node);
            if (_functions.TryGetValue(key, out var function) && !_kept.ContainsKey(key))
            {
                result.AddRange(new Call(node, function, names).Body());
                changed = true;
            }
            else
            {
                result.Add(node);
            }
        }

        if (!changed) return;
        nodes.Clear();
        nodes.AddRange(result);
    }

    private void RemoveUncalled(HashSet<FunctionKey> reached)
    {
        var needed = new Queue<FunctionKey>(Called(_model.Graph.Node));
        var kept = _functions.Keys.Where(key => !reached.Contains(key)).ToHashSet();
        foreach (var key in kept) foreach (var callee in Called(_functions[key].Node)) needed.Enqueue(callee);
        while (needed.TryDequeue(out var key))
            if (kept.Add(key)) foreach (var callee in Called(_functions[key].Node)) needed.Enqueue(callee);
        for (var i = _model.Functions.Count - 1; i >= 0; i--)
            if (!kept.Contains(FunctionKey.Of(_model.Functions[i]))) _model.Functions.RemoveAt(i);
    }

    private static string Domain(string domain) => domain == "ai.onnx" ? string.Empty : domain;

    /// <summary>What a function is called by.</summary>
    private readonly record struct FunctionKey(string Domain, string Name, string Overload)
    {
        public static FunctionKey Of(FunctionProto function) =>
            new(FunctionInlining.Domain(function.Domain), function.Name, function.Overload);

        public static FunctionKey OfCall(NodeProto node) => new(FunctionInlining.Domain(node.Domain), node.OpType, node.Overload);
    }

    /// <summary>One call on its way to becoming the nodes of the body.</summary>
    private sealed class Call
    {
        private readonly NodeProto _node;
        private readonly FunctionProto _function;
        private readonly ValueNames _taken;
        private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal) { [string.Empty] = string.Empty };
        private readonly List<NodeProto> _copies = [];

        public Call(NodeProto node, FunctionProto function, ValueNames taken)
        {
            (_node, _function, _taken) = (node, function, taken);
            for (var i = 0; i < function.Input.Count; i++) _names[function.Input[i]] = node.InputAt(i);
            for (var i = 0; i < function.Output.Count; i++)
            {
                var (inner, outer) = (function.Output[i], i < node.Output.Count ? node.Output[i] : string.Empty);
                if (outer.Length > 0 && !_names.TryAdd(inner, outer))
                    _copies.Add(new NodeProto { OpType = "Identity", Name = taken.Fresh(outer), Input = { inner }, Output = { outer } });
            }
        }

        public IEnumerable<NodeProto> Body()
        {
            var body = _function.Node.Select(node => Copy(node)).ToList();
            foreach (var copy in _copies) copy.Input[0] = _names[copy.Input[0]];
            return [.. body, .. _copies];
        }

        private NodeProto Copy(NodeProto node)
        {
            var copy = node.Clone();
            copy.Name = _taken.Fresh($"{_node.Label()}/{(node.Name.Length > 0 ? node.Name : node.OpType)}");
            Rename(copy.Input);
            foreach (var output in node.Output) Define(output);
            Rename(copy.Output);
            Bind(copy);
            return copy;
        }

        // Attributes that stand for those of the call get their values; what the call does not give has the function's default, or none.
        private void Bind(NodeProto copy)
        {
            for (var i = copy.Attribute.Count - 1; i >= 0; i--)
            {
                var attribute = copy.Attribute[i];
                if (attribute.HasRefAttrName && attribute.RefAttrName.Length > 0)
                {
                    var given = _node.Attribute(attribute.RefAttrName)
                        ?? _function.AttributeProto.FirstOrDefault(other => other.Name == attribute.RefAttrName);
                    copy.Attribute.RemoveAt(i);
                    if (given is null) continue;
                    var value = given.Clone();
                    value.Name = attribute.Name;
                    copy.Attribute.Insert(i, value);
                    continue;
                }

                foreach (var graph in attribute.Graphs.Prepend(attribute.G).Where(graph => graph is not null)) Bind(graph);
            }
        }

        // Inside of a subgraph, names of its own become fresh as well; what it reads from the body follows.
        private void Bind(GraphProto graph)
        {
            foreach (var input in graph.Input) Define(input.Name);
            foreach (var tensor in graph.Initializer) Define(tensor.Name);
            foreach (var tensor in graph.SparseInitializer) Define(tensor.Values.Name);
            for (var i = 0; i < graph.Node.Count; i++) graph.Node[i] = Copy(graph.Node[i]);
            foreach (var value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo)) value.Name = NameOf(value.Name);
            foreach (var tensor in graph.Initializer) tensor.Name = NameOf(tensor.Name);
            foreach (var tensor in graph.SparseInitializer) tensor.Values.Name = NameOf(tensor.Values.Name);
        }

        private void Define(string name)
        {
            if (!_names.ContainsKey(name)) _names.Add(name, _taken.Fresh($"{_node.Label()}/{name}"));
        }

        private void Rename(RepeatedField<string> names)
        {
            for (var i = 0; i < names.Count; i++) names[i] = NameOf(names[i]);
        }

        private string NameOf(string name) => _names.GetValueOrDefault(name, name);
    }
}
