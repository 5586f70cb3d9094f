using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Precision;

namespace MlNetBatchNorm.Trainer;

/// <summary>A network with fewer bits, and what that costs on real rows.</summary>
/// <param name="Check">The model, what was done, and how far its outputs differ.</param>
/// <param name="Rows">How many rows both models were compared on.</param>
/// <param name="Before">The figures of the float32 model on those rows, by name; see <see cref="Loss.Metrics"/>.</param>
/// <param name="After">The figures of the model with fewer bits.</param>
public sealed record ReducedNetwork(
    PrecisionCheck Check, int Rows, IReadOnlyDictionary<string, double> Before, IReadOnlyDictionary<string, double> After)
{
    /// <summary>The model.</summary>
    public OnnxModel Model => Check.Result.Model;

    /// <summary>Its precision.</summary>
    public ModelPrecision Precision => Check.Result.Precision;
}
