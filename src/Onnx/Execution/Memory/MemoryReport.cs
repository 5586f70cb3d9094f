namespace MlNetBatchNorm.Onnx.Execution.Memory;

/// <summary>How tensors get to a model on its device.</summary>
/// <param name="Route">The way they take.</param>
/// <param name="IsPinned">Whether the host's buffers lie in page-locked memory, which the device reads and writes by itself.</param>
/// <param name="ReplaysGraphs">Whether a run of the same shape is recorded and replayed as one CUDA graph.</param>
/// <param name="Obstacle">
/// Why it is not <see cref="TensorRoute.Kept"/> on a device with a memory of its own; null = nothing is in the way.
/// </param>
internal sealed record MemoryReport(TensorRoute Route, bool IsPinned = false, bool ReplaysGraphs = false, string? Obstacle = null)
{
    /// <summary>One line.</summary>
    public override string ToString()
    {
        var way = Route switch
        {
            TensorRoute.InPlace => "tensors are read and written in the host's memory",
            TensorRoute.Kept when IsPinned => "tensors stay on the device, copied from and to page-locked memory of the host",
            TensorRoute.Kept => "tensors stay on the device, copied from and to ordinary memory of the host",
            _ => "tensors are made on the device at each run",
        };
        var graphs = ReplaysGraphs ? "; runs are replayed as CUDA graphs" : string.Empty;
        return $"{way}{graphs}{(Obstacle is null ? string.Empty : $" ({Obstacle})")}";
    }
}

/// <summary>How a bound run's tensors get to the model and back.</summary>
internal enum TensorRoute
{
    /// <summary>The model reads and writes the host's memory.</summary>
    InPlace,

    /// <summary>
    /// Each bound run keeps tensors of its own in the device's memory; a run copies the inputs there and the outputs back, and no more.
    /// </summary>
    Kept,

    /// <summary>ONNX Runtime makes tensors in the device's memory anew at each run.</summary>
    HandedOver,
}
