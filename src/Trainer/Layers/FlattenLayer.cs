using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Layers;

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
