using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Hosting;

/// <summary>Rows of numbers, for whoever knows the order of a model's features.</summary>
internal sealed class ReloadingScorer(
    string name, IOptionsMonitor<OnnxScorerServiceOptions> options, TimeProvider time, ScorerMetrics metrics, ILogger<IOnnxScorer> logger)
    : ReloadingModel<OnnxScorer>(Kind, name, options, time, metrics, logger), IOnnxScorer
{
    private static readonly ScorerKind<OnnxScorer> Kind = new(OnnxScorer.Load, LoadedModelInfo.Of, AnswersNaN);

    public LoadedModelInfo Score(ReadOnlySpan<float> row, Span<float> result)
    {
        var begun = Metrics.Begin();
        var model = Enter();
        try
        {
            model.Scorer.Score(row, result);
            Metrics.End(begun, 1);
            return model.Model;
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

    public LoadedModelInfo ScoreBatch(ReadOnlySpan<float> rows, int count, Span<float> result)
    {
        var begun = Metrics.Begin();
        var model = Enter();
        try
        {
            model.Scorer.ScoreBatch(rows, count, result);
            Metrics.End(begun, count);
            return model.Model;
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

    private static bool AnswersNaN(OnnxScorer scorer) =>
        Array.Exists(scorer.Score(new float[scorer.RowLength]), float.IsNaN);
}
