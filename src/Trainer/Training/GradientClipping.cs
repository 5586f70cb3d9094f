using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Gradients shortened to a largest norm over all parameters together (Pascanu, Mikolov and Bengio 2013, arXiv 1211.5063, Algorithm 1):
/// g ← g·min(1, c/(‖g‖ + 1e-6)), with ‖g‖ = √(Σ over all parameters of Σ g²). The 1e-6, as in PyTorch, keeps a zero gradient from dividing by 0.
/// </summary>
internal sealed class GradientClipping
{
    private readonly Dictionary<string, Gradient> _clipped;

    private GradientClipping(Dictionary<string, Gradient> clipped) => _clipped = clipped;

    public static GradientClipping Emit(TrainingGraph training, IReadOnlyList<ParameterGroup> groups, float largestNorm)
    {
        var nodes = training.Nodes;
        using var scope = nodes.Scope("clipping");
        var parameters = groups.SelectMany(group => group.Parameters).ToArray();
        var gradients = Array.ConvertAll(parameters, parameter => training.GradientOf(parameter).Emit(nodes));
        var squares = Array.ConvertAll(gradients, gradient => nodes.SumOfSquares(gradient));
        var norm = nodes.Named("norm", "Sqrt", [nodes.Node("Sum", squares)]);
        var ratio = nodes.Node("Div", [nodes.Constant(largestNorm), nodes.Node("Add", [norm, nodes.Constant(1e-6f)])]);
        var factor = nodes.Named("factor", "Min", [ratio, nodes.Constant(1)]);
        return new GradientClipping(parameters.Zip(gradients).ToDictionary(
            pair => pair.First.Name, pair => Gradient.Of(nodes.Named("clipped", "Mul", [pair.Second, factor])), StringComparer.Ordinal));
    }

    public Gradient GradientOf(Parameter parameter) => _clipped[parameter.Name];
}
