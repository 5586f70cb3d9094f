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
        app.MapPost("/score", ScoreRow).WithSummary("Scores one row.")
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity).ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        app.MapPost("/score/batch", ScoreBatch).WithSummary("Scores many rows, all with the same model.")
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge).ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
    }

    private static Ok<ModelResponse> DescribeModel(IOnnxScorer scorer)
    {
        var model = scorer.Model;
        return TypedResults.Ok(new ModelResponse(
            model.Generation, model.LoadedAt, model.Device.ToString(), model.RowLength, model.Outputs.Select(output => output.Name),
            model.FeatureNames, model.Labels));
    }

    private static async Task<Results<Ok<ScoreResponse>, ValidationProblem>> ScoreRow(
        ScoreRequest request, IOnnxScorer scorer, JoinedScoring scoring, CancellationToken cancellation)
    {
        var errors = RowValidation.Check(request.Features, scorer.Model);
        if (errors.Count > 0) return TypedResults.ValidationProblem(errors);
        var (result, model) = await scoring.ScoreAsync(request.Features!, 1, cancellation);
        return TypedResults.Ok(new ScoreResponse(
            model.Generation, model.Outputs.ToDictionary(output => output.Name, output => model.Read(output.Name, result).ToArray())));
    }

    private static async Task<Results<Ok<BatchResponse>, ValidationProblem, ProblemHttpResult>> ScoreBatch(
        BatchRequest request, IOnnxScorer scorer, JoinedScoring scoring, IOptions<Limits> limits, CancellationToken cancellation)
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
        var rows = new float[count * length];
        for (var i = 0; i < count; i++) request.Rows[i].CopyTo(rows.AsSpan(i * length));
        var (result, model) = await scoring.ScoreAsync(rows, count, cancellation);
        return TypedResults.Ok(new BatchResponse(
            model.Generation,
            model.Outputs.ToDictionary(output => output.Name, output => Split(model.Read(output.Name, result, count), count))));
    }

    private static float[][] Split(ReadOnlySpan<float> values, int rows)
    {
        var width = values.Length / rows;
        var split = new float[rows][];
        for (var i = 0; i < rows; i++) split[i] = values.Slice(i * width, width).ToArray();
        return split;
    }
}
