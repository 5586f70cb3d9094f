using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>A network that was just trained, as a transformer that adds the columns of its task.</summary>
public abstract class BatchNormTransformer : NetworkTransformer, ISingleFeaturePredictionTransformer<TrainedNetwork>
{
    private protected BatchNormTransformer(FittedNetwork fitted, NetworkTask task)
        : base(task, Scorer.Load(fitted.Export.Deployed, new ScorerSettings { Device = fitted.Device, Outputs = task.Outputs }), fitted.Export.Deployed, fitted.FeatureColumnName)
    {
        Network = fitted.Network;
        Export = fitted.Export;
    }

    /// <summary>The network with its parameters and the history of its training.</summary>
    public TrainedNetwork Network { get; }

    /// <summary>The network as ONNX: unfolded, folded, and in the precision that the options ask for; and how far they differ.</summary>
    public ExportedNetwork Export { get; }

    TrainedNetwork IPredictionTransformer<TrainedNetwork>.Model => Network;

    DataViewType ISingleFeaturePredictionTransformer<TrainedNetwork>.FeatureColumnType =>
        new VectorDataViewType(NumberDataViewType.Single, Scorer.RowLength);
}
