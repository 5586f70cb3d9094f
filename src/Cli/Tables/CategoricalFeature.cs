using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// A column of categories: one feature per category, 1 in the rows that have it and 0 in the others (one-hot; all of them, also when there
/// are two). A row whose text is none of the categories has 0 in all of them.
/// </summary>
internal sealed class CategoricalFeature : FeatureColumn
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

    /// <summary>"(missing)", or with more parentheses where that is itself a category.</summary>
    internal static string MissingTextBeside(IReadOnlyCollection<string> categories)
    {
        var text = "(missing)";
        while (categories.Contains(text))
            text = $"({text})";
        return text;
    }
}
