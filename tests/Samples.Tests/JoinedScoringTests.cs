using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using MlNetBatchNorm.Hosting;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Proto;
using ScoringApi;

namespace MlNetBatchNorm.Samples.Tests;

/// <summary>Requests that come together, with a scorer whose runs end when the test says so: sum = x₀ + x₁, row = x.</summary>
public sealed class JoinedScoringTests : IDisposable
{
    private readonly GatedScorer _scorer = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public void Dispose()
    {
        _scorer.Dispose();
        _services.Dispose();
    }

    [Fact]
    public async Task Requests_WhileARunIsAtWork_GoIntoTheNextTogether()
    {
        var scoring = Scoring(new() { ParallelRuns = 1, JoinedRows = 5 });
        var first = await BeginAsync(scoring);
        List<Task<(float[] Result, LoadedModelInfo Model)>> others =
        [
            scoring.ScoreAsync([1, 2, 3, 4], 2, default), scoring.ScoreAsync([5, 6], 1, default),
            scoring.ScoreAsync([7, 8, 9, 10, 1, 1], 3, default),
        ];
        _scorer.LetAllGo();

        Assert.Equal([0f, 0, 0], await ResultOf(first));
        // Of every row the sum, then of every row its numbers.
        Assert.Equal([3f, 7, 1, 2, 3, 4], await ResultOf(others[0]));
        Assert.Equal([11f, 5, 6], await ResultOf(others[1]));
        Assert.Equal([15f, 19, 2, 7, 8, 9, 10, 1, 1], await ResultOf(others[2]));
        Assert.Equal([1, 3, 3], _scorer.Runs);
    }

    [Fact]
    public async Task Requests_OneByOne_RunAloneAndAtOnce()
    {
        var scoring = Scoring(new() { ParallelRuns = 1 });
        _scorer.LetAllGo();
        for (var i = 0; i < 3; i++) Assert.Equal([2f * i, i, i], await ResultOf(scoring.ScoreAsync([i, i], 1, default)));
        Assert.Equal([1, 1, 1], _scorer.Runs);
    }

    [Fact]
    public async Task Request_WithJoiningOff_RunsOnItsOwn()
    {
        var scoring = Scoring(new() { ParallelRuns = 1, JoinedRows = 1 });
        var first = await BeginAsync(scoring);
        List<Task> others = [.. Enumerable.Range(0, 3).Select(_ => scoring.ScoreAsync([1, 2], 1, default))];
        _scorer.LetAllGo();
        await Task.WhenAll([first, .. others]);
        Assert.Equal([1, 1, 1, 1], _scorer.Runs);
    }

    [Fact]
    public async Task Request_ThatFindsTooManyWaiting_IsRefusedAtOnce()
    {
        var scoring = Scoring(new() { ParallelRuns = 1, WaitingRows = 3 });
        var first = await BeginAsync(scoring);
        var second = scoring.ScoreAsync(new float[4], 2, default);
        var refusal = await Assert.ThrowsAsync<BusyException>(() => scoring.ScoreAsync(new float[4], 2, default));
        Assert.Equal("2 rows are waiting, and no more than 3 may.", refusal.Message);
        var third = scoring.ScoreAsync(new float[2], 1, default);
        _scorer.LetAllGo();
        await Task.WhenAll(first, second, third);
        // The room is free again.
        await scoring.ScoreAsync(new float[6], 3, default);
    }

    [Fact]
    public async Task Request_ThatWaitsTooLong_IsRefusedAndNeverRuns()
    {
        var scoring = Scoring(new() { ParallelRuns = 1, Wait = TimeSpan.FromMilliseconds(20) });
        var first = await BeginAsync(scoring);
        var refusal = await Assert.ThrowsAsync<BusyException>(() => scoring.ScoreAsync(new float[2], 1, default));
        Assert.Equal("No run was free within 0.02 s.", refusal.Message);
        _scorer.LetAllGo();
        await first;
        await WaitForAsync(() => scoring.ScoreAsync(new float[4], 2, default).IsCompletedSuccessfully);
        Assert.DoesNotContain(1, _scorer.Runs.Skip(1));
    }

    [Fact]
    public async Task Request_WhoseClientHasGone_NeverRuns()
    {
        var scoring = Scoring(new() { ParallelRuns = 1 });
        var first = await BeginAsync(scoring);
        using var gone = new CancellationTokenSource();
        var second = scoring.ScoreAsync(new float[2], 1, gone.Token);
        var third = scoring.ScoreAsync(new float[4], 2, default);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        _scorer.LetAllGo();
        await Task.WhenAll(first, third);
        Assert.Equal([1, 2], _scorer.Runs);
    }

    [Fact]
    public async Task Request_ThatCannotBeScored_IsNoHarmToItsNeighbours()
    {
        var scoring = Scoring(new() { ParallelRuns = 1 });
        var first = await BeginAsync(scoring);
        var good = scoring.ScoreAsync([1, 2], 1, default);
        var bad = scoring.ScoreAsync([GatedScorer.Bad, 2], 1, default);
        var other = scoring.ScoreAsync([3, 4], 1, default);
        _scorer.LetAllGo();
        await first;
        Assert.Equal([3f, 1, 2], await ResultOf(good));
        Assert.Equal([7f, 3, 4], await ResultOf(other));
        await Assert.ThrowsAsync<InvalidOperationException>(() => bad);
    }

    [Fact]
    public async Task Answer_ThatIsNoNumber_IsRefusedWithItsPlace()
    {
        var scoring = Scoring(new());
        _scorer.LetAllGo();
        var refusal = await Assert.ThrowsAsync<AnswerException>(() => scoring.ScoreAsync([1, 2, 3e38f, 3e38f], 2, default));
        Assert.Contains("The model's answer 'sum' to row 1 is ", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Requests_OfManyThreads_GetTheirOwnAnswers()
    {
        var scoring = Scoring(new() { ParallelRuns = 2, JoinedRows = 7 });
        _scorer.LetAllGo();
        await Parallel.ForAsync(0, 2000, async (i, cancellation) =>
        {
            var count = 1 + (i % 3);
            var rows = Enumerable.Range(i, 2 * count).Select(value => (float)value).ToArray();
            var (result, _) = await scoring.ScoreAsync(rows, count, cancellation);
            Assert.Equal([.. Enumerable.Range(0, count).Select(row => rows[2 * row] + rows[(2 * row) + 1]), .. rows], result);
        });
        Assert.True(_scorer.Runs.Sum() == Enumerable.Range(0, 2000).Sum(i => 1 + (i % 3)));
    }

    private static async Task<IEnumerable<float>> ResultOf(Task<(float[] Result, LoadedModelInfo Model)> request) => (await request).Result;

    private JoinedScoring Scoring(Limits limits) =>
        new(_scorer, Options.Create(limits), new ScoringTelemetry(_services.GetRequiredService<IMeterFactory>()));

    // A request whose run has begun, and waits for the test.
    private async Task<Task<(float[] Result, LoadedModelInfo Model)>> BeginAsync(JoinedScoring scoring)
    {
        var first = Task.Run(() => scoring.ScoreAsync([0, 0], 1, default));
        await WaitForAsync(() => _scorer.Runs.Count == 1);
        return first;
    }

    private static async Task WaitForAsync(Func<bool> condition)
    {
        for (var wait = 0; !condition(); wait++)
        {
            Assert.True(wait < 1000, "It did not come to pass within 10 seconds.");
            await Task.Delay(10);
        }
    }

    private sealed class GatedScorer : IOnnxScorer, IDisposable
    {
        public const float Bad = -13;

        private readonly ManualResetEventSlim _gate = new();
        private readonly List<int> _runs = [];

        public List<int> Runs
        {
            get
            {
                lock (_runs) return [.. _runs];
            }
        }

        public LoadedModelInfo Model { get; } = new()
        {
            Path = "model.onnx",
            Generation = 1,
            LoadedAt = default,
            Device = Device.Cpu,
            RowLength = 2,
            ResultLength = 3,
            Outputs =
            [
                new TensorInfo("sum", TensorProto.Types.DataType.Float, [TensorDimension.Rows, 1]),
                new TensorInfo("row", TensorProto.Types.DataType.Float, [TensorDimension.Rows, 2]),
            ],
        };

        public ReloadFailure? LastReloadFailure => null;

        public void LetAllGo() => _gate.Set();

        public void Dispose() => _gate.Dispose();

        public LoadedModelInfo Score(ReadOnlySpan<float> row, Span<float> result) => ScoreBatch(row, 1, result);

        public LoadedModelInfo ScoreBatch(ReadOnlySpan<float> rows, int count, Span<float> result)
        {
            if (rows.Contains(Bad)) throw new InvalidOperationException("bad");
            lock (_runs) _runs.Add(count);
            Assert.True(_gate.Wait(TimeSpan.FromSeconds(30)));
            for (var row = 0; row < count; row++) result[row] = rows[2 * row] + rows[(2 * row) + 1];
            rows.CopyTo(result[count..]);
            return Model;
        }
    }
}
