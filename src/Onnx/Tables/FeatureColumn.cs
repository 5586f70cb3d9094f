using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Onnx.Tables;

/// <summary>How one column of a table becomes features, in training, testing and scoring alike.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(NumericFeature), "numeric")]
[JsonDerivedType(typeof(CategoricalFeature), "categorical")]
[JsonDerivedType(typeof(EmbeddedFeature), "embedded")]
[JsonDerivedType(typeof(TextFeature), "text")]
internal abstract class FeatureColumn
{
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

    /// <summary>How the numbers are written.</summary>
    [JsonIgnore]
    public NumberFormat Format => Numbers ?? NumberFormat.Plain;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureCount => 1;

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyList<string> FeatureNames => [Name];

    /// <summary>The feature of a number.</summary>
    /// <param name="number">The number; NaN where there is none.</param>
    public float ValueOf(double number) => Map.Apply(double.IsNaN(number) ? ImputedValue : number);
}

/// <summary>
/// A column of categories: one feature per category, 1 in the rows that have it and 0 in the others (one-hot; all of them, also when there
/// are two). A row whose text is none of the categories has 0 in all of them.
/// </summary>
internal class CategoricalFeature : FeatureColumn
{
    private readonly TextPlaces _places;

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
        _places = new TextPlaces(categories);
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

    /// <summary>"(missing)", or with more parentheses where that is itself a category.</summary>
    public static string MissingTextBeside(IReadOnlyCollection<string> categories)
    {
        var text = "(missing)";
        while (categories.Contains(text)) text = $"({text})";
        return text;
    }

    /// <summary>Which of <see cref="AllCategories"/> a text is; -1 = none of them.</summary>
    /// <param name="text">The text, without white space around it; where it stands for "no value", none of them.</param>
    public int PlaceOf(ReadOnlySpan<char> text) => _places[text];

    /// <summary>Which of <see cref="AllCategories"/> a row without a value has; -1 = none of them.</summary>
    [JsonIgnore]
    public int MissingPlace => MissingCategory is null ? -1 : Categories.Count;

    /// <summary>The feature of a category and its value.</summary>
    /// <param name="place">Which of <see cref="AllCategories"/>.</param>
    /// <param name="offset">The first of the column's features.</param>
    public virtual (int Slot, float Value) FeatureOf(int place, int offset) => (offset + place, 1);

    /// <summary>Whether a text that is none of the categories was there in training, in a few rows.</summary>
    /// <param name="text">The text; null where there is no value.</param>
    public virtual bool IsRare(string? text) => false;
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
    public override (int Slot, float Value) FeatureOf(int place, int offset) => (offset, place + 1);

    /// <inheritdoc/>
    public override bool IsRare(string? text) => text is not null && _rare.Contains(text);
}
