using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Operators;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// A fully connected layer: <c>y = x·W + b</c>, with <c>x</c> of shape <c>[N, C]</c> and <c>W</c> of shape <c>[C, units]</c>.
/// </summary>
/// <param name="Units">The number of outputs for each row.</param>
internal sealed record DenseLayer(int Units) : Layer
{
    /// <summary>Whether to add a bias; null (the default) = unless a batch normalization follows, which would undo it.</summary>
    public bool? Bias { get; init; }

    /// <summary>The first values of the weights; null (the default) = He before a relu kind, Glorot otherwise.</summary>
    public Initializer? WeightInitializer { get; init; }

    /// <inheritdoc/>
    public override string Kind => "dense";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => input.IsVector
        ? new SampleShape(Units)
        : throw new ArgumentException(
            $"A dense layer takes rows of shape [C], but gets {input}; put Flatten() or GlobalAveragePool() before it.");

    /// <inheritdoc/>
    public override Layer SideBySide(int members, bool isShared) => isShared
        ? this with { Units = members * Units }
        : new GroupedDenseLayer(members, Units) { Bias = Bias, WeightInitializer = WeightInitializer };

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters(LayerSite site)
    {
        yield return new Parameter("weight", [site.Input.Channels, Units], ParameterRole.Weight, WeightInitializer ?? site.FirstWeights);
        if (HasBias(site)) yield return new Parameter("bias", [Units], ParameterRole.Affine, Initializer.Zeros);
    }

    /// <inheritdoc/>
    /// <remarks>dW = xᵀ·dy, db = Σ dy over the rows, dx = dy·Wᵀ.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var weight = graph.Parameter(site, "weight");
        var bias = HasBias(site) ? graph.Parameter(site, "bias") : Value.None;
        var (y, gradient) = graph.EncodedFormOf(x) is { } form
            ? EncodedProduct(graph, form.Attributes(site.Output.Channels), x, weight, bias)
            : (Product(nodes, x, weight, bias), dy => Gradient.Product(x, dy));
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            graph.SetGradient(site, "weight", gradient(dy));
            if (HasBias(site)) graph.SetGradient(site, "bias", Gradient.Of(graph.SumOverRows(dy)));
            return inputNeeded ? nodes.Named("dx", "Gemm", [dy, weight], ("transB", 1)) : Value.None;
        });
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) =>
        Product(graph.Nodes, x, graph.Parameter(site, "weight"), HasBias(site) ? graph.Parameter(site, "bias") : Value.None);

    private static (Value Y, Func<Value, Gradient> Gradient) EncodedProduct(
        TrainingGraph graph, NodeArgument[] form, Value x, Value weight, Value bias)
    {
        var made = graph.Own(EncodedProductOperator.Name, [x, weight], ["product", "taken", "sums"], form);
        return (
            bias.IsGiven ? graph.Nodes.Named("y", "Add", [made[0], bias]) : made[0],
            dy => Gradient.Of(graph.Own(EncodedGradientOperator.Name, [made[1], dy], ["gradient", "work"], form)[0]));
    }

    private static Value Product(GraphBuilder nodes, Value x, Value weight, Value bias) =>
        bias.IsGiven ? nodes.Named("y", "Gemm", [x, weight, bias]) : nodes.Named("y", "MatMul", [x, weight]);

    private bool HasBias(LayerSite site) => Bias ?? !site.FeedsBatchNorm;
}
