using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Tests.Architectures;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class OnnxCheckerTests
{
    [OnnxCheckerFact]
    public void Fold_RandomGraphsAndArchitectures_PassOnnxChecker()
    {
        var random = new Random(7);
        var models = Enumerable.Range(0, 60).Select(_ => RandomGraph.From(Enumerable.Range(0, 20).Select(_ => random.Next(1 << 24)).ToList())).ToList();
        models.AddRange([MobileNetV2.Create(32), DenseNet121.Create(32), DeepPerceptron.Create()]);
        Assert.Equal(string.Empty, OnnxChecker.Check(models.Select((model, index) => BatchNormFolder.Fold(model, new FoldOptions { Expand = index % 2 == 0 }).Model)));
    }
}
