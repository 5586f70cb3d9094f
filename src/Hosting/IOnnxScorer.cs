namespace MlNetBatchNorm.Hosting;

/// <summary>
/// Scores rows with the model that is loaded at the time. Safe for many threads; once warm, a call allocates nothing. When the model's file
/// is replaced, calls that have begun end on the old model and later ones run on the new one: none waits and none fails.
/// </summary>
public interface IOnnxScorer
{
    /// <summary>
    /// The model that the next call will run on. Its row length, outputs and result length stay the same for the life of the service.
    /// </summary>
    LoadedModelInfo Model { get; }

    /// <summary>Why the newest file or options were not taken; null when they were.</summary>
    ReloadFailure? LastReloadFailure { get; }

    /// <summary>Scores one row.</summary>
    /// <param name="row"><see cref="LoadedModelInfo.RowLength"/> numbers.</param>
    /// <param name="result">Room for <see cref="LoadedModelInfo.ResultLength"/> numbers: the outputs one behind the other.</param>
    /// <returns>The model that gave the answer, whose labels therefore belong to it.</returns>
    /// <exception cref="ArgumentException">The lengths are not those.</exception>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    /// <exception cref="ObjectDisposedException">The service has ended.</exception>
    LoadedModelInfo Score(ReadOnlySpan<float> row, Span<float> result);

    /// <summary>Scores many rows, all of them with the same model.</summary>
    /// <param name="rows">
    /// The rows one behind the other, <paramref name="count"/> × <see cref="LoadedModelInfo.RowLength"/> numbers. For several inputs first
    /// every row of the first input, then every row of the second, and so on.
    /// </param>
    /// <param name="count">The number of rows.</param>
    /// <param name="result">
    /// Room for <paramref name="count"/> × <see cref="LoadedModelInfo.ResultLength"/> numbers: first the first output of every row, then
    /// the second of every row, and so on.
    /// </param>
    /// <returns>The model that gave the answers.</returns>
    /// <exception cref="ArgumentException">The lengths are not those.</exception>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    /// <exception cref="ObjectDisposedException">The service has ended.</exception>
    LoadedModelInfo ScoreBatch(ReadOnlySpan<float> rows, int count, Span<float> result);
}
