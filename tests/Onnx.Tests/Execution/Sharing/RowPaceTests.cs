using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class RowPaceTests
{
    [Fact]
    public void NothingKnown_IsLongAndInSmallChunks()
    {
        var pace = new RowPace();

        Assert.Equal(RowPace.FewestRows, pace.ChunkRows);
        Assert.True(pace.Predict(1) > TimeSpan.FromSeconds(1));
        Assert.True(pace.Predict(int.MaxValue) > TimeSpan.FromDays(1));
    }

    [Fact]
    public void Predict_FewRows_TakeAsLongAsOneAlone()
    {
        var pace = new RowPace();
        pace.Report(1, TimeSpan.FromMicroseconds(200));
        pace.Report(64, TimeSpan.FromMicroseconds(64 * 20));

        Assert.Equal(200, pace.Predict(2).TotalMicroseconds, 3);
        Assert.Equal(20_000, pace.Predict(1000).TotalMicroseconds, 3);
    }

    [Fact]
    public void Report_SlowerRun_TeachesNothing()
    {
        var pace = new RowPace();
        pace.Report(64, TimeSpan.FromMicroseconds(64));
        pace.Report(64, TimeSpan.FromMicroseconds(6400));

        Assert.Equal(100, pace.Predict(100).TotalMicroseconds, 3);
    }

    [Theory]
    [InlineData(20, 32)]
    [InlineData(10, 64)]
    [InlineData(0.1, 8192)]
    [InlineData(5000, 32)]
    public void ChunkRows_TakeAboutAMillisecondAndAreAPowerOfTwo(double microseconds, int rows)
    {
        var pace = new RowPace();
        pace.Report(100, TimeSpan.FromMicroseconds(100 * microseconds));

        Assert.Equal(rows, pace.ChunkRows);
    }
}
