using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>How one column of a table becomes features.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(NumericFeature), "numeric")]
[JsonDerivedType(typeof(CategoricalFeature), "categorical")]
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
