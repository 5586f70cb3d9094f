using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph.Shapes;

/// <summary>One node while its output shapes are found out.</summary>
internal sealed class ShapeContext(OnnxGraph graph, NodeProto node)
{
    public NodeProto Node => node;

    public long Opset => graph.Opset;

    public TensorShape? Input(int index) => graph.Shape(node.InputAt(index));

    public bool TryInput(int index, [NotNullWhen(true)] out TensorShape? shape)
    {
        shape = Input(index);
        return shape is not null;
    }

    public bool HasInput(int index) => node.InputAt(index).Length > 0;

    public Dimension[]? Contents(int index) => graph.Contents(node.InputAt(index));

    public long[]? Numbers(int index) => graph.Integers(node.InputAt(index));

    public TensorShape? OutputShape(int index) => graph.Shape(node.Output[index]);

    public void Output(int index, TensorShape? shape)
    {
        if (index < node.Output.Count) graph.SetShape(node.Output[index], shape);
    }

    public void OutputContents(Dimension[]? elements) => graph.SetContents(node.Output[0], elements);

    /// <summary>Axes as an attribute (before opset 13) or as an input; null when they are not given or not constant.</summary>
    public long[]? Axes(int input) => node.Integers("axes") is { } given ? [.. given] : Numbers(input);

    /// <summary>An axis counted from the front.</summary>
    /// <exception cref="InvalidModelException">The axis lies outside the tensor.</exception>
    public int Axis(long axis, int rank)
    {
        if (axis < -rank || axis >= rank) throw Wrong($"axis {axis} lies outside a tensor of {rank} dimensions");
        return (int)(axis < 0 ? axis + rank : axis);
    }

    /// <exception cref="InvalidModelException">The input has another number of dimensions.</exception>
    public void RequireRank(int index, int least, int most = int.MaxValue)
    {
        if (Input(index) is not { } shape || (shape.Rank >= least && shape.Rank <= most)) return;
        var expected = least == most ? $"{least}" : most == int.MaxValue ? $"at least {least}" : $"{least} to {most}";
        throw Wrong($"its input '{node.InputAt(index)}' has shape {shape}, but {expected} dimensions are expected");
    }

    /// <exception cref="InvalidModelException">Both sizes are known and differ.</exception>
    public void RequireSame(Dimension actual, Dimension expected, string what)
    {
        if (actual.Size is { } a && expected.Size is { } e && a != e) throw Wrong($"{what} is {a}, but {e} is expected");
    }

    /// <summary>The error for operands that do not fit.</summary>
    public InvalidModelException Wrong(string problem)
    {
        var inputs = node.Input.Where(name => name.Length > 0).Select(name => $"{name}{graph.Shape(name)?.ToString() ?? "[?]"}");
        return new InvalidModelException($"{node.Describe()} has wrong shapes: {problem} (inputs: {string.Join(", ", inputs)}).");
    }
}
