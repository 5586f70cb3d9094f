using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>The JSON of a <see cref="FeatureMap"/>.</summary>
/// <param name="Version">The version of the format.</param>
/// <param name="Columns">The columns in the order of their features.</param>
internal sealed record FeatureMapDocument(int Version, IReadOnlyList<FeatureColumn> Columns);

/// <summary>Serializers made at build time: nothing is looked up by reflection when the tool starts.</summary>
[JsonSerializable(typeof(FeatureMapDocument))]
internal sealed partial class FeatureMapJson : JsonSerializerContext
{
    /// <summary>The serializers with the options of the format.</summary>
    public static FeatureMapJson Format { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,

        // Names stay readable: the text is shown in model viewers, never in a web page.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
