using System.Text.Json;
using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Onnx.Files;

/// <summary>A list of texts as one text, for the metadata of a model and for messages.</summary>
internal static partial class TextList
{
    // Names are read by people in a viewer: an umlaut must stay an umlaut.
    private static readonly Json Format = new(new JsonSerializerOptions
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    /// <summary>The texts as a JSON array.</summary>
    public static string ToJson(IEnumerable<string> texts) => JsonSerializer.Serialize([.. texts], Format.StringArray);

    /// <summary>The first of the texts, and how many more there are: for messages, where of thousands a few will do.</summary>
    public static string First(IReadOnlyCollection<string> texts, int most) => texts.Count <= most
        ? string.Join(", ", texts)
        : $"{string.Join(", ", texts.Take(most))} and {texts.Count - most:N0} more";

    /// <summary>The texts of a JSON array.</summary>
    /// <exception cref="JsonException">It is not a JSON array of texts.</exception>
    public static string[] FromJson(string json) => JsonSerializer.Deserialize(json, Format.StringArray) ?? [];

    [JsonSerializable(typeof(string[]))]
    private sealed partial class Json : JsonSerializerContext;
}
