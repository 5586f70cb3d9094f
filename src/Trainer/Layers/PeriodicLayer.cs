using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// Sines and cosines of numbers beside the row that they stand in, with learned frequencies (Gorishniy et al. 2022, arXiv 2203.05556,
/// section 3.2): <c>[x, sin(2π·c·z), cos(2π·c·z)]</c>, with <c>z</c> the first values of the row. Of the kind that
/// <see cref="NumericEncoding.Periodic"/> makes, put behind a <see cref="NumericEncodingLayer"/> by the trainer.
/// </summary>
/// <param name="Numbers">How many values at the beginning of a row are numbers.</param>
/// <param name="Frequencies">The frequencies of each.</param>
/// <param name="Deviation">The standard deviation of the first frequencies.</param>
internal sealed record PeriodicLayer(int Numbers, int Frequencies, float Deviation) : Layer
{
    private const float Turn = (float)(2 * Math.PI);

    /// <summary>How many members of an ensemble, side by side, have frequencies of their own for the same row.</summary>
    public int Groups { get; init; } = 1;

    /// <inheritdoc/>
    public override string Kind => "periodic";

    private int Waves => Numbers * Frequencies;

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => input.IsVector && input.Channels >= Numbers
        ? new SampleShape(Groups * (input.Channels + (2L * Waves)))
        : throw new ArgumentException($"The periodic encoding takes rows of at least {Numbers} numbers, but gets {input}.");

    /// <inheritdoc/>
    public override Layer SideBySide(int members, bool isShared) =>
        isShared ? this with { Groups = members } : base.SideBySide(members, false);

    /// <inheritdoc/>
    /// <remarks>Without weight decay, which would draw every frequency to 0, where a wave is a constant.</remarks>
    public override IEnumerable<Parameter> Parameters(LayerSite site)
    {
        yield return new Parameter("frequency", Shape, ParameterRole.Affine, Initializer.Normal(Deviation));
    }

    /// <inheritdoc/>
    /// <remarks>With a = 2π·c·z: da = dsin·cos a − dcos·sin a, dc = 2π·Σ da·z over the rows, dz = 2π·Σ da·c over the frequencies.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var width = site.Input.Channels;
        var (numbers, turns) = (Column(nodes, site, x), nodes.Node("Mul", [graph.Parameter(site, "frequency"), nodes.Constant(Turn)]));
        var (y, sine, cosine) = Emit(nodes, site, x, numbers, turns);
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            var byGroup = nodes.Node("Reshape", [dy, nodes.Integers(-1, Groups, width + (2L * Waves))]);
            var parts = nodes.Nodes("Split", [byGroup, nodes.Integers(width, Waves, Waves)], 3, ("axis", 2));
            var turned = nodes.Node("Sub", [nodes.Node("Mul", [parts[1], cosine]), nodes.Node("Mul", [parts[2], sine])]);
            var dAngle = nodes.Named("dAngle", "Reshape", [turned, nodes.Integers(-1, Groups, Numbers, Frequencies)]);
            var byRow = nodes.Node("Reshape", [nodes.Node("Mul", [dAngle, numbers]), nodes.Integers(-1, (long)Groups * Waves)]);
            var sum = nodes.Node("Mul", [graph.SumOverRows(byRow), nodes.Constant(Turn)]);
            graph.SetGradient(site, "frequency", Gradient.Of(nodes.Node("Reshape", [sum, nodes.Integers(Shape)])));
            if (!inputNeeded) return Value.None;
            var direct = nodes.ReduceSum(parts[0], keepAxes: false, 1);
            var dNumbers = nodes.ReduceSum(nodes.Node("Mul", [dAngle, turns]), keepAxes: false, 1, 3);
            if (width == Numbers) return nodes.Named("dx", "Add", [direct, dNumbers]);
            var split = nodes.Nodes("Split", [direct, nodes.Integers(Numbers, width - Numbers)], 2, ("axis", 1));
            return nodes.Named("dx", "Concat", [nodes.Node("Add", [split[0], dNumbers]), split[1]], ("axis", 1));
        });
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var turns = nodes.Node("Mul", [graph.Parameter(site, "frequency"), nodes.Constant(Turn)]);
        return Emit(nodes, site, x, Column(nodes, site, x), turns).Output;
    }

    private long[] Shape => Groups == 1 ? [Numbers, Frequencies] : [Groups, Numbers, Frequencies];

    // [N, W] to [N, 1, numbers, 1]
    private Value Column(GraphBuilder nodes, LayerSite site, Value x)
    {
        var z = site.Input.Channels == Numbers
            ? x
            : nodes.Node("Gather", [x, nodes.Integers([.. Enumerable.Range(0, Numbers).Select(place => (long)place)])], ("axis", 1));
        return nodes.Named("numbers", "Reshape", [z, nodes.Integers(-1, 1, Numbers, 1)]);
    }

    private (Value Output, Value Sine, Value Cosine) Emit(GraphBuilder nodes, LayerSite site, Value x, Value numbers, Value turns)
    {
        var width = site.Input.Channels;
        var angle = nodes.Named("angle", "Reshape", [nodes.Node("Mul", [numbers, turns]), nodes.Integers(-1, Groups, Waves)]);
        var (sine, cosine) = (nodes.Named("sine", "Sin", [angle]), nodes.Named("cosine", "Cos", [angle]));
        var row = nodes.Node("Reshape", [x, nodes.Integers(-1, 1, width)]);
        if (Groups > 1) row = nodes.Node("Concat", [.. Enumerable.Repeat(row, Groups)], ("axis", 1));
        var joined = nodes.Node("Concat", [row, sine, cosine], ("axis", 2));
        return (nodes.Named("y", "Reshape", [joined, nodes.Integers(-1, Groups * (width + (2L * Waves)))]), sine, cosine);
    }
}
