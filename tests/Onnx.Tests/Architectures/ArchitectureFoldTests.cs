using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tests.Folding;

namespace MlNetBatchNorm.Onnx.Tests.Architectures;

public class ArchitectureFoldTests
{
    [Fact]
    public void Fold_ResNet50_LeavesNoBatchNorm() => AllFold(ResNet50.Create(), 53);

    [Fact]
    public void Fold_BatchNormInception_LeavesNoBatchNorm() => AllFold(BatchNormInception.Create(), 69);

    [Fact]
    public void Fold_MobileNetV2_LeavesNoBatchNorm() => AllFold(MobileNetV2.Create(), 52);

    [Fact]
    public void Fold_PerceptronOf50Layers_LeavesNoBatchNorm() => AllFold(DeepPerceptron.Create(), 51);

    [Fact]
    public void Fold_DenseNet121_FoldsWhatNoRectifierGuards()
    {
        var result = FoldCase.Check(DenseNet121.Create());
        Assert.Equal(121, result.BatchNorms.Count);
        // The stem's and the second one of each of 58 layers; the others stand between a Concat that is read again and a rectifier.
        Assert.Equal(59, result.BatchNorms.Count(outcome => outcome.Status == FoldStatus.Folded));
        Assert.All(
            result.BatchNorms.Where(outcome => outcome.Status != FoldStatus.Folded),
            outcome => Assert.Equal((FoldStatus.Declined, true), (outcome.Status, outcome.Reason.Contains("not linear"))));
    }

    private static void AllFold(ModelProto model, int expected)
    {
        var result = FoldCase.Check(model);
        Assert.Equal(expected, result.BatchNorms.Count);
        Assert.All(result.BatchNorms, outcome => Assert.Equal(FoldStatus.Folded, outcome.Status));
        Assert.Equal(0, FoldCase.Count(result.Model.Proto, "BatchNormalization"));
    }
}
