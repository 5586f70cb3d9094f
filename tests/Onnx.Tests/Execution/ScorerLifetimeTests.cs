using System.Runtime.CompilerServices;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>Native memory that is freed too early takes the whole process down: these tests pass or there is no result at all.</summary>
public sealed class ScorerLifetimeTests
{
    private static ModelProto Doubling()
    {
        var nodes = new GraphBuilder("doubling");
        nodes.Output("y", nodes.Node("Mul", [nodes.Input("x", DataType.Float, "N", 8), nodes.Constant(2)]), DataType.Float, "N", 8);
        return nodes.Build();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(50)]
    public async Task Dispose_WhileOthersScore_EachGetsItsAnswerOrIsTold(int rows)
    {
        var model = Doubling();
        for (var round = 0; round < 20; round++)
        {
            var scorer = OnnxScorer.Load(model);
            using var started = new CountdownEvent(3);
            var scoring = Enumerable.Range(1, 3).Select(value => Task.Factory.StartNew(
                () =>
                {
                    var row = new float[rows * 8];
                    var result = new float[rows * 8];
                    row.AsSpan().Fill(value);
                    started.Signal();
                    try
                    {
                        while (true)
                        {
                            scorer.ScoreBatch(row, rows, result);
                            if (result.AsSpan().ContainsAnyExcept(2f * value)) return false;
                        }
                    }
                    catch (ObjectDisposedException)
                    {
                        return true;
                    }
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)).ToArray();
            started.Wait();
            Thread.SpinWait(round * 1000);
            scorer.Dispose();
            Assert.All(await Task.WhenAll(scoring), Assert.True);
        }
    }

    [Fact]
    public void Finalize_ScorersNobodyDisposed_AreCollectedQuietly()
    {
        var model = Doubling();
        var scorers = Enumerable.Range(0, 20).Select(_ => ScoreAndForget(model)).ToArray();
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.All(scorers, scorer => Assert.False(scorer.TryGetTarget(out _)));
    }

    // The collector may take a scorer whose last use is the call under way, and finalize what the native code is reading.
    [Fact]
    public async Task Finalize_DuringTheLastCall_WaitsForIt()
    {
        var model = Doubling();
        using var stop = new CancellationTokenSource();
        var collector = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        });
        // Collecting without end slows down whatever else is tested meanwhile.
        for (var i = 0; i < 25; i++) ScoreAndForget(model);
        await stop.CancelAsync();
        await collector;
    }

    [Fact]
    public void Session_DisposedBeforeItsRun_LivesUntilTheRunGoes()
    {
        var session = OnnxSession.Load(Doubling());
        using var buffer = new TensorBuffer<float>(2, 8);
        buffer.Span.Fill(3);
        using var run = session.CreateBoundRun();
        run.BindInput("x", buffer.Rows(1));
        run.BindOutput("y", buffer.At(8, 1, 8));
        session.Dispose();
        run.Run();
        Assert.Equal(6, buffer.Span[8]);
        Assert.Throws<ObjectDisposedException>(session.CreateBoundRun);
        Assert.Throws<ObjectDisposedException>(() => session.Run(new Dictionary<string, HostTensor>()));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference<OnnxScorer> ScoreAndForget(ModelProto model)
    {
        var scorer = OnnxScorer.Load(model);
        var result = new float[80];
        var rows = new float[80];
        rows.AsSpan().Fill(1);
        scorer.Score(rows.AsSpan(0, 8), result);
        for (var i = 0; i < 3; i++) scorer.ScoreBatch(rows, 10, result);
        Assert.Equal(2, result[79]);
        return new WeakReference<OnnxScorer>(scorer);
    }
}
