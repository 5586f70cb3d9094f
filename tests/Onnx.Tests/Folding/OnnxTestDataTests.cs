using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Verification;
using MlNetBatchNorm.Tests.Referees;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class OnnxTestDataTests
{
    [OnnxTestDataFact]
    public void Fold_EveryModelOfTheOnnxTestData_IsValidBeforeAndAfter()
    {
        var failures = new List<string>();
        foreach (var path in Directory.EnumerateFiles(OnnxTestData.Root, "model.onnx", SearchOption.AllDirectories).Order())
        {
            try
            {
                var result = BatchNormFolder.Fold(ModelFile.Read(path));
                GraphChecker.Check(result.Model.Proto);
            }
            catch (Exception exception)
            {
                failures.Add($"{path}: {exception.Message}");
            }
        }

        Assert.True(failures.Count == 0, string.Join(Environment.NewLine, failures));
    }

    [OnnxTestDataFact]
    public void Fold_EveryModelWithBatchNormOfTheOnnxTestData_GivesTheirOutputs()
    {
        var seen = 0;
        foreach (var path in Directory.EnumerateFiles(OnnxTestData.Root, "model.onnx", SearchOption.AllDirectories).Order())
        {
            var model = ModelFile.Read(path);
            var result = BatchNormFolder.Fold(model);
            // ONNX Runtime starts at opset 7, and has no kernel for the training mode on some opsets.
            if (model.OpsetImport[0].Version < 7 || path.Contains("training_mode", StringComparison.Ordinal)) continue;
            if (result.BatchNorms.Count == 0) continue;
            seen++;
            var inputs = InputFiles.Read(Path.GetDirectoryName(path)!, [.. model.Graph.Input.Select(input => input.Name)]);
            Assert.True(ModelComparison.Compare(model, result.Model.Proto, inputs).LargestRelative < 1e-5, path);
        }

        Assert.True(seen > 0);
    }
}
