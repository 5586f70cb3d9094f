using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>A column of numbers: one feature, the number itself.</summary>
internal sealed class NumericFeature : FeatureColumn
{
    /// <summary>Describes a column of numbers.</summary>
    /// <param name="name">The column of the table.</param>
    /// <param name="imputedValue">The feature where the table has no value.</param>
    [JsonConstructor]
    public NumericFeature(string name, float imputedValue)
        : base(name)
    {
        if (!float.IsFinite(imputedValue))
        {
            throw new ArgumentOutOfRangeException(
                nameof(imputedValue), imputedValue, $"The imputed value of column '{name}' must be a finite number.");
        }

        ImputedValue = imputedValue;
    }

    /// <summary>The feature where the table has no value: the mean of the training table.</summary>
    [JsonPropertyName("imputed")]
    public float ImputedValue { get; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureCount => 1;

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyList<string> FeatureNames => [Name];
}
