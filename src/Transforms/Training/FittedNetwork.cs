using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>What training gave: all that a transformer is made of.</summary>
/// <param name="Network">The network with the history of its training.</param>
/// <param name="Export">The same as ONNX.</param>
/// <param name="FeatureColumnName">The column that it reads.</param>
/// <param name="Device">The device to score on.</param>
internal sealed record FittedNetwork(TrainedNetwork Network, ExportedNetwork Export, string FeatureColumnName, Device Device)
{
    /// <summary>The most rows on which the folded network is compared with the unfolded one.</summary>
    public const int VerificationRows = 1000;
}
