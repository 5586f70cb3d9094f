using System.Diagnostics;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>Measures what one prediction costs.</summary>
internal static class SingleRowTime
{
    private const int Rounds = 20;
    private const int MostCalls = 500;

    // A large network says in fewer calls what it costs.
    private static readonly TimeSpan Round = TimeSpan.FromMilliseconds(5);

    /// <summary>The median over rounds of many calls; the first rounds let the runtime compile the path.</summary>
    public static TimeSpan Measure(OnnxScorer scorer)
    {
        var row = new float[scorer.RowLength];
        var result = new float[scorer.ResultLength];
        var rounds = new TimeSpan[Rounds];
        var calls = 1;
        for (var round = 0; round < 2 * Rounds; round++)
        {
            var start = Stopwatch.GetTimestamp();
            for (var call = 0; call < calls; call++) scorer.Score(row, result);
            var time = Stopwatch.GetElapsedTime(start) / calls;
            if (round < Rounds) calls = (int)Math.Clamp(Round / time, 1, Math.Min(MostCalls, 2 * calls));
            else rounds[round - Rounds] = time;
        }

        Array.Sort(rounds);
        return rounds[Rounds / 2];
    }
}
