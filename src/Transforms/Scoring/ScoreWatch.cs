using System.Globalization;
using Microsoft.ML.Runtime;

namespace MlNetBatchNorm.Transforms.Scoring;

/// <summary>
/// Says in the log of a context what ML.NET's evaluators pass over without a word: rows without a score, which they leave out of every
/// figure, and views without rows, of which they make figures all the same.
/// </summary>
/// <param name="environment">The context.</param>
/// <param name="features">The column that is scored.</param>
internal sealed class ScoreWatch(IHostEnvironment environment, string features)
{
    private readonly IHost _host = environment.Register("BatchNormNetwork");

    /// <summary>How many of the first rows of an output begin with NaN.</summary>
    /// <param name="values">The output, row after row.</param>
    /// <param name="rows">How many of its rows are looked at.</param>
    /// <param name="capacity">How many rows it has.</param>
    public static int CountUnanswered(ReadOnlySpan<float> values, int rows, int capacity)
    {
        var (width, count) = (values.Length / capacity, 0);
        for (var row = 0; row < rows; row++)
            if (float.IsNaN(values[row * width])) count++;
        return count;
    }

    /// <summary>Takes note that a view was scored to its end.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="unanswered">Those without a score.</param>
    public void Ended(long rows, long unanswered)
    {
        if (rows > 0 && unanswered == 0) return;
        using var channel = _host.Start("Scoring");
        channel.Warning(
            MessageSensitivity.Schema,
            rows == 0
                ? "No row was scored: the view is empty. An evaluator of ML.NET makes figures of that all the same, as an error of 0."
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"{unanswered:N0} of {rows:N0} rows have no score (NaN), since '{features}' is NaN somewhere in them. ML.NET's "
                    + $"evaluators leave such rows out of every figure. Put ReplaceMissingValues in front to have them counted."));
    }
}
