namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How one call is to run.</summary>
internal readonly struct RunDecision
{
    /// <summary>The way.</summary>
    public RunWay Way { get; init; }

    /// <summary>Whether on the lane's own session, or on the other one.</summary>
    public bool IsOwn { get; init; }

    /// <summary>The most rows in one run.</summary>
    public int Most { get; init; }

    /// <summary>The most threads that share the rows.</summary>
    public int Sharing { get; init; }

    /// <summary>Learns how long rows take on one thread; null where there is nothing to learn.</summary>
    public RowPace? Pace { get; init; }

    /// <summary>When it began; 0 where nobody asks how long it takes.</summary>
    public long Start { get; init; }
}
