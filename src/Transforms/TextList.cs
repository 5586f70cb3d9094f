using System.Text.Json;

namespace MlNetBatchNorm.Transforms;

/// <summary>A list of texts as one text, for the metadata of a model.</summary>
internal static class TextList
{
    // Names are read by people in a viewer: an umlaut must stay an umlaut.
    private static readonly JsonSerializerOptions Options = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string ToJson(IEnumerable<string> texts) => JsonSerializer.Serialize(texts, Options);

    public static string[] FromJson(string json) => JsonSerializer.Deserialize<string[]>(json) ?? [];
}
