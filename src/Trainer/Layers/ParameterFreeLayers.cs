using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Operators;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// Sets each value to 0 with probability <paramref name="Rate"/> in training and divides the others by 1 − rate; does nothing at inference
/// (Srivastava et al. 2014). In front of a batch normalization it makes the running variance wrong (Li et al. 2018, arXiv 1801.05134), so
/// put it behind the last one.
/// </summary>
/// <param name="Rate">From 0 to below 1.</param>
internal sealed record DropoutLayer(float Rate) : Layer
{
    /// <inheritdoc/>
    public override string Kind => "dropout";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => Rate is >= 0 and < 1
        ? input
        : throw new ArgumentException($"A dropout rate is from 0 to below 1, but is {Rate}.");

    /// <inheritdoc/>
    public override Layer SideBySide(int members, bool isShared) => this;

    /// <inheritdoc/>
    /// <remarks>y = x·k/(1−p), dx = dy·k/(1−p), with k the mask that was drawn.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        if (Rate == 0 || !graph.IsNoisy) return new Differentiable(x, (dy, _) => dy);
        var nodes = graph.Nodes;
        if (graph.OwnOperators)
        {
            var groups = graph.GroupsOf(x);
            var made = graph.Own(
                DropoutOperator.Name,
                [x],
                ["y", "kept"],
                DropoutOperator.Attributes(Rate, graph.NextSeed(), site.Input.Sizes, groups));
            if (groups > 1) graph.MarkGrouped(made[0], groups);
            return new Differentiable(
                made[0], (dy, inputNeeded) => inputNeeded ? nodes.Named("dx", "Mul", [dy, made[1]]) : Value.None);
        }

        var outputs = nodes.Nodes("Dropout", [x, nodes.Constant(Rate), nodes.True], 2, ("seed", graph.NextSeed()));
        return new Differentiable(outputs[0], (dy, inputNeeded) =>
        {
            if (!inputNeeded) return Value.None;
            var kept = nodes.Node("Cast", [outputs[1]], ("to", (long)DataType.Float));
            return nodes.Named("dx", "Mul", [dy, nodes.Node("Mul", [kept, nodes.Constant(1 / (1 - Rate))])]);
        });
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) => x;
}

/// <summary>Applies an activation to every value.</summary>
/// <param name="Function">The activation.</param>
internal sealed record ActivationLayer(Activation Function) : Layer
{
    /// <inheritdoc/>
    public override string Kind => Function.Kind;

    /// <inheritdoc/>
    public override bool IsRectifier => Function.IsRectifier;

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => input;

    /// <inheritdoc/>
    public override Layer SideBySide(int members, bool isShared) => this;

    /// <inheritdoc/>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        if (graph.IsActivated(x)) return new Differentiable(x, (dy, _) => dy);
        var y = Function.Forward(graph.Nodes, x);
        return new Differentiable(y, (dy, inputNeeded) => inputNeeded ? Function.Backward(graph.Nodes, x, y, dy) : Value.None);
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) => Function.Forward(graph.Nodes, x);
}

/// <summary>Lays the values of a row one behind the other: <c>[C, H, W]</c> to <c>[C·H·W]</c>.</summary>
internal sealed record FlattenLayer : Layer
{
    /// <inheritdoc/>
    public override string Kind => "flatten";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => new(input.Count);

    /// <inheritdoc/>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        return new Differentiable(
            nodes.Named("y", "Flatten", [x], ("axis", 1)),
            (dy, _) => nodes.Named("dx", "Reshape", [dy, nodes.Integers([-1, .. site.Input.Sizes])]));
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) => graph.Nodes.Named("y", "Flatten", [x], ("axis", 1));
}
