using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class RunChoiceTests
{
    private static readonly TimeSpan Middling = TimeSpan.FromMilliseconds(1);

    // With two cores, 64 rows are many.
    private const int ManyRows = 1 << 20;
    private const int FewRows = 16;

    [Fact]
    public void Next_SingleRowsMeasuredUnderLoad_AreChosenForAgain()
    {
        var choice = new RunChoice(sharedOperators: true, processors: 2);
        choice.Begin(RunWay.OneThread);
        var ways = new List<RunWay>();
        for (var call = 0; call < 100; call++)
        {
            var way = choice.Next(1, TimeSpan.FromMicroseconds(30));
            ways.Add(way);
            choice.Report(1, way, TimeSpan.FromMicroseconds(way == RunWay.SharedOperators ? 18 : 30));
        }

        Assert.All(ways.Take(64), way => Assert.Equal(RunWay.OneThread, way));
        Assert.All(ways.TakeLast(20), way => Assert.Equal(RunWay.SharedOperators, way));
    }

    [Fact]
    public void ShortBatches_StayOnOneThread()
    {
        var choice = new RunChoice(sharedOperators: true, processors: 2);

        for (var run = 0; run < 20; run++)
        {
            var way = choice.Next(FewRows, TimeSpan.FromMicroseconds(90));
            Assert.Equal(RunWay.OneThread, way);
            choice.Report(FewRows, way, TimeSpan.FromMilliseconds(50));
        }
    }

    [Fact]
    public void LongBatches_AreDividedWithoutTryingTheSlowWays()
    {
        var choice = new RunChoice(sharedOperators: true, processors: 2);

        for (var run = 0; run < 20; run++)
        {
            var way = choice.Next(ManyRows, TimeSpan.FromMilliseconds(21));
            Assert.Equal(RunWay.Divided, way);
            choice.Report(ManyRows, way, TimeSpan.FromSeconds(1));
        }
    }

    [Theory]
    [InlineData(550, RunWay.Divided)]
    [InlineData(950, RunWay.OneThread)]
    public void Match_MoreThreadsHaveToTakeATenthOff(double dividedMicroseconds, object winner)
    {
        var choice = new RunChoice(sharedOperators: true, processors: 2);

        var ways =
            Play(choice, ManyRows, 20, (way, run) => run < 2 && run % 2 == 0 ? 9000 : way == RunWay.Divided ? dividedMicroseconds : 1000);

        RunWay[] match = [RunWay.Divided, RunWay.Divided, RunWay.OneThread, RunWay.OneThread];
        Assert.Equal([.. match, .. match, .. match], ways[..12]);
        Assert.All(ways[12..], way => Assert.Equal((RunWay)winner, way));
    }

    [Fact]
    public void Match_OfFewRows_LetsSharedOperatorsPlayAndWin()
    {
        var choice = new RunChoice(sharedOperators: true, processors: 2);

        var ways = Play(choice, FewRows, 30, (way, _) => way == RunWay.SharedOperators ? 400 : 700);

        Assert.All(ways[18..], way => Assert.Equal(RunWay.SharedOperators, way));
    }

    [Fact]
    public void LongCalls_WithFewerRowsThanCores_ShareTheOperators() =>
        Assert.Equal(RunWay.SharedOperators, new RunChoice(sharedOperators: true, processors: 8).Next(7, TimeSpan.FromSeconds(1)));

    [Fact]
    public void OneRow_IsNeverDivided()
    {
        var choice = new RunChoice(sharedOperators: true, processors: 2);

        var ways = Play(choice, 1, 30, (way, _) => way == RunWay.SharedOperators ? 400 : 700);

        Assert.DoesNotContain(RunWay.Divided, ways);
        Assert.All(ways[12..], way => Assert.Equal(RunWay.SharedOperators, way));
        Assert.Equal(RunWay.OneThread, new RunChoice(sharedOperators: false, processors: 2).Next(1, TimeSpan.FromSeconds(1)));
    }

    [Theory]
    [InlineData(true, ManyRows)]
    [InlineData(false, FewRows)]
    public void Match_WhereSharedOperatorsCannotPayOrCannotBe_LeavesThemOut(bool sharedOperators, int rows)
    {
        var choice = new RunChoice(sharedOperators, processors: 2);

        Assert.DoesNotContain(RunWay.SharedOperators, Play(choice, rows, 300, (_, _) => 1000));
    }

    [Fact]
    public void Match_WayThatTakesTwiceTheTime_IsOutAfterTheFirstRound()
    {
        var choice = new RunChoice(sharedOperators: true, processors: 2);

        var ways = Play(choice, ManyRows, 60, (way, _) => way == RunWay.OneThread ? 8000 : 500);

        Assert.Equal(2, ways.Count(way => way == RunWay.OneThread));
    }

    [Fact]
    public void LostMatch_IsPlayedAgainAfter64Batches()
    {
        var choice = new RunChoice(sharedOperators: false, processors: 2);

        var ways = Play(choice, ManyRows, 120, (way, run) => way == RunWay.Divided && run >= 12 ? 500 : 1000);

        Assert.DoesNotContain(RunWay.Divided, ways[12..(12 + 64)]);
        Assert.DoesNotContain(RunWay.OneThread, ways[(12 + 64 + 12)..]);
    }

    [Fact]
    public void Sizes_LearnEachForItself()
    {
        var choice = new RunChoice(sharedOperators: false, processors: 2);

        Play(choice, ManyRows, 12, (way, _) => way == RunWay.Divided ? 500 : 1000);
        Play(choice, ManyRows / 2, 12, (way, _) => way == RunWay.Divided ? 1000 : 500);

        Assert.Equal(RunWay.Divided, choice.Next(ManyRows + 5, Middling));
        Assert.Equal(RunWay.OneThread, choice.Next((ManyRows / 2) + 5, Middling));
    }

    private static List<RunWay> Play(RunChoice choice, int rows, int batches, Func<RunWay, int, double> microseconds)
    {
        var ways = new List<RunWay>();
        for (var run = 0; run < batches; run++)
        {
            var way = choice.Next(rows, Middling);
            ways.Add(way);
            choice.Report(rows, way, TimeSpan.FromMicroseconds(microseconds(way, run)));
        }

        return ways;
    }
}
