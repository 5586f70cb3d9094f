using MlNetBatchNorm.Onnx.Tests.Architectures;
using MlNetBatchNorm.Tests.Referees;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class OnnxCheckerTests
{
    [OnnxCheckerFact]
    public void Fold_RandomGraphsAndArchitectures_PassOnnxChecker()
    {
        var random = new Random(7);
        var models = Enumerable.Range(0, 60)
            .Select(_ => RandomGraph.From(Enumerable.Range(0, 20).Select(_ => random.Next(1 << 24)).ToList())).ToList();
        models.AddRange([MobileNetV2.Create(32), DenseNet121.Create(32), DeepPerceptron.Create()]);
        OnnxChecker.Require(
            models.Select((model, i) => ("folded", BatchNormFolder.Fold(model, new FoldOptions { Expand = i % 2 == 0 }).Model.Proto)));
    }
}
