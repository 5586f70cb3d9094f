using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// How the row of a table becomes the feature vector of a network: the columns in order, each with its imputed value or its categories. As
/// JSON it travels in the metadata of the exported model, so that the model can be given a table.
/// </summary>
/// <remarks>
/// Every feature comes out of it: <see cref="Bind"/> makes those of a table's rows, whatever they are for, and <see cref="ToPipeline"/>
/// writes the same down as transforms for programs that have ML.NET but not this one.
/// </remarks>
internal sealed class FeatureMap
{
    // Maps with dates are 4, with embedded columns 3, with offsets, or that say how numbers are written, 2: a program that does not know
    // them would make other features. Without them 1, which every program reads.
    private const int FormatVersion = 4, WithEmbedded = 3, WithFormats = 2, Plain = 1;

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

    /// <summary>As what the cells of a column of a table are best read where many rows go by.</summary>
    public Func<string, CellReading> Readings
    {
        get
        {
            var readings = Columns.ToDictionary(column => column.Name, column => column.Reading);
            foreach (var date in Dates) readings[date.Name] = CellReading.Text;
            return name => readings.GetValueOrDefault(name, CellReading.None);
        }
    }

    /// <summary>Finds the columns in a table. Columns that the map does not name are passed over.</summary>
    /// <param name="table">The table.</param>
    /// <exception cref="TableException">A column is missing, or a column of numbers has a text or an infinity in some row.</exception>
    public FeatureEncoder Bind(CsvTable table) => new(this, table);

    /// <summary>The features of all rows, row by row: <c>[RowCount, FeatureCount]</c>.</summary>
    /// <param name="table">The table.</param>
    /// <exception cref="TableException">As for <see cref="Bind"/>.</exception>
    public float[] EncodeAll(CsvTable table) => Bind(table).EncodeAll();

    /// <summary>
    /// The map as ML.NET's own transforms, from the raw columns of a <see cref="TableDataView"/> to the feature vector. They save with a
    /// model and convert to ONNX. All that they know is what the map says: they are fitted on one row that is made of it, not on the
    /// training table.
    /// </summary>
    /// <param name="ml">A context.</param>
    /// <param name="featuresColumn">The name of the feature vector. The raw columns are replaced by encoded ones.</param>
    public ITransformer ToPipeline(MLContext ml, string featuresColumn)
    {
        ArgumentNullException.ThrowIfNull(ml);
        ArgumentException.ThrowIfNullOrEmpty(featuresColumn);
        var table = new CsvTable("map", [.. Columns.Select(column => new TableColumn(column.Name, [column.Prototype], [0]))], [1]);
        IDataView row = new TableDataView(table, this);
        var offsets = FeatureColumn.ToFloat32(ml, Columns);
        if (offsets is not null) row = offsets.Transform(row);

        // One by one: a chain of estimators looks for each column in all of them first.
        var transforms = new List<ITransformer>();
        foreach (var transform in FeatureColumn.ToTransforms(ml, Columns, featuresColumn))
        {
            transforms.Add(transform.Fit(row));
            row = transforms[^1].Transform(row);
        }

        var features = new TransformerChain<ITransformer>([.. transforms]);
        return offsets is null ? features : new TransformerChain<ITransformer>(offsets, features);
    }

    /// <summary>The map as JSON, on one line.</summary>
    public string ToJson()
    {
        var isPlain = LabelNumbers is null
            && !Columns.Any(column => column is NumericFeature { Map.IsPlain: false } or NumericFeature { Numbers: not null });
        return JsonSerializer.Serialize(
            new FeatureMapDocument(
                Dates.Count > 0 ? FormatVersion
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

    /// <summary>A table with the parts of its dates as columns beside them.</summary>
    /// <remarks>Where all parts are there already, as in the columns of a pipeline, they are taken as they are.</remarks>
    /// <param name="table">The table.</param>
    /// <exception cref="TableException">It lacks columns, which are named all at once, or has a text among dates.</exception>
    public CsvTable TakeApart(CsvTable table)
    {
        DateColumn[] dates = [.. Dates.Where(date => date.Parts.Any(part => table.Find(part.Name) is null))];
        var parts = dates.SelectMany(date => date.Parts).Select(part => part.Name).ToHashSet();
        var missing = Columns.Select(column => column.Name).Where(name => !parts.Contains(name))
            .Concat(dates.Select(date => date.Name)).Where(name => table.Find(name) is null).ToList();
        if (missing.Count > 0)
            throw new TableException(
                $"{table.FilePath}: the model needs {(missing.Count == 1 ? "column" : "columns")} {NameList.Of(missing)}, "
                + $"which the table does not have; its columns are {table.ColumnNames}.");
        return table.With([.. dates.SelectMany(date => date.Read(table))]);
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
