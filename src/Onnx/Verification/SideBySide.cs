using System.Runtime.ExceptionServices;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>Work on the parts of a fold, on all cores where there are many.</summary>
internal static class SideBySide
{
    // Fewer are not worth the threads; more at once would need memory for each.
    private const int FewParts = 32;
    private const int MostAtOnce = 4;

    /// <summary>Does something with each part.</summary>
    /// <param name="parts">How many there are.</param>
    /// <param name="each">What is done with one, by its number.</param>
    /// <exception cref="Exception">What the first of them threw, as it was thrown.</exception>
    public static void Do(int parts, Action<int> each)
    {
        if (parts < FewParts)
        {
            for (var i = 0; i < parts; i++) each(i);
            return;
        }

        try
        {
            Parallel.For(0, parts, new ParallelOptions { MaxDegreeOfParallelism = Math.Min(MostAtOnce, Environment.ProcessorCount) }, each);
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);
        }
    }
}
