using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>What a network learns of the rows' targets, and the way back: first in logarithms or not, then standardized or not.</summary>
/// <param name="Map">The way to logarithms and back; null = there is none, and there are no bounds.</param>
/// <param name="Standardization">The shift and scale of what <paramref name="Map"/> gives; null = none.</param>
internal sealed record LearnedTargets(TargetMap? Map, TargetStandardization? Standardization)
{
    /// <summary>Finds out by the rows to learn from; the targets of classes are learned as they are.</summary>
    public static LearnedTargets Fit(TrainingData rows, Loss loss, TrainingOptions options)
    {
        if (!loss.IsRegression) return new LearnedTargets(null, null);
        var map = TargetMap.Fit(options.TargetTransform, rows);
        return new LearnedTargets(map, options.StandardizeTargets ? TargetStandardization.Fit(map?.Apply(rows) ?? rows) : null);
    }

    /// <summary>The rows with targets as they are learned.</summary>
    public TrainingData Apply(TrainingData rows)
    {
        if (Map is not null) rows = Map.Apply(rows);
        return Standardization?.Apply(rows) ?? rows;
    }

    /// <summary>Brings predictions back to the targets' unit, in place.</summary>
    public void Restore(Span<float> predictions)
    {
        Standardization?.Restore(predictions);
        Map?.Restore(predictions);
    }

    /// <summary>The same with the factor of <see cref="TargetMap.Fitted"/>, which the predictions then have, too.</summary>
    /// <param name="predictions">What <see cref="Restore"/> gave for rows that were not learned from; changed in place.</param>
    /// <param name="rows">These rows, with their targets in their own unit.</param>
    public LearnedTargets Fitted(Span<float> predictions, TrainingData rows)
    {
        if (Map?.Fitted(predictions, rows) is not { } fitted) return this;
        fitted.Bound(predictions);
        return this with { Map = fitted };
    }
}
