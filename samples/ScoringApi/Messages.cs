using System.Text.Json;
using System.Text.Json.Serialization;
using MlNetBatchNorm.Onnx;

namespace ScoringApi;

/// <summary>One row to score.</summary>
/// <param name="Features">Its features, in the order that <c>GET /model</c> lists them in.</param>
public sealed record ScoreRequest(float[]? Features);

/// <summary>Rows to score together.</summary>
/// <param name="Rows">The features of each row.</param>
public sealed record BatchRequest(float[]?[]? Rows);

/// <summary>The result of a row.</summary>
/// <param name="Generation">The model that gave it: 1 for the first, one more with each reload.</param>
/// <param name="Outputs">The numbers of each of the model's outputs.</param>
public sealed record ScoreResponse(int Generation, Dictionary<string, float[]> Outputs);

/// <summary>The results of rows.</summary>
/// <param name="Generation">The model that gave all of them.</param>
/// <param name="Outputs">For each of the model's outputs the numbers of each row.</param>
public sealed record BatchResponse(int Generation, Dictionary<string, float[][]> Outputs);

/// <summary>The model in use.</summary>
public sealed record ModelResponse(
    int Generation, DateTimeOffset LoadedAt, string Device, int RowLength, IEnumerable<string> Outputs, IEnumerable<string> FeatureNames,
    IEnumerable<string> Labels);

/// <summary>How these are read and written, worked out when the service is built.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ScoreRequest))]
[JsonSerializable(typeof(BatchRequest))]
[JsonSerializable(typeof(ScoreResponse))]
[JsonSerializable(typeof(BatchResponse))]
[JsonSerializable(typeof(ModelResponse))]
[JsonSerializable(typeof(HealthResponse))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(RowPrediction))]
[JsonSerializable(typeof(RowPrediction[]))]
internal sealed partial class ScoringJson : JsonSerializerContext;
