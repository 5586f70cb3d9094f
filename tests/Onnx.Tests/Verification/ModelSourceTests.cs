using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Tests.Precision;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Onnx.Tests.Verification;

public class ModelSourceTests
{
    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(1000)]
    public void Open_ModelAboveAMessageOrBelow_GivesTheSame(long largestMessage)
    {
        var model = Perceptron.Create(1, 40, 64, 10);
        var x = Perceptron.Rows(2, 3, 40);
        var expected = Perceptron.Run(model, x);
        using var source = ModelSource.Of(model, largestMessage);
        using var session = source.Open(new ExecutionOptions());
        Assert.Equal(expected, (float[])session.Run(new Dictionary<string, HostTensor> { ["x"] = x })["y"].Data);
    }

    [Fact]
    public void Dispose_TemporaryFiles_AreGone()
    {
        var before = Directory.GetDirectories(Path.GetTempPath(), "mlnetbn-source-*");
        using (var source = ModelSource.Of(Perceptron.Create(1, 40, 64, 10), largestMessage: 1000))
            Assert.NotEmpty(Directory.GetDirectories(Path.GetTempPath(), "mlnetbn-source-*").Except(before));
        Assert.Empty(Directory.GetDirectories(Path.GetTempPath(), "mlnetbn-source-*").Except(before));
    }
}
