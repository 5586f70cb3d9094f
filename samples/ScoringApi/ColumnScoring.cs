using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using MlNetBatchNorm.Hosting;
using MlNetBatchNorm.Onnx;

namespace ScoringApi;

/// <summary>Rows as JSON objects of a table's own columns, where <c>Columns:ModelPath</c> names a model that takes them.</summary>
internal static class ColumnScoring
{
    private const string Section = "Columns";

    public static void AddColumnScoring(this WebApplicationBuilder builder)
    {
        if (!builder.Configuration.GetSection(Section).Exists()) return;
        builder.Services.AddBatchNormScorer(builder.Configuration.GetSection(Section));
        builder.Services.AddHealthChecks().AddBatchNormScorerCheck();
    }

    public static void MapColumnScoring(this WebApplication app)
    {
        if (!app.Configuration.GetSection(Section).Exists()) return;
        app.MapPost("/predict", Predict).WithSummary("Scores a row, or an array of rows, each an object with a value for each column.")
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge);
    }

    private static Results<Ok<RowPrediction>, Ok<RowPrediction[]>, ProblemHttpResult> Predict(
        JsonElement body, IBatchNormScorer scorer, IOptions<Limits> limits)
    {
        if (body.ValueKind == JsonValueKind.Array && body.GetArrayLength() > limits.Value.BatchRows)
        {
            return TypedResults.Problem(
                $"{body.GetArrayLength()} rows were given, but at most {limits.Value.BatchRows} are scored at once; send them in parts.",
                statusCode: StatusCodes.Status413PayloadTooLarge);
        }

        try
        {
            if (body.ValueKind != JsonValueKind.Array) return TypedResults.Ok(scorer.Score(body));
            return TypedResults.Ok(scorer.ScoreBatch([.. body.EnumerateArray()]));
        }
        catch (ArgumentException exception)
        {
            // The message says which column, what was given and what is expected.
            return TypedResults.Problem(exception.Message, statusCode: StatusCodes.Status400BadRequest);
        }
    }
}
