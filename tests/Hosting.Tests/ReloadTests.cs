using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Hosting.Tests;

public sealed class ReloadTests
{
    [Fact]
    public void Look_FileReplaced_TakesItAtTheSecondLook()
    {
        using var hosted = new HostedScorer();
        Assert.Equal((321, 1), (hosted.Sum(), hosted.Scorer.Model.Generation));
        WeightedSum.Write(hosted.ModelPath, factor: 2);
        hosted.Scorer.Look();
        Assert.Equal(321, hosted.Sum());
        hosted.Scorer.Look();
        Assert.Equal((642, 2), (hosted.Sum(), hosted.Scorer.Model.Generation));
        hosted.LookTwice();
        Assert.Equal(2, hosted.Scorer.Model.Generation);
    }

    [Fact]
    public void Look_FileStillBeingWritten_WaitsUntilItIsWhole()
    {
        using var hosted = new HostedScorer();
        var bytes = File.ReadAllBytes(WeightedSum.Write(hosted.Folder.File("next.onnx"), factor: 3));
        using (var file = new FileStream(hosted.ModelPath, FileMode.Create, FileAccess.Write, FileShare.ReadWrite))
        {
            for (var part = 0; part < 4; part++)
            {
                file.Write(bytes, part * bytes.Length / 4, ((part + 1) * bytes.Length / 4) - (part * bytes.Length / 4));
                file.Flush();
                hosted.Scorer.Look();
                Assert.Equal((321, null), (hosted.Sum(), hosted.Scorer.LastReloadFailure));
            }
        }

        hosted.LookTwice();
        Assert.Equal((963, null), (hosted.Sum(), hosted.Scorer.LastReloadFailure));
    }

    [Fact]
    public void Look_HalfAFile_KeepsTheOldModelAndSaysSoOnce()
    {
        using var hosted = new HostedScorer();
        var bytes = File.ReadAllBytes(hosted.ModelPath);
        File.WriteAllBytes(hosted.ModelPath, bytes[..(bytes.Length / 2)]);
        for (var i = 0; i < 5; i++) hosted.Scorer.Look();
        Assert.Equal((321, 1), (hosted.Sum(), hosted.Scorer.Model.Generation));
        Assert.Contains(hosted.ModelPath, hosted.Scorer.LastReloadFailure?.Message, StringComparison.Ordinal);
        Assert.Contains("Not reloaded:", Assert.Single(hosted.Log.Warnings), StringComparison.Ordinal);

        WeightedSum.Write(hosted.ModelPath, factor: 2);
        hosted.LookTwice();
        Assert.Equal((642, null), (hosted.Sum(), hosted.Scorer.LastReloadFailure));
    }

    [Fact]
    public void Look_ModelWithOtherShapes_KeepsTheOldOneAndNamesBoth()
    {
        using var hosted = new HostedScorer();
        WeightedSum.Write(hosted.ModelPath, factor: 2, features: 4);
        hosted.LookTwice();
        Assert.Equal(321, hosted.Sum());
        Assert.Contains(
            "(4 features in, sum and double (5 numbers) out) than the model in use (3 features in, sum and double (4 numbers) out)",
            hosted.Scorer.LastReloadFailure?.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Look_FileGone_KeepsTheModelUntilThereIsOneAgain()
    {
        using var hosted = new HostedScorer();
        File.Move(hosted.ModelPath, hosted.Folder.File("away"));
        hosted.LookTwice();
        Assert.Equal(321, hosted.Sum());
        Assert.Contains("There is no file", hosted.Scorer.LastReloadFailure?.Message, StringComparison.Ordinal);

        File.Move(hosted.Folder.File("away"), hosted.ModelPath);
        hosted.LookTwice();
        Assert.Equal((321, null), (hosted.Sum(), hosted.Scorer.LastReloadFailure));
    }

    [UnixFact]
    public void Look_LinkPointedElsewhere_TakesWhatItPointsTo()
    {
        // As Kubernetes mounts a volume: the file is a link into a folder that is itself a link.
        using var hosted = new HostedScorer(register: (services, folder) =>
        {
            foreach (var version in (int[])[1, 2])
            {
                Directory.CreateDirectory(folder.File($"v{version}"));
                WeightedSum.Write(folder.File($"v{version}/linked.onnx"), factor: version);
            }

            Directory.CreateSymbolicLink(folder.File("data"), "v1");
            File.CreateSymbolicLink(folder.File("linked.onnx"), "data/linked.onnx");
            services.AddOnnxScorer(folder.File("linked.onnx"), options => options.ReloadInterval = TimeSpan.Zero);
        });
        Assert.Equal(321, hosted.Sum());
        Directory.CreateSymbolicLink(hosted.Folder.File("new data"), "v2");
        Directory.Delete(hosted.Folder.File("data"));
        Directory.Move(hosted.Folder.File("new data"), hosted.Folder.File("data"));
        hosted.LookTwice();
        Assert.Equal(642, hosted.Sum());
    }

    [Fact]
    public void Look_ConfigurationChanged_TakesIt()
    {
        IConfigurationRoot? configuration = null;
        using var hosted = new HostedScorer(register: (services, folder) =>
        {
            configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["Scorer:ModelPath"] = folder.File("model.onnx"),
                ["Scorer:ReloadInterval"] = "00:00:00",
            }).Build();
            services.AddOnnxScorer(configuration.GetSection("Scorer"));
        });
        WeightedSum.Write(hosted.Folder.File("second.onnx"), factor: 2);
        configuration!["Scorer:ModelPath"] = hosted.Folder.File("second.onnx");
        configuration.Reload();
        hosted.LookTwice();
        Assert.Equal((642, hosted.Folder.File("second.onnx")), (hosted.Sum(), hosted.Scorer.Model.Path));

        // Another section: nothing that the model depends on.
        configuration["Other"] = "value";
        configuration.Reload();
        hosted.LookTwice();
        Assert.Equal(2, hosted.Scorer.Model.Generation);

        // The framework tells whoever reloads by hand; a file that is reloaded by itself has nobody to tell.
        configuration["Scorer:Threads"] = "-1";
        Assert.Throws<AggregateException>(configuration.Reload);
        hosted.LookTwice();
        Assert.Equal("The scorer: Threads is -1; give 1 or more, or 0 for one per core.", hosted.Scorer.LastReloadFailure?.Message);
        Assert.Equal(642, hosted.Sum());

        configuration["Scorer:Threads"] = "2";
        configuration.Reload();
        hosted.LookTwice();
        Assert.Equal((642, 3, null), (hosted.Sum(), hosted.Scorer.Model.Generation, hosted.Scorer.LastReloadFailure));
    }

    [Fact]
    public async Task Score_ManyThreadsWhileTheFileIsReplaced_EveryAnswerIsOneModels()
    {
        using var hosted = new HostedScorer(options => options.ReloadInterval = TimeSpan.FromMilliseconds(5));
        using var stop = new CancellationTokenSource();
        var callers = Enumerable.Range(0, 4).Select(caller => Task.Run(() =>
        {
            var calls = 0;
            float[] row = [caller, 10, 100];
            var (rows, result) = (new float[3 * 5], new float[4 * 5]);
            for (var i = 0; i < 5; i++) row.CopyTo(rows, 3 * i);
            for (; !stop.IsCancellationRequested; calls++)
            {
                // Generation g has the factor g.
                var model = hosted.Scorer.Score(row, result);
                Assert.Equal(WeightedSum.Of(row, model.Generation), result[0]);
                model = hosted.Scorer.ScoreBatch(rows, 5, result);
                Assert.Equal(Enumerable.Repeat(WeightedSum.Of(row, model.Generation), 5), model.Read("sum", result, 5).ToArray());
            }

            return calls;
        })).ToList();
        for (var generation = 2; generation <= 8; generation++)
        {
            WeightedSum.Write(hosted.ModelPath, generation);
            for (var wait = 0; hosted.Scorer.Model.Generation < generation && wait < 2000; wait++) await Task.Delay(5);
            Assert.Equal((generation, 321f * generation), (hosted.Scorer.Model.Generation, hosted.Sum()));
        }

        await stop.CancelAsync();
        Assert.All(await Task.WhenAll(callers), calls => Assert.True(calls > 0));
        Assert.Empty(hosted.Log.Warnings);
    }

    [Fact]
    public void LoadedModel_InUse_IsDisposedOfByTheLastOneToLeave()
    {
        var scorer = OnnxScorer.Load(WeightedSum.Model(1));
        var model = new LoadedModel<OnnxScorer>(scorer, LoadedModelInfo.Of(scorer, "model.onnx", 1, default));
        Assert.True(model.TryEnter());
        Assert.True(model.TryEnter());
        model.Leave();
        // The holder goes; one call is still running.
        model.Leave();
        scorer.Score([1, 2, 3], new float[4]);
        model.Leave();
        Assert.Throws<ObjectDisposedException>(() => scorer.Score([1, 2, 3], new float[4]));
        Assert.False(model.TryEnter());
    }

    [Fact]
    public void Score_AfterTheEnd_Throws()
    {
        var hosted = new HostedScorer();
        hosted.Dispose();
        Assert.Throws<ObjectDisposedException>(() => hosted.Scorer.Score([1, 2, 3], new float[4]));
        hosted.Scorer.Look();
    }
}
