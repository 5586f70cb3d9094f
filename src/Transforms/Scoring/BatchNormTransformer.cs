using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>A network that was just trained, as a transformer that adds the columns of its task.</summary>
public abstract class BatchNormTransformer : NetworkTransformer, ISingleFeaturePredictionTransformer<TrainedNetwork>
{
    private readonly Device _device;

    private protected BatchNormTransformer(FittedNetwork fitted, NetworkTask task)
        : base(task, Scorer.Load(fitted.Export.Deployed, new ScorerSettings { Device = fitted.Device, Outputs = task.Outputs }), fitted.Export.Deployed, fitted.FeatureColumnName)
    {
        _device = fitted.Device;
        Network = fitted.Network;
        Export = fitted.Export;
    }

    /// <summary>The network with its parameters and the history of its training.</summary>
    public TrainedNetwork Network { get; }

    /// <summary>The network as ONNX: unfolded, folded, and in the precision that the options ask for; and how far they differ.</summary>
    public ExportedNetwork Export { get; }

    TrainedNetwork IPredictionTransformer<TrainedNetwork>.Model => Network;

    /// <summary>
    /// A transformer with the same weights whose batch normalizations have the statistics of given rows (Ioffe and Szegedy 2015, Algorithm 2): for
    /// rows that differ from those it was trained on, or where training warned that its statistics are far off. This one stays as it is.
    /// </summary>
    /// <param name="rows">A view with the feature column; a label is not looked at.</param>
    /// <exception cref="ArgumentException">The column is missing or does not fit, or the rows are too few to have a variance.</exception>
    /// <exception cref="InvalidDataException">A feature is not a finite number; the row is named.</exception>
    /// <exception cref="NotSupportedException">The network was trained for fewer bits than float32 has.</exception>
    public abstract BatchNormTransformer RecomputeStatistics(IDataView rows);

    DataViewType ISingleFeaturePredictionTransformer<TrainedNetwork>.FeatureColumnType =>
        new VectorDataViewType(NumberDataViewType.Single, Scorer.RowLength);

    private protected FittedNetwork Recompute(IDataView rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (Export.Reduced is { } reduced)
            throw new NotSupportedException(
                $"The statistics of a network in {PrecisionNames.NameOf(reduced.Precision)} cannot be recomputed: without labels nobody could say what those bits cost then. Train it in float32, recompute, and reduce the exported model.");

        // The features stand in for a label, which nobody looks at.
        var reader = new TrainingRowReader(rows, FeatureColumnName, FeatureColumnName, weight: null, Network.Network.InputShape, UnusableRows.Fail);
        var data = reader.Read<VBuffer<float>>((int)Network.Network.OutputShape.Count, (_, _) => null, CancellationToken.None);
        var network = Network.RecomputeStatistics(data);
        var metadata = Export.Unfolded.MetadataProps.Where(entry => entry.Key != ModelMetadata.Statistics).ToDictionary(entry => entry.Key, entry => entry.Value);
        var options = new ExportOptions { Opset = (int)Export.Unfolded.OpsetImport.First(opset => opset.Domain.Length == 0).Version, Metadata = metadata };
        return FittedNetwork.Create(network, data, options, FeatureColumnName, _device);
    }
}
