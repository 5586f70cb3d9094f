using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Layers;

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
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var y = Function.Forward(graph.Nodes, x);
        return new Differentiable(y, (dy, inputNeeded) => inputNeeded ? Function.Backward(graph.Nodes, x, y, dy) : Value.None);
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) => Function.Forward(graph.Nodes, x);
}
