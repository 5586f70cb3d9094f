using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class BatchChoiceTests
{
    private static readonly TimeSpan Middling = TimeSpan.FromMilliseconds(1);

    // More rows than any machine has cores for 32 of each, and fewer than two cores have.
    private const int ManyRows = 1 << 20;
    private const int FewRows = 16;

    [Fact]
    public void ShortBatches_StayOnOneThread()
    {
        var choice = new BatchChoice(sharedOperators: true);

        for (var run = 0; run < 20; run++)
        {
            var way = choice.Next(FewRows, TimeSpan.FromMicroseconds(90));
            Assert.Equal(BatchWay.OneThread, way);
            choice.Report(FewRows, way, TimeSpan.FromMilliseconds(50));
        }
    }

    [Fact]
    public void LongBatches_AreDividedWithoutTryingTheSlowWays()
    {
        var choice = new BatchChoice(sharedOperators: true);

        for (var run = 0; run < 20; run++)
        {
            var way = choice.Next(ManyRows, TimeSpan.FromMilliseconds(21));
            Assert.Equal(BatchWay.Divided, way);
            choice.Report(ManyRows, way, TimeSpan.FromSeconds(1));
        }
    }

    [Theory]
    [InlineData(550, BatchWay.Divided)]
    [InlineData(950, BatchWay.OneThread)]
    public void Match_MoreThreadsHaveToTakeATenthOff(double dividedMicroseconds, object winner)
    {
        var choice = new BatchChoice(sharedOperators: true);

        var ways = Play(choice, ManyRows, 20, (way, run) => run < 2 && run % 2 == 0 ? 9000 : way == BatchWay.Divided ? dividedMicroseconds : 1000);

        BatchWay[] match = [BatchWay.Divided, BatchWay.Divided, BatchWay.OneThread, BatchWay.OneThread];
        Assert.Equal([.. match, .. match, .. match], ways[..12]);
        Assert.All(ways[12..], way => Assert.Equal((BatchWay)winner, way));
    }

    [Fact]
    public void Match_OfFewRows_LetsSharedOperatorsPlayAndWin()
    {
        var choice = new BatchChoice(sharedOperators: true);

        var ways = Play(choice, FewRows, 30, (way, _) => way == BatchWay.SharedOperators ? 400 : 700);

        Assert.All(ways[18..], way => Assert.Equal(BatchWay.SharedOperators, way));
    }

    [Theory]
    [InlineData(true, ManyRows)]
    [InlineData(false, FewRows)]
    public void Match_WhereSharedOperatorsCannotPayOrCannotBe_LeavesThemOut(bool sharedOperators, int rows)
    {
        var choice = new BatchChoice(sharedOperators);

        Assert.DoesNotContain(BatchWay.SharedOperators, Play(choice, rows, 300, (_, _) => 1000));
    }

    [Fact]
    public void Match_WayThatTakesTwiceTheTime_IsOutAfterTheFirstRound()
    {
        var choice = new BatchChoice(sharedOperators: true);

        var ways = Play(choice, ManyRows, 60, (way, _) => way == BatchWay.OneThread ? 8000 : 500);

        Assert.Equal(2, ways.Count(way => way == BatchWay.OneThread));
    }

    [Fact]
    public void LostMatch_IsPlayedAgainAfter64Batches()
    {
        var choice = new BatchChoice(sharedOperators: false);

        var ways = Play(choice, ManyRows, 120, (way, run) => way == BatchWay.Divided && run >= 12 ? 500 : 1000);

        Assert.DoesNotContain(BatchWay.Divided, ways[12..(12 + 64)]);
        Assert.DoesNotContain(BatchWay.OneThread, ways[(12 + 64 + 12)..]);
    }

    [Fact]
    public void Sizes_LearnEachForItself()
    {
        var choice = new BatchChoice(sharedOperators: false);

        Play(choice, ManyRows, 12, (way, _) => way == BatchWay.Divided ? 500 : 1000);
        Play(choice, ManyRows / 2, 12, (way, _) => way == BatchWay.Divided ? 1000 : 500);

        Assert.Equal(BatchWay.Divided, choice.Next(ManyRows + 5, Middling));
        Assert.Equal(BatchWay.OneThread, choice.Next((ManyRows / 2) + 5, Middling));
    }

    private static List<BatchWay> Play(BatchChoice choice, int rows, int batches, Func<BatchWay, int, double> microseconds)
    {
        var ways = new List<BatchWay>();
        for (var run = 0; run < batches; run++)
        {
            var way = choice.Next(rows, Middling);
            ways.Add(way);
            choice.Report(rows, way, TimeSpan.FromMicroseconds(microseconds(way, run)));
        }

        return ways;
    }
}
