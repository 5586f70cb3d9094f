using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class RunPlanTests
{
    [Fact]
    public void For_AnotherDevice_ChoosesNothingAndCutsNoSmallChunks()
    {
        var plan = RunPlan.For(1, onCpu: false, free: true, twice: true, new RowPace());

        Assert.Null(plan.Choice);
        Assert.Null(plan.Pace);
        Assert.Equal(1, plan.Workers(own: true));
    }

    [Fact]
    public void For_OneThreadGiven_StaysOnItInChunks()
    {
        var plan = RunPlan.For(1, onCpu: true, free: false, twice: true, new RowPace());

        Assert.Null(plan.Choice);
        Assert.NotNull(plan.Pace);
    }

    [Fact]
    public void For_AllCoresChosenForALargeModel_LoadsNoSecondOneForBatches() =>
        Assert.Null(RunPlan.For(0, onCpu: true, free: true, twice: false, new RowPace()).Choice);

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public void IsOwn_SharedOperators_AreThoseOfTheSessionWithAllCores(int threads)
    {
        var plan = RunPlan.For(threads, onCpu: true, free: true, twice: true, new RowPace());

        Assert.Equal(threads == 0, plan.IsOwn(RunWay.SharedOperators));
        Assert.Equal(threads == 1, plan.IsOwn(RunWay.Divided));
        Assert.Equal(threads == 1, plan.IsOwn(RunWay.OneThread));
        Assert.Equal(Environment.ProcessorCount, plan.Workers(own: threads == 1));
        Assert.Equal(1, plan.Workers(own: threads == 0));
    }

    [Fact]
    public void Sharing_GivesEachThreadEnoughToDo()
    {
        Assert.Equal(Math.Min(2, Environment.ProcessorCount), RunPlan.Sharing(TimeSpan.FromMicroseconds(100)));
        Assert.Equal(Environment.ProcessorCount, RunPlan.Sharing(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void Decide_UntilThreeRunsAreKnown_StaysOnTheOneThread()
    {
        var pace = new RowPace();
        var plan = RunPlan.For(1, onCpu: true, free: true, twice: true, pace);

        for (var run = 0; run < 3; run++)
        {
            var decision = Decided(plan, 100);
            Assert.Equal((true, 1), (decision.IsOwn, decision.Sharing));
            decision.Pace!.Report(100, TimeSpan.FromMilliseconds(15));
        }

        Assert.Equal(Environment.ProcessorCount > 1, Decided(plan, 100).Sharing > 1);
    }

    [Fact]
    public void Decide_OneRowFoundBestOnAllCores_StaysThereUntilItIsAskedAgain()
    {
        if (Environment.ProcessorCount == 1) return;
        var pace = new RowPace();
        var plan = RunPlan.For(0, onCpu: true, free: true, twice: true, pace);
        pace.Report(1, TimeSpan.FromMicroseconds(20), isBest: true);
        plan.Choice!.Begin(RunWay.SharedOperators);

        for (var call = 0; call < 64; call++)
        {
            var decision = Decided(plan, 1);
            Assert.True(decision.IsOwn);
            plan.Report(decision);
        }

        Assert.Equal(RunWay.OneThread, Decided(plan, 1).Way);
    }

    [Theory]
    [InlineData(8, false)]
    [InlineData(12, true)]
    public void Decide_OneRow_IsChosenForFromTenMicrosecondsOn(int microseconds, bool isChosen)
    {
        if (Environment.ProcessorCount == 1) return;
        var pace = new RowPace();
        var plan = RunPlan.For(1, onCpu: true, free: true, twice: true, pace);
        pace.Report(1, TimeSpan.FromMicroseconds(microseconds), isBest: true);

        Assert.Equal(isChosen, Decided(plan, 1).Start != 0);
        Assert.Equal(0, Decided(plan, 3).Start);
    }

    [Fact]
    public void Decide_RowsThatCannotBeCut_AreNeverDivided()
    {
        var pace = new RowPace();
        var plan = RunPlan.For(1, onCpu: true, free: true, twice: true, pace);
        pace.Report(1, TimeSpan.FromMilliseconds(5), isBest: true);

        for (var run = 0; run < 30; run++)
        {
            var decision = Decided(plan, 1000, canBeCut: false);
            Assert.NotEqual(RunWay.Divided, decision.Way);
            Assert.Equal(1, decision.Sharing);
            plan.Report(decision);
        }
    }

    private static RunDecision Decided(RunPlan plan, int rows, bool canBeCut = true)
    {
        var decision = new RunDecision();
        plan.Decide(rows, most: 1024, canBeCut, decision);
        return decision;
    }
}
