namespace MlNetBatchNorm.Trainer.Tests.Optimizers;

public class ScheduleTests
{
    private const double Tolerance = 1e-6;

    [Fact]
    public void Cosine_FromFirstToLastStep_FallsFromOneToZero()
    {
        Assert.Equal(1, LearningRateSchedule.Cosine().Factor(0, 1_000_000), Tolerance);
        Assert.Equal(0.5, LearningRateSchedule.Cosine().Factor(500_000, 1_000_000), 1e-5);
        Assert.Equal(0, LearningRateSchedule.Cosine().Factor(999_999, 1_000_000), Tolerance);
    }

    [Fact]
    public void Cosine_WithWarmUp_RisesFirst()
    {
        var schedule = LearningRateSchedule.Cosine(warmup: 0.1);

        Assert.Equal(0.5, schedule.Factor(50, 1001), 1e-2);
        Assert.Equal(1, schedule.Factor(100, 1001), 1e-4);
        Assert.Equal(0.5, schedule.Factor(550, 1001), 1e-2);
    }

    [Fact]
    public void WarmUp_RisesAndStays()
    {
        var schedule = LearningRateSchedule.WarmUp(0.2);

        Assert.Equal(0.5, schedule.Factor(100, 1000), 1e-2);
        Assert.Equal(1, schedule.Factor(200, 1000), Tolerance);
        Assert.Equal(1, schedule.Factor(999, 1000), Tolerance);
    }

    [Fact]
    public void Step_MultipliesAtEachMilestone()
    {
        var schedule = LearningRateSchedule.Step();

        Assert.Equal(1, schedule.Factor(499, 1000), Tolerance);
        Assert.Equal(0.1, schedule.Factor(500, 1000), Tolerance);
        Assert.Equal(0.01, schedule.Factor(750, 1000), Tolerance);
        Assert.Equal(0.25, LearningRateSchedule.Step(0.5, 0.1, 0.2).Factor(999, 1000), Tolerance);
    }

    [Fact]
    public void Schedule_SettingOutOfItsRange_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.Cosine(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.WarmUp(-0.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.Step(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.Step(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.Step(0.1, 0.5, 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.Step(0.1, 1));
    }
}
