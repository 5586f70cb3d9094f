using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Trainer.Results;

/// <summary>What an exported network predicts for rows whose answers are known, and how good that is.</summary>
/// <param name="Predictions">The predictions, <c>[N, K]</c> row-major; see <see cref="PredictedRows"/>.</param>
/// <param name="Metrics">The figures that go with the network's loss.</param>
internal sealed record ModelEvaluation(float[] Predictions, MetricValues Metrics)
{
    /// <summary>Runs a model on the CPU. Its last output is the prediction that goes with the loss.</summary>
    public static ModelEvaluation Of(ModelProto model, Loss loss, TrainingData rows)
    {
        using var scorer = OnnxScorer.Load(model, new OnnxScorerOptions { Outputs = [model.Graph.Output[^1].Name] });
        return Of(scorer, loss, rows);
    }

    /// <summary>Runs a loaded model. The last of its outputs is the prediction that goes with the loss.</summary>
    public static ModelEvaluation Of(OnnxScorer scorer, Loss loss, TrainingData rows)
    {
        var results = new float[rows.Count * scorer.ResultLength];
        scorer.ScoreBatch(rows.FeatureArray, rows.Count, results);
        var predictions = results[^rows.TargetArray.Length..];
        return new ModelEvaluation(predictions, loss.Measure(predictions, rows));
    }
}
