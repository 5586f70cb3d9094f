using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>What training on the digits gave.</summary>
/// <param name="Network">The network.</param>
/// <param name="Export">The same as ONNX, with its batch normalizations and without.</param>
/// <param name="TestMetrics">The figures of the folded model on the test images.</param>
/// <param name="TrainingRows">The images that were learned from.</param>
/// <param name="TestRows">The images that were tested on.</param>
internal sealed record TrainedDigits(
    TrainedNetwork Network, NetworkExport Export, MetricValues TestMetrics, int TrainingRows, int TestRows)
{
    /// <summary>Writes <c>model.onnx</c> (folded) and <c>model.batchnorm.onnx</c>; each appears whole or not at all.</summary>
    /// <param name="folder">The folder; made if it is not there.</param>
    /// <returns>The paths of the files.</returns>
    public IReadOnlyList<string> Save(string folder)
    {
        Directory.CreateDirectory(folder);
        var (folded, unfolded) = (Path.Combine(folder, "model.onnx"), Path.Combine(folder, "model.batchnorm.onnx"));
        Export.Folded.Save(folded);
        Export.Unfolded.Save(unfolded);
        return [folded, unfolded];
    }
}
