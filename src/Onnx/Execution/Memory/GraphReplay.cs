using System.Globalization;
using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Memory;

/// <summary>
/// The options of a bound run's runs on a device that records CUDA graphs. The provider records each number that it is given, and replays
/// it whenever the number comes again, whatever is bound by then; −1 is never recorded. So each bound run has a number of its own that no
/// other ever gets, and takes it from the second run on: a shape that comes once is not worth recording.
/// </summary>
/// <remarks>
/// The provider records all that is put into its one stream, and with it whatever else its device is told meanwhile: runs wait for each
/// other at <see cref="Gate"/>. It keeps what it recorded for each thread; on another thread, a run is recorded again.
/// </remarks>
internal sealed class GraphReplay : IDisposable
{
    /// <summary>ONNX Runtime's name of the option.</summary>
    public const string Option = "gpu_graph_id";

    private const int Never = -1;

    // 0 is what runs without the option get.
    private static int _lastNumber;

    private readonly RunOptions _unrecorded = Options(Never);
    private RunOptions? _recorded;
    private bool _ran;

    /// <summary>One run at a time in the whole process.</summary>
    public static Lock Gate { get; } = new();

    /// <summary>Options of a run whose tensors are elsewhere the next time.</summary>
    public static RunOptions Unrecorded() => Options(Never);

    /// <summary>The options of the next run.</summary>
    public RunOptions Next()
    {
        if (_ran) return _recorded ??= Options(Interlocked.Increment(ref _lastNumber));
        _ran = true;
        return _unrecorded;
    }

    /// <summary>Something else is bound: what was recorded is of no more use.</summary>
    public void Forget()
    {
        _recorded?.Dispose();
        _recorded = null;
        _ran = false;
    }

    public void Dispose()
    {
        _unrecorded.Dispose();
        _recorded?.Dispose();
    }

    private static RunOptions Options(int number)
    {
        var options = new RunOptions();
        options.AddRunConfigEntry(Option, number.ToString(CultureInfo.InvariantCulture));
        return options;
    }
}
