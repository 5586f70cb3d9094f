using Microsoft.ML;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Transforms;

/// <summary>What training gave: all that a transformer is made of.</summary>
/// <param name="Network">The network with the history of its training.</param>
/// <param name="Export">The same as ONNX.</param>
/// <param name="FeatureColumnName">The column that it reads.</param>
/// <param name="Device">The device to score on.</param>
/// <param name="ReadRows">Reads further rows of the kind that it was trained on, with their labels.</param>
internal sealed record FittedNetwork(
    TrainedNetwork Network, NetworkExport Export, string FeatureColumnName, Device Device, Func<IDataView, TrainingData> ReadRows)
{
    // The most rows on which the folded network is compared with the unfolded one.
    private const int VerificationRows = 1000;

    /// <summary>Exports a network, compared on the first of some rows.</summary>
    public static FittedNetwork Create(
        TrainedNetwork network, TrainingData rows, NetworkExportOptions options, string featureColumnName, Device device, Func<IDataView, TrainingData> readRows) =>
        new(network, NetworkExporter.Export(network, rows.First(VerificationRows), options), featureColumnName, device, readRows);
}
