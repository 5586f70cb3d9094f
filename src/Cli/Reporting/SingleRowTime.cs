using System.Diagnostics;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>Measures what one prediction costs.</summary>
internal static class SingleRowTime
{
    private const int Rounds = 20;
    private const int Calls = 500;

    /// <summary>The median over rounds of many calls; the first rounds let the runtime compile the path.</summary>
    public static TimeSpan Measure(OnnxScorer scorer)
    {
        var row = new float[scorer.RowLength];
        var result = new float[scorer.ResultLength];
        var rounds = new TimeSpan[Rounds];
        for (var round = 0; round < 2 * Rounds; round++)
        {
            var start = Stopwatch.GetTimestamp();
            for (var call = 0; call < Calls; call++) scorer.Score(row, result);
            if (round >= Rounds) rounds[round - Rounds] = Stopwatch.GetElapsedTime(start) / Calls;
        }

        Array.Sort(rounds);
        return rounds[Rounds / 2];
    }
}
