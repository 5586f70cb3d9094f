using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ScoringApi.OpenInference;

/// <summary>What <c>POST /v2/models/{name}/infer</c> takes.</summary>
internal sealed record InferRequest(
    InferRequestInput?[]? Inputs, InferRequestOutput?[]? Outputs = null, string? Id = null,
    Dictionary<string, JsonElement>? Parameters = null);

/// <summary>A tensor: its numbers in <c>data</c>, flat or nested, or as bytes behind the JSON.</summary>
internal sealed record InferRequestInput(
    string? Name, long[]? Shape, string? Datatype, TensorData? Data = null, Dictionary<string, JsonElement>? Parameters = null);

/// <summary>An output that is asked for.</summary>
internal sealed record InferRequestOutput(string? Name, Dictionary<string, JsonElement>? Parameters = null);

/// <summary>What it answers.</summary>
internal sealed record InferResponse(
    [property: JsonPropertyName("model_name")] string ModelName, [property: JsonPropertyName("model_version")] string ModelVersion,
    IReadOnlyList<InferResponseOutput> Outputs, string? Id = null);

/// <summary>A tensor of the answer: its numbers, or how many bytes it has behind the JSON.</summary>
internal sealed record InferResponseOutput(
    string Name, string Datatype, long[] Shape, Dictionary<string, int>? Parameters = null, float[]? Data = null);

/// <summary>An input or output of a model; a size of -1 is given by the request.</summary>
internal sealed record TensorMetadata(string Name, string Datatype, long[] Shape);

/// <summary>What <c>GET /v2/models/{name}</c> answers.</summary>
internal sealed record ModelMetadataResponse(
    string Name, string[] Versions, string Platform, IReadOnlyList<TensorMetadata> Inputs, IReadOnlyList<TensorMetadata> Outputs);

/// <summary>What <c>GET /v2</c> answers.</summary>
internal sealed record ServerMetadataResponse(string Name, string Version, string[] Extensions);

/// <summary>What <c>GET /v2/health/live</c> answers.</summary>
internal sealed record ServerLiveResponse(bool Live);

/// <summary>What <c>GET /v2/health/ready</c> answers.</summary>
internal sealed record ServerReadyResponse(bool Ready);

/// <summary>What <c>GET /v2/models/{name}/ready</c> answers.</summary>
internal sealed record ModelReadyResponse(string Name, bool Ready);

/// <summary>What the protocol answers when it refuses.</summary>
internal sealed record ErrorResponse(string Error);

/// <summary>The numbers of a tensor, and the sizes that they were nested in.</summary>
[JsonConverter(typeof(TensorDataConverter))]
internal sealed record TensorData(float[] Values, long[] Nesting);

/// <summary>Reads numbers that are flat or nested as the tensor's shape says; the protocol has both.</summary>
internal sealed class TensorDataConverter : JsonConverter<TensorData>
{
    private const string Ragged = "The data are ragged: numbers stand beside arrays.";

    public override TensorData Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw new JsonException("The data of a tensor are an array.");
        var values = new List<float>();
        // The size of the arrays of each depth once one has ended, and how many members each open one has so far.
        var (sizes, open, depthOfNumbers) = (new List<long>(), new List<long>(), 0);
        do
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray:
                    if (open.Count > 0) open[^1]++;
                    open.Add(0);
                    if (sizes.Count < open.Count) sizes.Add(-1);
                    if (values.Count > 0 && sizes.Count > depthOfNumbers) throw new JsonException(Ragged);
                    break;
                case JsonTokenType.EndArray:
                    var (depth, size) = (open.Count - 1, open[^1]);
                    if (sizes[depth] >= 0 && sizes[depth] != size)
                        throw new JsonException($"The data are ragged: arrays side by side have {sizes[depth]} and {size} members.");
                    sizes[depth] = size;
                    open.RemoveAt(depth);
                    break;
                case JsonTokenType.Number:
                    if (sizes.Count > open.Count) throw new JsonException(Ragged);
                    depthOfNumbers = open.Count;
                    open[^1]++;
                    values.Add(reader.GetSingle());
                    break;
                default:
                    throw new JsonException($"The data of an FP32 tensor are numbers, but a {reader.TokenType} was given.");
            }
        }
        while (open.Count > 0 && reader.Read());

        return new TensorData([.. values], [.. sizes]);
    }

    public override void Write(Utf8JsonWriter writer, TensorData value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value.Values, OpenInferenceJson.Shared.SingleArray);
}

/// <summary>How these are read and written, worked out when the service is built.</summary>
[JsonSerializable(typeof(InferRequest))]
[JsonSerializable(typeof(InferResponse))]
[JsonSerializable(typeof(ModelMetadataResponse))]
[JsonSerializable(typeof(ServerMetadataResponse))]
[JsonSerializable(typeof(ServerLiveResponse))]
[JsonSerializable(typeof(ServerReadyResponse))]
[JsonSerializable(typeof(ModelReadyResponse))]
[JsonSerializable(typeof(ErrorResponse))]
[JsonSerializable(typeof(IReadOnlyList<string>))]
internal sealed partial class OpenInferenceJson : JsonSerializerContext
{
    public static OpenInferenceJson Shared { get; } = new(new JsonSerializerOptions(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        // This is no HTML: quotation marks may stay what they are.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
