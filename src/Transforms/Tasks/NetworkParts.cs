using Microsoft.ML;
using Microsoft.ML.Runtime;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Transforms.Rows;

namespace MlNetBatchNorm.Transforms.Tasks;

/// <summary>All that a transformer is made of.</summary>
/// <param name="Model">The network as ONNX, folded, in the precision that it scores in, with all that it says of itself.</param>
/// <param name="FeatureColumnName">The column that it reads.</param>
/// <param name="Classes">The classes that it tells apart.</param>
/// <param name="Device">The device to score on.</param>
internal sealed record NetworkParts(OnnxModel Model, string FeatureColumnName, ClassLabels Classes, Device Device)
{
    /// <summary>See <see cref="BatchedScoringOptions.Threads"/>.</summary>
    public int? Threads { get; init; }

    /// <summary>See <see cref="BatchedScoringOptions.BatchSize"/>; null = the defaults.</summary>
    public int? BatchSize { get; init; }

    /// <summary>
    /// What scores on the CPU. Default: the one with which a network says the same to the last digit each time that it is loaded, for
    /// single rows and many; <see cref="BatchNormTransformer.CreateScorer"/> has the choice.
    /// </summary>
    public ScoringEngine Engine { get; init; } = ScoringEngine.Reproducible;

    /// <summary>The context whose log hears what is odd about scores; null = there is none.</summary>
    public IHostEnvironment? Environment { get; init; }

    /// <summary>How it was trained; null for one that was loaded.</summary>
    public NetworkTraining? Training { get; init; }

    /// <summary>How its model is run.</summary>
    public OnnxScorerOptions ToScorerSettings(NetworkTask task) =>
        new() { Device = Device, Threads = Threads, BatchSize = BatchSize, Outputs = task.Outputs, Engine = Engine };
}

/// <summary>What is only known of a network that was trained here.</summary>
/// <param name="Network">The network with the history of its training.</param>
/// <param name="Export">The same as ONNX, unfolded and folded.</param>
/// <param name="ReadRows">Reads further rows of the kind that it was trained on, with their labels.</param>
internal sealed record NetworkTraining(TrainedNetwork Network, NetworkExport Export, Func<IDataView, TrainingData> ReadRows)
{
    // The most rows on which the folded network is compared with the unfolded one.
    private const int VerificationRows = 1000;

    /// <summary>Exports a network, compared on the first of some rows.</summary>
    public static NetworkTraining Create(
        TrainedNetwork network, TrainingData rows, NetworkExportOptions options, Func<IDataView, TrainingData> readRows) =>
        new(network, NetworkExporter.Export(network, Compared(rows), options), readRows);

    private static TrainingData Compared(TrainingData rows) => rows.First(FeatureRows.RowsAtOnce(VerificationRows, rows.Shape.Count));
}
