using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// One layer of a <see cref="Network"/>: its shapes, its parameters, its equations in training (forward and backward, side by side) and at
/// inference. A new kind of layer is one new file with a subclass; nothing else has to know about it.
/// </summary>
public abstract record Layer
{
    /// <summary>A name for the layer; null = its kind and a number, as <c>dense1</c>.</summary>
    public string? Name { get; init; }

    /// <summary>The kind, as it stands in names and summaries: lower case, one word.</summary>
    public abstract string Kind { get; }

    /// <summary>The shape that comes out of the layer.</summary>
    /// <param name="input">The shape that goes in.</param>
    /// <exception cref="ArgumentException">The layer does not take such a shape; the message says what it takes.</exception>
    public abstract SampleShape OutputShape(SampleShape input);

    /// <summary>The parameters the layer itself has at its place in the network, without those of layers inside it.</summary>
    public virtual IEnumerable<Parameter> Parameters(LayerSite site) => [];

    /// <summary>The layers inside this one, at their places; none for most kinds.</summary>
    /// <param name="site">The place of this layer.</param>
    public virtual IReadOnlyList<LayerSite> InnerSites(LayerSite site) => [];

    /// <summary>Emits the training forward pass and returns it with its backward pass.</summary>
    /// <param name="graph">The training step.</param>
    /// <param name="site">The layer's place.</param>
    /// <param name="x">The layer's input, <c>[N, …]</c>.</param>
    public abstract Differentiable Train(TrainingGraph graph, LayerSite site, Value x);

    /// <summary>Emits the inference pass.</summary>
    /// <param name="graph">The graph that is built.</param>
    /// <param name="site">The layer's place.</param>
    /// <param name="x">The layer's input, <c>[N, …]</c>.</param>
    public abstract Value Infer(InferenceGraph graph, LayerSite site, Value x);
}
