using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Graphs;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// Categories as vectors that are learned (entity embeddings; Guo and Berkhahn 2016, arXiv 1604.06737, section 3): the last values of a
/// row are numbers of categories, and each gives way to its row of a table, <c>[x, k₁, …]</c> to <c>[x, E₁[k₁], …]</c>. Row 0 of a table is
/// that of whatever has no row of its own: 0, and numbers that no training row had. Put behind a <see cref="NumericEncodingLayer"/> by the
/// trainer.
/// </summary>
/// <param name="Categories">What the last values of a row number, in their order.</param>
internal sealed record EmbeddingLayer(IReadOnlyList<EmbeddedCategory> Categories) : Layer
{
    /// <summary>How many members of an ensemble, side by side, have tables of their own for the same row.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Whether each member already has a row of its own, <c>[Groups·C]</c>; the categories are those of the first.</summary>
    public bool IsBehindGroups { get; init; }

    /// <inheritdoc/>
    public override string Kind => "embedding";

    private int Dimensions => Categories.Sum(category => category.Dimension);

    private int GroupsBefore => IsBehindGroups ? Groups : 1;

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) =>
        input.IsVector && input.Channels % GroupsBefore == 0 && input.Channels / GroupsBefore >= Categories.Count
        ? new SampleShape(Groups * ((input.Channels / GroupsBefore) - Categories.Count + Dimensions))
        : throw new ArgumentException(
            $"The embedding takes rows that end with {Categories.Count} numbers of categories, but gets {input}.");

    /// <inheritdoc/>
    public override Layer SideBySide(int members, bool isShared) => this with { Groups = members, IsBehindGroups = !isShared };

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters(LayerSite site) => Categories.Select((category, place) => new Parameter(
        TableName(place), Shape(category), ParameterRole.Weight, Initializer.Normal(1 / MathF.Sqrt(category.Dimension))));

    /// <inheritdoc/>
    /// <remarks>dE[k] = Σ dy over the rows with the category k; numbers of categories have no gradient.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var (y, known, indices) = Emit(nodes, site, x, place => graph.Parameter(site, TableName(place)));
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            var byGroup = nodes.Node("Reshape", [dy, nodes.Integers(-1, Groups, Numbers(site) + Dimensions)]);
            long[] sizes = [Numbers(site), .. Categories.Select(category => (long)category.Dimension)];
            if (sizes[0] == 0) sizes = sizes[1..];
            Value[] parts = sizes.Length == 1
                ? [byGroup]
                : nodes.Nodes("Split", [byGroup, nodes.Integers(sizes)], sizes.Length, ("axis", 2));
            for (var place = 0; place < Categories.Count; place++)
            {
                var shape = Shape(Categories[place]);
                var dRows = nodes.Node("Reshape", [parts[sizes.Length - Categories.Count + place], nodes.Integers(-1, shape[1])]);
                var rows = nodes.Node("Reshape", [indices[place], nodes.Integers(-1, 1)]);
                var everywhere = nodes.Node("Expand", [rows, nodes.Node("Shape", [dRows])]);
                var none = nodes.Node("ConstantOfShape", [nodes.Integers(shape)]);
                var sum = nodes.Named("gradient", "ScatterElements", [none, everywhere, dRows], ("axis", 0), ("reduction", "add"));
                graph.SetGradient(site, TableName(place), Gradient.Of(sum));
            }

            if (!inputNeeded) return Value.None;
            var zeros = nodes.Node("Mul", [known, nodes.Constant(0)]);
            var dCategories = nodes.Node("Reshape", [zeros, nodes.Integers(-1, 1, Categories.Count)]);
            if (GroupsBefore > 1) dCategories = nodes.Node("Concat", [.. Enumerable.Repeat(dCategories, Groups)], ("axis", 1));
            var dx = dCategories;
            if (Numbers(site) > 0)
            {
                var dNumbers = Groups > GroupsBefore ? nodes.ReduceSum(parts[0], keepAxes: true, 1) : parts[0];
                dx = nodes.Node("Concat", [dNumbers, dCategories], ("axis", 2));
            }

            return nodes.Named("dx", "Reshape", [dx, nodes.Integers(-1, site.Input.Channels)]);
        });
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) =>
        Emit(graph.Nodes, site, x, place => graph.Parameter(site, TableName(place))).Output;

    /// <summary>
    /// The parameters with a row 0 in each table also where no training row has 0, so that it was not learned: the mean over the training
    /// rows.
    /// </summary>
    /// <param name="sites">The layers of a network.</param>
    /// <param name="parameters">Its parameters.</param>
    public static IReadOnlyDictionary<string, float[]> Complete(
        IEnumerable<LayerSite> sites, IReadOnlyDictionary<string, float[]> parameters)
    {
        var complete = new Dictionary<string, float[]>(parameters, StringComparer.Ordinal);
        foreach (var site in sites)
        {
            if (site.Layer is not EmbeddingLayer layer) continue;
            foreach (var (place, category) in layer.Categories.Index())
            {
                if (category.Rows[0] > 0) continue;
                var name = site.FullName(TableName(place));
                var (table, rows) = (parameters[name].AsSpan().ToArray(), category.Rows.Sum(count => (double)count));
                var width = table.Length / category.Rows.Count;
                for (var column = 0; column < width; column++)
                {
                    var sum = 0.0;
                    for (var level = 1; level < category.Rows.Count; level++)
                        sum += (double)table[(level * width) + column] * category.Rows[level];
                    table[column] = (float)(sum / rows);
                }

                complete[name] = table;
            }
        }

        return complete;
    }

    /// <summary>The name of a table in the layer.</summary>
    /// <param name="place">Which of the categories, from 0.</param>
    public static string TableName(int place) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"table{place + 1}");

    private long[] Shape(EmbeddedCategory category) => [category.Levels + 1L, (long)Groups * category.Dimension];

    private long Numbers(LayerSite site) => (site.Input.Channels / GroupsBefore) - Categories.Count;

    private (Value Output, Value Known, Value[] Indices) Emit(GraphBuilder nodes, LayerSite site, Value x, Func<int, Value> table)
    {
        var numbers = Numbers(site);
        Value row = x, categories = x;
        if (IsBehindGroups) row = nodes.Node("Reshape", [x, nodes.Integers(-1, Groups, numbers + Categories.Count)]);
        var axis = IsBehindGroups ? 2 : 1;
        if (IsBehindGroups) categories = nodes.Node("Gather", [row, nodes.Index(0)], ("axis", 1));
        categories = Taken(categories, numbers, Categories.Count, 1);

        // What is no number of a category is 0; a comparison with NaN is false.
        var highest = TensorData.Create("beyond", [.. Categories.Select(category => category.Levels + 0.5f)], Categories.Count);
        var (above, below) = (nodes.Constant(-0.5f), nodes.Initializer(highest));
        var isKnown = nodes.Node("And", [nodes.Node("Greater", [categories, above]), nodes.Node("Less", [categories, below])]);
        var known = nodes.Node("Where", [isKnown, categories, nodes.Constant(0)]);
        var whole = nodes.Node("Floor", [nodes.Node("Add", [known, nodes.Constant(0.5f)])]);
        var all = nodes.Named("categories", "Cast", [whole], ("to", (long)DataType.Int64));
        var indices = Enumerable.Range(0, Categories.Count).Select(place => nodes.Node("Gather", [all, nodes.Index(place)], ("axis", 1)));
        Value[] ofRows = [.. indices];

        var parts = new List<Value>();
        if (numbers > 0)
        {
            var own = Taken(row, 0, numbers, axis);
            if (Groups > 1 && !IsBehindGroups)
            {
                own = nodes.Node("Reshape", [own, nodes.Integers(-1, 1, numbers)]);
                own = nodes.Node("Concat", [.. Enumerable.Repeat(own, Groups)], ("axis", 1));
            }

            parts.Add(own);
        }

        for (var place = 0; place < ofRows.Length; place++)
        {
            var vectors = nodes.Named("embedded", "Gather", [table(place), ofRows[place]], ("axis", 0));
            parts.Add(Groups > 1 ? nodes.Node("Reshape", [vectors, nodes.Integers(-1, Groups, Categories[place].Dimension)]) : vectors);
        }

        var joined = parts.Count == 1 ? parts[0] : nodes.Named("joined", "Concat", [.. parts], ("axis", Groups > 1 ? 2 : 1));
        var output = Groups > 1 ? nodes.Named("y", "Reshape", [joined, nodes.Integers(-1, Groups * (numbers + Dimensions))]) : joined;
        return (output, known, ofRows);

        Value Taken(Value from, long first, long count, int along) => count == numbers + Categories.Count
            ? from
            : nodes.Node(
                "Gather", [from, nodes.Integers([.. Enumerable.Range(0, (int)count).Select(place => first + place)])], ("axis", along));
    }
}
