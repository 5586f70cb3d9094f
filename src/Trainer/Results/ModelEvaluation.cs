using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Trainer.Results;

/// <summary>What an exported network predicts for rows whose answers are known, and how good that is.</summary>
/// <param name="Predictions">The predictions, <c>[N, K]</c> row-major; see <see cref="PredictedRows"/>.</param>
/// <param name="Metrics">The figures that go with the network's loss.</param>
internal sealed record ModelEvaluation(float[] Predictions, MetricValues Metrics)
{
    /// <summary>Runs a model on the CPU. Its last output is the prediction that goes with the loss.</summary>
    public static ModelEvaluation Of(ModelProto model, Loss loss, TrainingData rows)
    {
        // Whatever is quicker today, the figures of a network are the same.
        using var scorer = OnnxScorer.Load(
            model, new OnnxScorerOptions { Engine = ScoringEngine.OnnxRuntime, Outputs = [model.Graph.Output[^1].Name] });
        return Of(scorer, loss, rows);
    }

    /// <summary>Runs a loaded model. The last of its outputs is the prediction that goes with the loss.</summary>
    public static ModelEvaluation Of(OnnxScorer scorer, Loss loss, TrainingData rows)
    {
        var results = Score(scorer, rows.FeatureRows);
        var predictions = results[^rows.TargetArray.Length..];
        return new ModelEvaluation(predictions, loss.Measure(predictions, rows));
    }

    /// <summary>
    /// Scores rows, of which only so many are written out at once that memory stays small: first the first output of every row, then the
    /// second, and so on. All outputs have as many values.
    /// </summary>
    public static float[] Score(OnnxScorer scorer, FeatureRows rows)
    {
        // Four times what training takes at once, since there are no gradients.
        const int Most = 4 * FeatureRows.ValuesAtOnce;
        var atOnce = Math.Clamp(Most / rows.Width, 1, Math.Max(rows.Count, 1));
        var (results, width) = (new float[(long)rows.Count * scorer.ResultLength], scorer.ResultLength / scorer.Outputs.Count);
        var (features, part) = (new float[(long)atOnce * rows.Width], new float[(long)atOnce * scorer.ResultLength]);
        for (var first = 0; first < rows.Count; first += atOnce)
        {
            var count = Math.Min(atOnce, rows.Count - first);
            rows.CopyTo(first, count, features);
            scorer.ScoreBatch(features.AsSpan(0, count * rows.Width), count, part);
            for (var output = 0; output < scorer.Outputs.Count; output++)
                part.AsSpan(output * count * width, count * width).CopyTo(results.AsSpan(((output * rows.Count) + first) * width));
        }

        return results;
    }
}
