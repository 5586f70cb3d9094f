using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Hosting;

/// <summary>
/// Scores rows that are given by the names of their columns, as a <see cref="BatchNormScorer"/> does, with the model that is loaded at the
/// time. Safe for many threads. When the model's file is replaced, calls that have begun end on the old model and later ones run on the new
/// one: none waits and none fails.
/// </summary>
public interface IBatchNormScorer
{
    /// <summary>The model that the next call will run on. Its columns and its task stay the same for the life of the service.</summary>
    LoadedModelInfo Model { get; }

    /// <summary>Why the newest file or options were not taken; null when they were.</summary>
    ReloadFailure? LastReloadFailure { get; }

    /// <inheritdoc cref="BatchNormScorer.Score{TRow}(TRow)"/>
    RowPrediction Score<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>(TRow row);

    /// <summary>Scores many rows, all of them with the same model.</summary>
    /// <inheritdoc cref="BatchNormScorer.ScoreBatch{TRow}(IReadOnlyList{TRow})"/>
    RowPrediction[] ScoreBatch<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>(
        IReadOnlyList<TRow> rows);
}
