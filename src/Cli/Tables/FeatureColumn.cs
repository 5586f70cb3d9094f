using System.Text.Json.Serialization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// How one column of a table becomes features: for the encoder, which makes the features of all rows in training, testing and scoring, and
/// as ML.NET's own transforms, which make the same of raw columns in a pipeline that is saved or exported.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(NumericFeature), "numeric")]
[JsonDerivedType(typeof(CategoricalFeature), "categorical")]
[JsonDerivedType(typeof(EmbeddedFeature), "embedded")]
internal abstract class FeatureColumn
{
    // For fewer, the transforms of each column stay what they are called by.
    private const int ManyNumbers = 1000;

    private protected FeatureColumn(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Name = name;
    }

    /// <summary>The column of the table.</summary>
    [JsonPropertyOrder(-1)]
    public string Name { get; }

    /// <summary>How many features it becomes.</summary>
    [JsonIgnore]
    public abstract int FeatureCount { get; }

    /// <summary>Names of the features, for people: <c>tenure</c>, or <c>contract=One year</c> for each category.</summary>
    [JsonIgnore]
    public abstract IReadOnlyList<string> FeatureNames { get; }

    /// <summary>The type of the raw column as ML.NET data.</summary>
    [JsonIgnore]
    public abstract PrimitiveDataViewType RawType { get; }

    /// <summary>A text that the column may have, from which the transforms learn what there is to learn.</summary>
    [JsonIgnore]
    public abstract string Prototype { get; }

    /// <summary>As what its cells are best read where many rows go by.</summary>
    [JsonIgnore]
    public virtual CellReading Reading => CellReading.Text;

    /// <summary>The features that each different text of the column in a table means.</summary>
    /// <param name="table">The table.</param>
    /// <param name="offset">The first of the features in the vector.</param>
    /// <param name="unknown">Takes up what was not there in training.</param>
    /// <exception cref="TableException">A text cannot be a value of the column.</exception>
    public abstract BoundColumn Bind(CsvTable table, int offset, ICollection<UnknownValues> unknown);

    /// <summary>The raw column of a table as ML.NET data: what the transforms take.</summary>
    /// <exception cref="TableException">A text cannot be a value of the column.</exception>
    public abstract ViewColumn View(CsvTable table);

    /// <summary>The transforms that make one column of features of raw columns, which they replace in place on the way.</summary>
    /// <remarks>
    /// Columns that are alike share one: every transform of a chain costs each row a step. Of so many numbers that what ML.NET does for
    /// each pair of columns would be felt, those that stand side by side become one vector first.
    /// </remarks>
    /// <param name="ml">A context.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="featuresColumn">The column of the features.</param>
    public static IEnumerable<IEstimator<ITransformer>> ToTransforms(
        MLContext ml, IReadOnlyList<FeatureColumn> columns, string featuresColumn)
    {
        var parts = columns.Select(column => NameAsFeature(column, columns)).ToList();
        string[] numbers = [.. columns.OfType<NumericFeature>().Select(column => column.Name)];
        if (numbers.Length > ManyNumbers)
        {
            var vectors = new List<string>();
            parts.Clear();
            for (var (first, next) = (0, 0); first < columns.Count; first = next)
            {
                next = first + 1;
                if (columns[first] is not NumericFeature)
                {
                    parts.Add(NameAsFeature(columns[first], columns));
                    continue;
                }

                while (next < columns.Count && columns[next] is NumericFeature) next++;
                var name = next - first == columns.Count ? featuresColumn : $"{featuresColumn} {first + 1} to {next}";
                while (name != featuresColumn && columns.Any(column => column.Name == name)) name += "'";
                yield return ml.Transforms.Concatenate(name, [.. columns.Skip(first).Take(next - first).Select(column => column.Name)]);
                vectors.Add(name);
                parts.Add(name);
            }

            numbers = [.. vectors];
        }

        if (numbers.Length > 0)
            yield return ml.Transforms.ReplaceMissingValues(
                [.. numbers.Select(name => new InputOutputColumnPair(name))], MissingValueReplacingEstimator.ReplacementMode.Mean);
        foreach (var embedded in columns.OfType<EmbeddedFeature>())
        {
            var codes = embedded.AllCategories.Select((category, place) => KeyValuePair.Create(category, place + 1f));
            yield return ml.Transforms.Conversion.MapValue(NameAsFeature(embedded, columns), codes, embedded.Name);
        }

        var flags = columns.OfType<CategoricalFeature>().Where(column => column is not EmbeddedFeature);
        foreach (var alike in flags.GroupBy(column => string.Join('\0', column.AllCategories)))
        {
            // Keys in the order given.
            var keys = ml.Data.LoadFromEnumerable(alike.First().AllCategories.Select(category => new CategoryKey { Category = category }));
            InputOutputColumnPair[] pairs = [.. alike.Select(column => new InputOutputColumnPair(column.Name))];
            yield return ml.Transforms.Categorical.OneHotEncoding(pairs, keyData: keys);
        }

        if (parts is not [var only] || only != featuresColumn) yield return ml.Transforms.Concatenate(featuresColumn, [.. parts]);
    }

    /// <summary>
    /// What a column is called behind <see cref="ToTransforms"/>: as before, but for an embedded one, since ML.NET's converter makes a
    /// graph that reads a value of nobody's where MapValue replaces its own column.
    /// </summary>
    /// <param name="column">The column.</param>
    /// <param name="columns">All columns.</param>
    public static string NameAsFeature(FeatureColumn column, IReadOnlyList<FeatureColumn> columns)
    {
        if (column is not EmbeddedFeature) return column.Name;
        var name = $"{column.Name} (number)";
        while (columns.Any(other => other.Name == name)) name = $"({name})";
        return name;
    }

    /// <summary>
    /// The transforms that take offsets off in float64 before numbers become float32, in place, for the columns that have any; null where
    /// none has. They are fitted apart from the others: of the two rows of each column that say what they know, no mean may be taken.
    /// </summary>
    public static ITransformer? ToFloat32(MLContext ml, IReadOnlyList<FeatureColumn> columns)
    {
        NumericFeature[] mapped = [.. columns.OfType<NumericFeature>().Where(column => !column.Map.IsPlain)];
        if (mapped.Length == 0) return null;
        InputOutputColumnPair[] pairs = [.. mapped.Select(column => new InputOutputColumnPair(column.Name))];
        return ml.Transforms.NormalizeMinMax(pairs, fixZero: false)
            .Append<ITransformer>(ml.Transforms.Conversion.ConvertType(pairs, DataKind.Single))
            .Fit(TableDataView.OfNumbers([.. mapped.Select(column => (column.Name, column.Bounds))]));
    }

    /// <summary>A row of the one-column data view that OneHotEncoding takes its keys from.</summary>
    private sealed class CategoryKey
    {
        public required string Category { get; init; }
    }
}

/// <summary>A column of numbers: one feature, the number itself, or what is left of it when an offset is taken off.</summary>
internal sealed class NumericFeature : FeatureColumn
{
    /// <summary>Describes a column of numbers.</summary>
    /// <param name="name">The column of the table.</param>
    /// <param name="imputedValue">The number where the table has no value.</param>
    /// <param name="offset">What is taken off before the number becomes float32; null = nothing.</param>
    /// <param name="scale">What it is multiplied with then, a power of two; null = 1.</param>
    /// <param name="numbers">How the numbers are written; null = as programs write them.</param>
    [JsonConstructor]
    public NumericFeature(string name, double imputedValue, double? offset = null, double? scale = null, NumberFormat? numbers = null)
        : base(name)
    {
        Numbers = NumberFormat.Plain.Equals(numbers) ? null : numbers;
        Map = new Float32Map(offset ?? 0, scale ?? 1);
        if (!double.IsFinite(Map.Offset) || !double.IsNormal(Map.Scale) || Map.Scale < 0)
            throw new ArgumentOutOfRangeException(
                nameof(offset), $"The offset and the scale of column '{name}' must be finite numbers, and the scale above 0.");
        if (!float.IsFinite(Map.Apply(imputedValue)))
            throw new ArgumentOutOfRangeException(
                nameof(imputedValue), imputedValue, $"The imputed value of column '{name}' must be a finite number.");
        ImputedValue = imputedValue;
    }

    /// <summary>The number where the table has no value: the mean of the training table.</summary>
    [JsonPropertyName("imputed")]
    public double ImputedValue { get; }

    /// <summary>What is taken off the number in float64 before it becomes float32; null = nothing.</summary>
    public double? Offset => Map.Offset == 0 ? null : Map.Offset;

    /// <summary>What it is multiplied with then, before it becomes float32; null = 1.</summary>
    public double? Scale => Map.Scale == 1 ? null : Map.Scale;

    /// <summary>How the number becomes a feature.</summary>
    [JsonIgnore]
    public Float32Map Map { get; }

    /// <summary>The numbers that become 0 and 1.</summary>
    [JsonIgnore]
    public double[] Bounds => [Map.Offset, Map.Offset + (1 / Map.Scale)];

    /// <summary>How the numbers are written; null = as programs write them (<see cref="NumberFormat.Plain"/>).</summary>
    public NumberFormat? Numbers { get; }

    private NumberFormat Format => Numbers ?? NumberFormat.Plain;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureCount => 1;

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyList<string> FeatureNames => [Name];

    /// <inheritdoc/>
    [JsonIgnore]
    public override PrimitiveDataViewType RawType => Map.IsPlain ? NumberDataViewType.Single : NumberDataViewType.Double;

    /// <summary>The imputed value: the mean of this one row is exactly that.</summary>
    [JsonIgnore]
    public override string Prototype => Format.Write(ImputedValue);

    /// <inheritdoc/>
    [JsonIgnore]
    public override CellReading Reading => Format switch
    {
        { GroupMark: null, Unit: null, DecimalMark: '.' } => CellReading.Point,
        { GroupMark: null, Unit: null, DecimalMark: ',' } => CellReading.Comma,
        _ => CellReading.Text,
    };

    /// <inheritdoc/>
    public override BoundColumn Bind(CsvTable table, int offset, ICollection<UnknownValues> unknown)
    {
        var column = table.Column(Name).ReadAs(Format);
        if (column.Numbers is not null)
        {
            RequireFinite(table, column);
            return new(column, offset, ImputedValue, Map);
        }

        var values = Array.ConvertAll(column.ReadNumbers(table, ImputedValue), Map.Apply);
        RequireFinite(table, column, values);
        var slots = new int[values.Length];
        Array.Fill(slots, offset);
        return new(column.Codes, slots, values);
    }

    /// <summary>Single, or Double where an offset is taken off; NaN where missing.</summary>
    public override ViewColumn View(CsvTable table)
    {
        var column = table.Column(Name).ReadAs(Format);
        if (column.Numbers is not null)
        {
            RequireFinite(table, column);
            return Map.IsPlain
                ? new NumberColumn<float>(Name, RawType, row => Map.Apply(column.NumberAt(row)))
                : new NumberColumn<double>(Name, RawType, column.NumberAt);
        }

        var numbers = column.ReadNumbers(table, double.NaN);
        var values = Array.ConvertAll(numbers, Map.Apply);
        RequireFinite(table, column, values);
        return Map.IsPlain
            ? new ViewColumn<float>(Name, RawType, values, column.Codes)
            : new ViewColumn<double>(Name, RawType, numbers, column.Codes);
    }

    // Only of numbers far beyond those that the map was made for.
    private void RequireFinite(CsvTable table, TableColumn column, float[] values)
    {
        for (var code = 0; code < values.Length; code++)
            if (float.IsInfinity(values[code]) && column.FirstRowWith(code) is >= 0 and var row) throw TooLarge(table, column, row);
    }

    private void RequireFinite(CsvTable table, TableColumn column)
    {
        if (float.IsFinite(Map.Apply(column.Numbers!.Traits.Most)) && float.IsFinite(Map.Apply(-column.Numbers.Traits.Most))) return;
        for (var row = 0; row < column.Count; row++)
            if (float.IsInfinity(Map.Apply(column.NumberAt(row)))) throw TooLarge(table, column, row);
    }

    private TableException TooLarge(CsvTable table, TableColumn column, int row) => table.CellError(
        row,
        Name,
        $"{NameList.Quote(column[row])} is more than a feature of this column, float32, can be; fix it or leave the field empty.");
}

/// <summary>
/// A column of categories: one feature per category, 1 in the rows that have it and 0 in the others (one-hot; all of them, also when there
/// are two). A row whose text is none of the categories has 0 in all of them.
/// </summary>
internal class CategoricalFeature : FeatureColumn
{
    /// <summary>Describes a column of categories.</summary>
    /// <param name="name">The column of the table.</param>
    /// <param name="categories">The categories in the order of their features.</param>
    /// <param name="missingCategory">The name of one more category, the last, for rows without a value; null for none.</param>
    [JsonConstructor]
    public CategoricalFeature(string name, IReadOnlyList<string> categories, string? missingCategory = null)
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(categories);
        Categories = categories;
        MissingCategory = missingCategory;
        var all = AllCategories;
        if (all.Any(string.IsNullOrEmpty) || all.Distinct().Count() != all.Count)
            throw new ArgumentException($"The categories of column '{name}' must be different and not empty.", nameof(categories));
    }

    /// <summary>The categories in the order of their features, without <see cref="MissingCategory"/>.</summary>
    public IReadOnlyList<string> Categories { get; }

    /// <summary>
    /// The name of the last category, for rows without a value; null when the training table had a value in every row. It is a visible text
    /// because ML.NET takes an empty one for "no key" and would leave the category out.
    /// </summary>
    [JsonPropertyName("missing")]
    public string? MissingCategory { get; }

    /// <summary><see cref="Categories"/> and then <see cref="MissingCategory"/>, if there is one: a name for each feature.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> AllCategories => MissingCategory is null ? Categories : [.. Categories, MissingCategory];

    /// <summary>What stands for "no value" where it must be a text: <see cref="MissingCategory"/>, or one that is no category.</summary>
    [JsonIgnore]
    public string MissingText => MissingCategory ?? MissingTextBeside(Categories);

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureCount => Categories.Count + (MissingCategory is null ? 0 : 1);

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyList<string> FeatureNames => [.. AllCategories.Select(category => $"{Name}={category}")];

    /// <inheritdoc/>
    [JsonIgnore]
    public override PrimitiveDataViewType RawType => TextDataViewType.Instance;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Prototype => MissingText;

    /// <summary>"(missing)", or with more parentheses where that is itself a category.</summary>
    public static string MissingTextBeside(IReadOnlyCollection<string> categories)
    {
        var text = "(missing)";
        while (categories.Contains(text)) text = $"({text})";
        return text;
    }

    /// <inheritdoc/>
    public override BoundColumn Bind(CsvTable table, int offset, ICollection<UnknownValues> unknown)
    {
        var column = table.Column(Name);
        var rows = column.CountRows();
        var slots = new int[rows.Length];
        var values = new float[rows.Length];
        var placeOf = new Dictionary<string, int>();
        foreach (var category in Categories) placeOf.Add(category, placeOf.Count);
        var missingPlace = MissingCategory is null ? -1 : Categories.Count;
        var (unknownRows, examples) = (0, new List<string>());
        for (var code = 0; code < slots.Length; code++)
        {
            var isMissing = column.Values[code].Kind == CellKind.Missing;
            var place = isMissing ? missingPlace : placeOf.GetValueOrDefault(column.Texts[code], -1);
            (slots[code], values[code]) = place < 0 ? (-1, 0) : FeatureOf(place, offset);
            if (slots[code] >= 0 || rows[code] == 0 || IsRare(isMissing ? null : column.Texts[code])) continue;
            unknownRows += rows[code];
            var example = isMissing ? MissingText : column.Texts[code];
            if (examples.Count < UnknownValues.MostExamples && !examples.Contains(example)) examples.Add(example);
        }

        if (unknownRows > 0) unknown.Add(new(Name, unknownRows, examples));
        return new(column.Codes, slots, values);
    }

    /// <summary>The feature of a category and its value.</summary>
    /// <param name="place">Which of <see cref="AllCategories"/>.</param>
    /// <param name="offset">The first of the column's features.</param>
    private protected virtual (int Slot, float Value) FeatureOf(int place, int offset) => (offset + place, 1);

    /// <summary>Whether a text that is none of the categories was there in training, in a few rows.</summary>
    /// <param name="text">The text; null where there is no value.</param>
    private protected virtual bool IsRare(string? text) => false;

    /// <summary>Text, <see cref="MissingText"/> where missing.</summary>
    public override ViewColumn View(CsvTable table)
    {
        var column = table.Column(Name);
        var missing = MissingText.AsMemory();
        var texts = new ReadOnlyMemory<char>[column.Texts.Length];
        for (var code = 0; code < texts.Length; code++)
            texts[code] = column.Values[code].Kind == CellKind.Missing ? missing : column.Texts[code].AsMemory();
        return new ViewColumn<ReadOnlyMemory<char>>(Name, RawType, texts, column.Codes);
    }
}

/// <summary>
/// A column of many categories: one feature, the number of the category, from 1, for which the network learns a vector. A row whose text is
/// none of the categories has 0, also where the text was there in training, but in too few rows to learn a vector from.
/// </summary>
internal sealed class EmbeddedFeature : CategoricalFeature
{
    private readonly HashSet<string> _rare;

    /// <summary>Describes a column of many categories.</summary>
    /// <param name="name">The column of the table.</param>
    /// <param name="categories">The categories in the order of their numbers.</param>
    /// <param name="missingCategory">The name of one more category, the last, for rows without a value; null for none.</param>
    /// <param name="rare">Texts that have no number, as few rows have them; null for none.</param>
    [JsonConstructor]
    public EmbeddedFeature(
        string name, IReadOnlyList<string> categories, string? missingCategory = null, IReadOnlyList<string>? rare = null)
        : base(name, categories, missingCategory)
    {
        Rare = rare is { Count: > 0 } ? rare : null;
        _rare = [.. rare ?? []];
    }

    /// <summary>The texts that have no number, as few rows of the training table have them; null for none.</summary>
    public IReadOnlyList<string>? Rare { get; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureCount => 1;

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyList<string> FeatureNames => [Name];

    /// <inheritdoc/>
    private protected override (int Slot, float Value) FeatureOf(int place, int offset) => (offset, place + 1);

    /// <inheritdoc/>
    private protected override bool IsRare(string? text) => text is not null && _rare.Contains(text);
}
