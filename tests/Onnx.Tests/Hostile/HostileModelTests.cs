using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Tests.Referees;
using Xunit.Abstractions;

namespace MlNetBatchNorm.Onnx.Tests.Hostile;

/// <summary>Whatever is in a model: it is folded, left alone or refused, by one kind of exception.</summary>
public class HostileModelTests(ITestOutputHelper output)
{
    [Fact]
    public void Fold_BrokenModel_FoldsOrThrowsInvalidModel() => output.WriteLine(new HostileInputs(1).Run(
        8000,
        BrokenModels.Create,
        bytes =>
        {
            var result = BatchNormFolder.Fold(OnnxModel.Load(bytes), new FoldOptions { Expand = bytes.Length % 3 == 0 });
            // What is written is as good as what was given.
            GraphChecker.Check(ModelFile.Parse(result.Model.ToBytes()));
        },
        exception => exception is InvalidModelException));

    [Fact]
    public void Prove_BrokenModel_ProvesOrThrowsInvalidModel() => output.WriteLine(new HostileInputs(2).Run(
        1000,
        BrokenModels.Create,
        bytes => ProvenFold.Run(ModelFile.Parse(bytes), new FoldOptions()),
        exception => exception is InvalidModelException));

    [Fact]
    public void Inspect_BrokenModel_DescribesOrThrowsInvalidModel() => output.WriteLine(new HostileInputs(3).Run(
        2000,
        BrokenModels.Create,
        bytes =>
        {
            ModelOutline.Of(bytes);
            var model = new OnnxModel(ModelFile.Parse(bytes));
            GraphChecker.Check(model.Proto);
            Assert.Equal(model.Proto.Graph.Output.Count, model.Outputs.Count);
            Assert.NotEmpty($"{model}{model.Metadata.Count}{model.NodeCount}{model.ParameterCount}{model.BatchNormCount}{model.ByteCount}");
            RuntimeFault.In(model.Proto, new Version(1, 31));
            CenteredBatchNorm.In(model.Proto);
        },
        exception => exception is InvalidModelException));
}
