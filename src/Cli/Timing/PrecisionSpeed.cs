using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Cli.Timing;

/// <summary>What scoring takes with fewer bits and with float32, in turn in one process on this very machine's CPU.</summary>
/// <param name="Rows">How many rows at once.</param>
/// <param name="Float32">Microseconds of the float32 model.</param>
/// <param name="Reduced">Microseconds of the model with fewer bits.</param>
internal sealed record PrecisionSpeed(int Rows, double Float32, double Reduced)
{
    private const int Batch = 256;

    private static readonly TimeSpan Each = TimeSpan.FromMilliseconds(60);

    // A batch that takes longer is left out: nobody waits for a report.
    private static readonly TimeSpan LongestBatch = TimeSpan.FromMilliseconds(200);

    /// <summary>By which factor the model with fewer bits takes longer; below 1 it is faster.</summary>
    public double Ratio => Reduced / Float32;

    /// <summary>Measures one row, and a batch of 256 where that is short. Nothing for models that do not score rows of float32.</summary>
    public static IReadOnlyList<PrecisionSpeed> Measure(ModelProto float32, ModelProto reduced)
    {
        if (ModelFile.Size(float32) > ModelFile.LargestSingleFile) return [];
        try
        {
            var one = Measure(float32, reduced, 1);
            var longest = TimeSpan.FromMicroseconds(Batch * Math.Max(one.Float32, one.Reduced));
            return longest > LongestBatch ? [one] : [one, Measure(float32, reduced, Batch)];
        }
        catch (Exception exception) when (exception is InvalidModelException or ModelRunException)
        {
            return [];
        }
    }

    private static PrecisionSpeed Measure(ModelProto float32, ModelProto reduced, int rows)
    {
        using var before = new ScorerContender(float32, rows, Device.Cpu);
        using var after = new ScorerContender(reduced, rows, Device.Cpu);
        var times = Turns.Measure([before, after], Each, CancellationToken.None);
        return new PrecisionSpeed(rows, times[0], times[1]);
    }
}
