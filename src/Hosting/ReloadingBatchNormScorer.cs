using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Hosting;

/// <summary>Rows of named columns.</summary>
internal sealed class ReloadingBatchNormScorer(
    string name, IOptionsMonitor<OnnxScorerServiceOptions> options, TimeProvider time, ScorerMetrics metrics,
    ILogger<IBatchNormScorer> logger)
    : ReloadingModel<BatchNormScorer>(Kind, name, options, time, metrics, logger), IBatchNormScorer
{
    private static readonly ScorerKind<BatchNormScorer> Kind = new(
        BatchNormScorer.Load, LoadedModelInfo.Of, scorer => AnswersNaN(scorer.ScoreBlank()));

    public RowPrediction Score<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>(TRow row) =>
        Count(1, row, static (scorer, row) => scorer.Score(row));

    public RowPrediction[] ScoreBatch<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>(
        IReadOnlyList<TRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return Count(rows.Count, rows, static (scorer, rows) => scorer.ScoreBatch(rows));
    }

    /// <summary>Scores a row without values, and says by which model.</summary>
    public (RowPrediction Prediction, LoadedModelInfo Model) ScoreBlank()
    {
        var model = Enter();
        try
        {
            return (Count(1, 0, static (scorer, _) => scorer.ScoreBlank()), model.Model);
        }
        finally
        {
            model.Leave();
        }
    }

    /// <summary>Whether a number of a prediction is NaN.</summary>
    public static bool AnswersNaN(RowPrediction prediction) => prediction.Score is { } score && double.IsNaN(score)
        || prediction.Probability is { } probability && float.IsNaN(probability);

    private TResult Count<TGiven, TResult>(int rows, TGiven given, Func<BatchNormScorer, TGiven, TResult> score)
    {
        var begun = Metrics.Begin();
        var model = Enter();
        try
        {
            var result = score(model.Scorer, given);
            Metrics.End(begun, rows);
            return result;
        }
        catch (Exception exception) when (Metrics.Fail(begun, exception))
        {
            throw;
        }
        finally
        {
            model.Leave();
        }
    }
}
