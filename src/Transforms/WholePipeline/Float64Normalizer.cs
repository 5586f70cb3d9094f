using System.Collections.Immutable;
using Microsoft.ML;
using Microsoft.ML.Transforms;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Transforms.Interop;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>A normalizer of a column of Double: <c>(x − Offset) · Scale</c> in float64, as ML.NET computes it.</summary>
/// <param name="Scale">One for each value of a row.</param>
/// <param name="Offset">As many, or none at all.</param>
internal sealed record Float64Normalizer(double[] Scale, double[] Offset)
{
    /// <summary>The normalizer that makes a column; null where it is of another kind, or of another type.</summary>
    public static Float64Normalizer? Of(PipelineStep step, DataViewSchema.Column made)
    {
        var normalizer = (NormalizingTransformer)step.Transformer;
        var names = MlNetInternals.ColumnsMadeBy(normalizer);

        // Of two that make a column of the same name, the later one hides the other.
        var index = names.Count - 1;
        while (index >= 0 && names[index] != made.Name) index--;
        return (index < 0 ? null : normalizer.GetNormalizerModelParameters(index)) switch
        {
            NormalizingTransformer.AffineNormalizerModelParameters<double> one => new([one.Scale], [one.Offset]),
            NormalizingTransformer.AffineNormalizerModelParameters<ImmutableArray<double>> many =>
                new([.. many.Scale], many.Offset.IsDefault ? [] : [.. many.Offset]),
            _ => null,
        };
    }

    /// <summary>Emits it.</summary>
    /// <param name="nodes">The graph.</param>
    /// <param name="x">The column, <c>[N, C]</c>.</param>
    public Value Emit(GraphBuilder nodes, Value x)
    {
        if (Offset.Any(offset => offset != 0))
            x = nodes.Named("centered", "Sub", [x, nodes.Initializer(TensorData.Create("offset", Offset, Offset.Length))]);
        return Scale.All(scale => scale == 1)
            ? x
            : nodes.Named("scaled", "Mul", [x, nodes.Initializer(TensorData.Create("scale", Scale, Scale.Length))]);
    }
}
