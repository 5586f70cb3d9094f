using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Onnx.Tables;

/// <summary>
/// How the row of a table becomes the feature vector of a network: the columns in order, each with its imputed value or its categories. As
/// JSON it travels in the metadata of the exported model, so that the model can be given a table.
/// </summary>
/// <remarks>
/// Every feature comes out of it: of tables, which the tool reads column by column, of rows that are given by the names of their columns
/// (<c>RowColumns</c>), and of transforms of ML.NET's that the tool writes down for programs that do not have this one.
/// </remarks>
internal sealed class FeatureMap
{
    // Maps with texts are 5, with dates 4, with embedded columns 3, with offsets, or that say how numbers are written, 2: a program that does not know
    // them would make other features. Without them 1, which every program reads.
    private const int FormatVersion = 5, WithDates = 4, WithEmbedded = 3, WithFormats = 2, Plain = 1;

    /// <summary>Describes a feature vector.</summary>
    /// <param name="columns">The columns in the order of their features.</param>
    /// <param name="labelNumbers">How the numbers of the label are written; null = as programs write them, or it has none.</param>
    /// <param name="dates">The columns of dates whose parts are among the columns; null = none.</param>
    public FeatureMap(
        IReadOnlyList<FeatureColumn> columns, NumberFormat? labelNumbers = null, IReadOnlyList<DateColumn>? dates = null)
    {
        Dates = dates ?? [];
        if (Dates.Any(date => date is null)) throw new ArgumentException("A column of dates is null.", nameof(dates));
        if (Dates.SelectMany(date => date.Parts).GroupBy(part => part.Name).FirstOrDefault(same => same.Count() > 1) is { } part)
            throw new ArgumentException($"Part '{part.Key}' is there twice.", nameof(dates));
        LabelNumbers = NumberFormat.Plain.Equals(labelNumbers) ? null : labelNumbers;
        ArgumentNullException.ThrowIfNull(columns);
        if (columns.Any(column => column is null)) throw new ArgumentException("A column is null.", nameof(columns));
        if (columns.GroupBy(column => column.Name).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new ArgumentException($"Column '{twice.Key}' is there twice.", nameof(columns));
        Columns = columns;
        FeatureNames = [.. columns.SelectMany(column => column.FeatureNames)];
    }

    /// <summary>The columns in the order of their features.</summary>
    public IReadOnlyList<FeatureColumn> Columns { get; }

    /// <summary>The columns of dates, which the table has in place of their parts.</summary>
    public IReadOnlyList<DateColumn> Dates { get; }

    /// <summary>How the numbers of a label are written that stands beside these columns; null = as programs write them.</summary>
    public NumberFormat? LabelNumbers { get; }

    /// <summary>Names of the features, for people: <c>tenure</c>, <c>contract=One year</c>.</summary>
    public IReadOnlyList<string> FeatureNames { get; }

    /// <summary>The length of the feature vector.</summary>
    public int FeatureCount => FeatureNames.Count;

    /// <summary>The places of the features that are numbers of categories.</summary>
    public IReadOnlyList<int> EmbeddedFeatures
    {
        get
        {
            var (places, offset) = (new List<int>(), 0);
            foreach (var column in Columns)
            {
                if (column is EmbeddedFeature) places.Add(offset);
                offset += column.FeatureCount;
            }

            return places;
        }
    }

    /// <summary>The columns that a table must have: dates in place of their parts.</summary>
    public IEnumerable<string> Sources => PlacesBySource.Select(source => source.Source);

    /// <summary>The columns that a table must have, each with the places of the features that are made of it.</summary>
    public IEnumerable<(string Source, IReadOnlyList<int> Places)> PlacesBySource
    {
        get
        {
            var dates = Dates.SelectMany(date => date.Parts.Select(part => (part.Name, Date: date.Name)))
                .ToDictionary(part => part.Name, part => part.Date);
            var places = new Dictionary<string, List<int>>();
            var first = 0;
            foreach (var column in Columns)
            {
                var source = dates.GetValueOrDefault(column.Name, column.Name);
                if (!places.TryGetValue(source, out var known)) places[source] = known = [];
                known.AddRange(Enumerable.Range(first, column.FeatureCount));
                first += column.FeatureCount;
            }

            return places.Select(source => (source.Key, (IReadOnlyList<int>)source.Value));
        }
    }

    /// <summary>The map as JSON, on one line.</summary>
    public string ToJson()
    {
        var isPlain = LabelNumbers is null
            && !Columns.Any(column => column is NumericFeature { Map.IsPlain: false } or NumericFeature { Numbers: not null });
        return JsonSerializer.Serialize(
            new FeatureMapDocument(
                Columns.Any(column => column is TextFeature) ? FormatVersion
                    : Dates.Count > 0 ? WithDates
                    : Columns.Any(column => column is EmbeddedFeature) ? WithEmbedded : isPlain ? Plain : WithFormats,
                Columns, LabelNumbers, Dates.Count > 0 ? Dates : null),
            FeatureMapJson.Format.FeatureMapDocument);
    }

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <param name="json">The text.</param>
    /// <exception cref="InvalidDataException">The text is not such a map, or of a newer version.</exception>
    public static FeatureMap FromJson(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        try
        {
            var document = JsonSerializer.Deserialize(json, FeatureMapJson.Format.FeatureMapDocument)
                ?? throw new InvalidDataException("The feature map is null.");
            return document.Version is >= 1 and <= FormatVersion
                ? new(document.Columns, document.LabelNumbers, document.Dates)
                : throw new InvalidDataException(
                    $"The feature map has version {document.Version} and this program reads versions up to {FormatVersion}; use a newer "
                    + "program.");
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NotSupportedException)
        {
            throw new InvalidDataException($"The feature map cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }
}

/// <summary>The JSON of a <see cref="FeatureMap"/>.</summary>
/// <param name="Version">The version of the format.</param>
/// <param name="Columns">The columns in the order of their features.</param>
/// <param name="LabelNumbers">How the numbers of the label are written, if not as programs write them.</param>
/// <param name="Dates">The columns of dates, if there are any.</param>
internal sealed record FeatureMapDocument(
    int Version, IReadOnlyList<FeatureColumn> Columns, NumberFormat? LabelNumbers = null, IReadOnlyList<DateColumn>? Dates = null);

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
