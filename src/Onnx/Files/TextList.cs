using System.Text.Json;

namespace MlNetBatchNorm.Onnx.Files;

/// <summary>A list of texts as one text, for the metadata of a model.</summary>
internal static class TextList
{
    // Names are read by people in a viewer: an umlaut must stay an umlaut.
    private static readonly JsonSerializerOptions Options = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The texts as a JSON array.</summary>
    public static string ToJson(IEnumerable<string> texts) => JsonSerializer.Serialize(texts, Options);

    /// <summary>The texts of a JSON array.</summary>
    /// <exception cref="JsonException">It is not a JSON array of texts.</exception>
    public static string[] FromJson(string json) => JsonSerializer.Deserialize<string[]>(json) ?? [];
}
