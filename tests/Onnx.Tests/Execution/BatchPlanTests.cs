using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class BatchPlanTests
{
    [Fact]
    public void For_AnotherDevice_ChoosesNothingAndCutsNoSmallChunks()
    {
        var plan = BatchPlan.For(1, onCpu: false, free: true, twice: true, new RowPace());

        Assert.Null(plan.Choice);
        Assert.Null(plan.Pace);
        Assert.Equal(1, plan.Workers(own: true));
    }

    [Fact]
    public void For_OneThreadGiven_StaysOnItInChunks()
    {
        var plan = BatchPlan.For(1, onCpu: true, free: false, twice: true, new RowPace());

        Assert.Null(plan.Choice);
        Assert.NotNull(plan.Pace);
    }

    [Fact]
    public void For_AllCoresChosenForALargeModel_LoadsNoSecondOneForBatches() =>
        Assert.Null(BatchPlan.For(0, onCpu: true, free: true, twice: false, new RowPace()).Choice);

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public void IsOwn_SharedOperators_AreThoseOfTheSessionWithAllCores(int threads)
    {
        var plan = BatchPlan.For(threads, onCpu: true, free: true, twice: true, new RowPace());

        Assert.Equal(threads == 0, plan.IsOwn(BatchWay.SharedOperators));
        Assert.Equal(threads == 1, plan.IsOwn(BatchWay.Divided));
        Assert.Equal(threads == 1, plan.IsOwn(BatchWay.OneThread));
        Assert.Equal(Environment.ProcessorCount, plan.Workers(own: threads == 1));
        Assert.Equal(1, plan.Workers(own: threads == 0));
    }

    [Fact]
    public void Sharing_GivesEachThreadEnoughToDo()
    {
        Assert.Equal(Math.Min(2, Environment.ProcessorCount), BatchPlan.Sharing(TimeSpan.FromMicroseconds(100)));
        Assert.Equal(Environment.ProcessorCount, BatchPlan.Sharing(TimeSpan.FromSeconds(10)));
    }
}
