using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class BatchThreadChoiceTests
{
    [Fact]
    public void ShortBatches_StayOnOneThreadAndNeverTryMore()
    {
        var choice = new BatchThreadChoice();

        for (var run = 0; run < 20; run++)
        {
            Assert.False(choice.PrefersAllCores(64));
            choice.Report(64, allCores: false, TimeSpan.FromMicroseconds(run == 0 ? 5000 : 90));
        }
    }

    [Theory]
    [InlineData(550, true)]
    [InlineData(950, false)]
    public void LongBatches_KeepAllCoresWhereTheyTakeATenthOff(double allCoresMicroseconds, bool kept)
    {
        var choice = new BatchThreadChoice();
        var runs = new List<bool>();

        for (var run = 0; run < 14; run++)
        {
            var allCores = choice.PrefersAllCores(1000);
            runs.Add(allCores);
            choice.Report(1000, allCores, TimeSpan.FromMicroseconds(run is 0 or 5 ? 9000 : allCores ? allCoresMicroseconds : 1000));
        }

        Assert.Equal([.. Enumerable.Repeat(false, 5), .. Enumerable.Repeat(true, 5), .. Enumerable.Repeat(kept, 4)], runs);
    }

    [Fact]
    public void LostMatch_IsPlayedAgainAfter64Batches()
    {
        var choice = new BatchThreadChoice();
        var runs = new List<bool>();

        for (var run = 0; run < 100; run++)
        {
            var allCores = choice.PrefersAllCores(1000);
            runs.Add(allCores);
            choice.Report(1000, allCores, TimeSpan.FromMicroseconds(allCores && run >= 10 ? 500 : 1000));
        }

        Assert.DoesNotContain(true, runs[10..(10 + 64 + 5)]);
        Assert.DoesNotContain(false, runs[(10 + 64 + 5)..]);
    }

    [Fact]
    public void Sizes_LearnEachForItself()
    {
        var choice = new BatchThreadChoice();

        for (var run = 0; run < 5; run++) choice.Report(1000, allCores: false, TimeSpan.FromMilliseconds(1));

        Assert.True(choice.PrefersAllCores(600));
        Assert.False(choice.PrefersAllCores(300));
    }
}
