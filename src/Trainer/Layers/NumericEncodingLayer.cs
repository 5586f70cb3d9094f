using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Operators;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// What a <see cref="NumericEncoding.PiecewiseLinear"/> makes of a row, <c>[F]</c> to <c>[Width]</c>: the first layer of a network, put
/// there by the trainer, with constants that were learned from the training rows.
/// </summary>
/// <param name="Encoding">The constants.</param>
internal sealed record NumericEncodingLayer(EncodedNumbers Encoding) : Layer
{
    // z/√(1 + (z/3)²) is 3 there to the last digit, and its square is no infinity.
    private const float Far = 1e6f;

    /// <inheritdoc/>
    public override string Kind => "numbers";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => input.IsVector && input.Channels == Encoding.Inputs
        ? new SampleShape(Encoding.Width)
        : throw new ArgumentException($"The encoding was made for rows of {Encoding.Inputs} features, but gets {input}.");

    /// <inheritdoc/>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var encoded = Emit(graph.Nodes, x);
        if (EncodedForm.Of(Encoding) is { } form) graph.MarkEncoded(encoded, form);
        return new Differentiable(encoded, (_, inputNeeded) => inputNeeded
            ? throw new NotSupportedException("An encoding of numbers is the first layer of a network: there is no way back through it.")
            : Value.None);
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) => Emit(graph.Nodes, x);

    private Value Emit(GraphBuilder nodes, Value x)
    {
        var parts = new List<Value>();
        var near = Array.Exists(Encoding.Unit, unit => unit != 1) ? nodes.Named("near", "Mul", [x, Row("unit", Encoding.Unit)]) : x;
        if (Encoding.Numbers.Length > 0)
        {
            var centered = nodes.Named("centered", "Sub", [Take(near, Encoding.Numbers), Row("median", Encoding.Center)]);
            var z = nodes.Clip(nodes.Named("z", "Mul", [centered, Row("scale", Encoding.Scale)]), -Far, Far);
            var third = nodes.Node("Mul", [z, nodes.Constant(1f / 3)]);
            var size = nodes.Node("Sqrt", [nodes.Node("Add", [nodes.Node("Mul", [third, third]), nodes.Constant(1)])]);
            parts.Add(nodes.Named("smooth", "Div", [z, size]));
        }

        if (Encoding.Lower.Length > 0)
        {
            var above = nodes.Node("Sub", [Take(near, Encoding.BinFeatures), Row("lower", Encoding.Lower)]);
            var slope = Array.ConvertAll(Encoding.InverseWidth, inverse => inverse * Encoding.BinReach);
            parts.Add(nodes.Clip(nodes.Named("share", "Mul", [above, Row("slope", slope)]), 0, Encoding.BinReach));
        }

        if (Encoding.Flags.Length > 0)
        {
            var flags = Take(x, Encoding.Flags);
            parts.Add(Array.TrueForAll(Encoding.FlagScale, scale => scale == 1)
                ? flags
                : nodes.Named("flags", "Mul", [flags, Row("flagScale", Encoding.FlagScale)]));
        }

        if (Encoding.Categories.Length > 0) parts.Add(Take(x, Encoding.Categories));
        return parts.Count == 1 ? parts[0] : nodes.Named("encoded", "Concat", [.. parts], ("axis", 1));

        Value Row(string name, float[] values) => nodes.Initializer(TensorData.Create(name, values, values.Length));

        Value Take(Value from, int[] features) => features.AsSpan().SequenceEqual([.. Enumerable.Range(0, Encoding.Inputs)])
            ? from
            : nodes.Named(
                "taken", "Gather", [from, nodes.Integers(Array.ConvertAll(features, feature => (long)feature))], ("axis", 1));
    }
}
