namespace MlNetBatchNorm;

/// <summary>
/// How a training is looked into: at the end of epochs, some of the training rows go through the network as they do in a step, forwards and
/// backwards, and what each layer gave is summed up (<see cref="TrainedNetwork.Diagnostics"/>). The network that comes out is the same, bit
/// for bit.
/// </summary>
public sealed record DiagnosticsOptions
{
    /// <summary>
    /// How many training rows are looked at, drawn once at random by the seed; at least 2. Null (the default) = one for every 64, from 64
    /// to 512.
    /// </summary>
    public int? Rows { get; init; }

    /// <summary>
    /// Epochs from one look to the next, from 1; the first and the last epoch are always looked at. Null (the default) = as many as have at
    /// least 40 steps, so that looking takes little beside training.
    /// </summary>
    public int? EveryEpochs { get; init; }

    /// <summary>Checks every value.</summary>
    internal void Validate()
    {
        if (Rows is { } rows) ArgumentOutOfRangeException.ThrowIfLessThan(rows, 2, nameof(Rows));
        if (EveryEpochs is { } epochs) ArgumentOutOfRangeException.ThrowIfLessThan(epochs, 1, nameof(EveryEpochs));
    }
}
