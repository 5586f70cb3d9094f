using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// What layer and group normalization share: each row's values, in groups, are shifted and scaled to mean 0 and variance 1. Nothing depends
/// on the other rows, so training and inference are the same.
/// </summary>
internal static class RowNormalization
{
    /// <summary>Emits x̂ = (x−μ)/√(σ²+ε) over groups of a row, in two passes, and its way back.</summary>
    /// <param name="nodes">The graph.</param>
    /// <param name="x">The rows, <c>[N, …]</c>.</param>
    /// <param name="shape">The shape of a row.</param>
    /// <param name="groups">The groups, of M values one behind the other.</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <remarks>With i = 1/√(σ²+ε): dx = i·(dx̂ − Σdx̂/M − x̂·Σ(dx̂·x̂)/M) (Ba et al. 2016, arXiv 1607.06450, with the sums of a row).</remarks>
    public static Differentiable Emit(GraphBuilder nodes, Value x, SampleShape shape, int groups, float epsilon)
    {
        var values = ToGroups(x);
        var mean = nodes.ReduceMean(values, keepAxes: true, 2);
        var centered = nodes.Named("centered", "Sub", [values, mean]);
        var variance = nodes.ReduceMean(nodes.Node("Mul", [centered, centered]), keepAxes: true, 2);
        var deviation = nodes.Named("std", "Sqrt", [nodes.Node("Add", [variance, nodes.Constant(epsilon)])]);
        var xHat = nodes.Node("Div", [centered, deviation]);
        return new Differentiable(ToRows("xHat", xHat), (dxHat, inputNeeded) =>
        {
            if (!inputNeeded) return Value.None;
            var slopes = ToGroups(dxHat);
            var along = nodes.ReduceMean(nodes.Node("Mul", [slopes, xHat]), keepAxes: true, 2);
            var free = nodes.Node("Sub", [slopes, nodes.ReduceMean(slopes, keepAxes: true, 2)]);
            var inner = nodes.Node("Sub", [free, nodes.Node("Mul", [xHat, along])]);
            return ToRows("dx", nodes.Node("Div", [inner, deviation]));
        });

        Value ToGroups(Value rows) => nodes.Node("Reshape", [rows, nodes.Integers(-1, groups, shape.Count / groups)]);
        Value ToRows(string name, Value grouped) => nodes.Named(name, "Reshape", [grouped, nodes.Integers([-1, .. shape.Sizes])]);
    }
}
