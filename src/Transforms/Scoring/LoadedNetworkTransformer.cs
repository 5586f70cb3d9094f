using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// A network out of a saved model, scored in batches again; made by <c>ml.Model.ForBatchedScoring</c>. It adds the same columns as the
/// transformer that was saved, but knows nothing of its training: what a saved model holds is the folded network.
/// </summary>
public sealed class LoadedNetworkTransformer : NetworkTransformer
{
    internal LoadedNetworkTransformer(NetworkTask task, Scorer scorer, ModelProto model, string featureColumnName, int? batchSize)
        : base(task, scorer, model, featureColumnName, batchSize)
    {
    }
}
