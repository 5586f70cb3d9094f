
namespace MlNetBatchNorm.Hosting.Tests;

public sealed class ScoringTests
{
    [Fact]
    public void Model_Loaded_TellsWhatItIs()
    {
        using var hosted = new HostedScorer();
        var model = hosted.Scorer.Model;
        Assert.Equal(
            (hosted.ModelPath, 1, 3, 4, Device.Cpu), (model.Path, model.Generation, model.RowLength, model.ResultLength, model.Device));
        Assert.Equal(["x: Float[N, 3]"], model.Inputs.Select(input => input.ToString()));
        Assert.Equal(["sum", "double"], model.Outputs.Select(output => output.Name));
        Assert.Equal(["f0", "f1", "f2"], model.FeatureNames);
        Assert.Equal(["no", "yes"], model.Labels);
        Assert.InRange(model.LoadedAt, DateTimeOffset.UtcNow.AddMinutes(-2), DateTimeOffset.UtcNow);
    }

    [Fact]
    public void Read_AnyOutput_GivesItsPart()
    {
        using var hosted = new HostedScorer();
        var result = new float[8];
        var model = hosted.Scorer.ScoreBatch([1, 2, 3, 4, 5, 6], 2, result);
        Assert.Equal([14f, 32f], model.Read("sum", result, 2).ToArray());
        Assert.Equal([2f, 4f, 6f, 8f, 10f, 12f], model.Read("double", result, 2).ToArray());
        Assert.Contains(
            "the outputs are sum, double", Assert.Throws<ArgumentException>(() => model.Read("half", result).Length).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "are 12 numbers, but 8", Assert.Throws<ArgumentException>(() => model.Read("sum", result, 3).Length).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Score_Warm_AllocatesNothing()
    {
        using var hosted = new HostedScorer();
        var (rows, result) = (new float[3 * 100], new float[4 * 100]);
        Work(200);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Work(200);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Work(int times)
        {
            for (var i = 0; i < times; i++)
            {
                hosted.Scorer.Score(rows.AsSpan(0, 3), result).Read("sum", result);
                hosted.Scorer.ScoreBatch(rows, 100, result).Read("double", result, 100);
            }
        }
    }

    [Fact]
    public void Score_OutputsChosenByTheOptions_GivesThose()
    {
        using var hosted = new HostedScorer(options => options.Outputs.Add("double"));
        var result = new float[3];
        hosted.Scorer.Score([1, 2, 3], result);
        Assert.Equal([2f, 4f, 6f], result);
    }

    [Fact]
    public void Score_SettingsChangedByCode_AreUsed()
    {
        using var hosted = new HostedScorer(options => options.Configure = settings => settings with { Outputs = ["sum"] });
        Assert.Equal("sum", Assert.Single(hosted.Scorer.Model.Outputs).Name);
    }
}
