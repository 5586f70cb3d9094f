using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>How many batch normalizations a model has.</summary>
internal static class BatchNormCount
{
    public static int Of(ModelProto model) => model.Graph.Node.Count(node => node.OpType == "BatchNormalization");
}
