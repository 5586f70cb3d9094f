namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How one call is to run. Filled anew for each call by <see cref="RunPlan.Decide"/>; for one caller at a time.</summary>
/// <remarks>
/// Not a struct: copies of one of this size go through AVX registers, and native code that runs before these are cleared took 0.9 µs longer for
/// a row of 3.
/// </remarks>
internal sealed class RunDecision
{
    /// <summary>The rows that there is a choice for: 1 where the call cannot be cut.</summary>
    public int Rows { get; set; }

    /// <summary>The way.</summary>
    public RunWay Way { get; set; }

    /// <summary>Whether on the lane's own session, or on the other one.</summary>
    public bool IsOwn { get; set; } = true;

    /// <summary>The most rows in one run.</summary>
    public int Most { get; set; }

    /// <summary>The most threads that share the rows.</summary>
    public int Sharing { get; set; } = 1;

    /// <summary>Learns how long rows take on one thread; null where there is nothing to learn.</summary>
    public RowPace? Pace { get; set; }

    /// <summary>When it began; 0 where nobody asks how long it takes.</summary>
    public long Start { get; set; }
}
