using System.Buffers;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using MlNetBatchNorm.Hosting;

namespace ScoringApi;

/// <summary>The endpoints that score.</summary>
internal static class ScoringEndpoints
{
    public static void MapScoring(this WebApplication app)
    {
        app.MapGet("/model", DescribeModel).WithSummary("The model in use: its features, in order, and its outputs.");
        app.MapPost("/score", ScoreRow).WithSummary("Scores one row.");
        app.MapPost("/score/batch", ScoreBatch).WithSummary("Scores many rows, all with the same model.")
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge);
    }

    private static Ok<ModelResponse> DescribeModel(IOnnxScorer scorer)
    {
        var model = scorer.Model;
        return TypedResults.Ok(new ModelResponse(
            model.Generation, model.LoadedAt, model.Device.ToString(), model.RowLength, model.Outputs.Select(output => output.Name),
            model.FeatureNames, model.Labels));
    }

    private static Results<Ok<ScoreResponse>, ValidationProblem> ScoreRow(ScoreRequest request, IOnnxScorer scorer)
    {
        var errors = RowValidation.Check(request.Features, scorer.Model);
        if (errors.Count > 0) return TypedResults.ValidationProblem(errors);
        var result = new float[scorer.Model.ResultLength];
        var model = scorer.Score(request.Features, result);
        return TypedResults.Ok(new ScoreResponse(
            model.Generation, model.Outputs.ToDictionary(output => output.Name, output => model.Read(output.Name, result).ToArray())));
    }

    private static Results<Ok<BatchResponse>, ValidationProblem, ProblemHttpResult> ScoreBatch(
        BatchRequest request, IOnnxScorer scorer, IOptions<Limits> limits)
    {
        if (request.Rows?.Length > limits.Value.BatchRows)
        {
            return TypedResults.Problem(
                $"{request.Rows.Length} rows were given, but at most {limits.Value.BatchRows} are scored at once; send them in parts.",
                statusCode: StatusCodes.Status413PayloadTooLarge);
        }

        var errors = RowValidation.Check(request.Rows, scorer.Model);
        if (errors.Count > 0) return TypedResults.ValidationProblem(errors);
        var (count, length) = (request.Rows!.Length, scorer.Model.RowLength);
        var rows = ArrayPool<float>.Shared.Rent(count * length);
        try
        {
            for (var i = 0; i < count; i++) request.Rows[i].CopyTo(rows.AsSpan(i * length));
            var result = new float[count * scorer.Model.ResultLength];
            var model = scorer.ScoreBatch(rows.AsSpan(0, count * length), count, result);
            return TypedResults.Ok(new BatchResponse(
                model.Generation,
                model.Outputs.ToDictionary(output => output.Name, output => Split(model.Read(output.Name, result, count), count))));
        }
        finally
        {
            ArrayPool<float>.Shared.Return(rows);
        }
    }

    private static float[][] Split(ReadOnlySpan<float> values, int rows)
    {
        var width = values.Length / rows;
        var split = new float[rows][];
        for (var i = 0; i < rows; i++) split[i] = values.Slice(i * width, width).ToArray();
        return split;
    }
}
