using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Precision;

namespace MlNetBatchNorm.Trainer;

/// <summary>A network with fewer bits, and what that costs on real rows.</summary>
/// <param name="Check">The model, what was done, and how far its outputs differ.</param>
/// <param name="Rows">How many rows both models were compared on.</param>
/// <param name="Metrics">The figures of the float32 model on those rows, and those of the model with fewer bits.</param>
internal sealed record ReducedNetwork(PrecisionCheck Check, int Rows, MetricComparison Metrics)
{
    /// <summary>The model.</summary>
    public OnnxModel Model => Check.Result.Model;

    /// <summary>Its precision.</summary>
    public ModelPrecision Precision => Check.Result.Precision;
}
