using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>How much the rows of each class count in the loss. They do not change the figures of a validation or a test.</summary>
public abstract record ClassWeights
{
    private protected ClassWeights()
    {
    }

    /// <summary>
    /// Each class with the weight N/(K·n), for n of N rows (by their weights, where rows have weights) and K classes: all classes count the
    /// same.
    /// </summary>
    public static ClassWeights Balanced { get; } = new BalancedWeights();

    /// <summary>A weight for each class by its name; classes that are not named have the weight 1.</summary>
    /// <param name="weights">Finite numbers above 0. The classes of a Boolean label are <c>false</c> and <c>true</c>.</param>
    public static ClassWeights Of(IReadOnlyDictionary<string, float> weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        foreach (var (name, weight) in weights)
            if (weight is not (> 0 and < float.PositiveInfinity))
                throw new ArgumentOutOfRangeException(
                    nameof(weights), weight, $"The weight of the class '{name}' is not a finite number above 0.");
        return new NamedWeights(new Dictionary<string, float>(weights, StringComparer.Ordinal));
    }

    /// <summary>Reads <c>balanced</c>, or weights by the names of classes as <c>Yes=3,No=1</c>.</summary>
    /// <exception cref="FormatException">It is neither.</exception>
    public static ClassWeights Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Trim().Equals("balanced", StringComparison.OrdinalIgnoreCase)) return Balanced;
        var weights = new Dictionary<string, float>(StringComparer.Ordinal);
        foreach (var part in text.Split(','))
        {
            var equals = part.LastIndexOf('=');
            if (equals < 1 || !float.TryParse(part[(equals + 1)..], CultureInfo.InvariantCulture, out var weight)
                || !weights.TryAdd(part[..equals].Trim(), weight))
                throw new FormatException(
                    $"'{text}' does not say how classes count; write balanced, or each class once with its weight, as Yes=3,No=1.");
        }

        return Of(weights);
    }

    /// <summary>Reads a text as <see cref="Parse"/> does, without an exception.</summary>
    /// <param name="text">The text; null is none.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ClassWeights? result) => Choice.TryParse(Parse, text, out result);

    /// <summary>The weights as <see cref="Parse"/> reads them: <c>balanced</c>, <c>Yes=3,No=1</c>.</summary>
    public sealed override string ToString() => Text;

    private protected abstract string Text { get; }

    /// <summary>The weights, in the order of the classes.</summary>
    /// <param name="classes">The names of the classes.</param>
    /// <param name="rows">The rows to learn from: one target of 0 or 1 where there are two classes, one for each class otherwise.</param>
    /// <exception cref="ArgumentException">A class that was named is not there.</exception>
    internal abstract IReadOnlyList<float> For(IReadOnlyList<string> classes, TrainingData rows);

    /// <summary>The same weights for classes that go by other names.</summary>
    /// <param name="from">The names in these weights.</param>
    /// <param name="to">The names to use, in the same order.</param>
    /// <exception cref="ArgumentException">A class that was named is not there.</exception>
    internal virtual ClassWeights Rename(IReadOnlyList<string> from, IReadOnlyList<string> to) => this;

    private sealed record BalancedWeights : ClassWeights
    {
        private protected override string Text => "balanced";

        internal override IReadOnlyList<float> For(IReadOnlyList<string> classes, TrainingData rows)
        {
            ArgumentNullException.ThrowIfNull(classes);
            ArgumentNullException.ThrowIfNull(rows);
            var sums = new double[classes.Count];
            for (var row = 0; row < rows.Count; row++)
            {
                var target = rows.Target(row);
                var weight = rows.WeightArray?[row] ?? 1.0;
                for (var k = 0; k < sums.Length; k++)
                    sums[k] += weight * (target.Length > 1 ? target[k] : k == 1 ? target[0] : 1 - target[0]);
            }

            // A class without rows never comes up; any weight will do.
            return [.. sums.Select(sum => sum > 0 ? (float)(sums.Sum() / (sums.Length * sum)) : 1)];
        }
    }

    private sealed record NamedWeights(Dictionary<string, float> Weights) : ClassWeights
    {
        private protected override string Text =>
            string.Join(',', Weights.Select(weight => string.Create(CultureInfo.InvariantCulture, $"{weight.Key}={weight.Value}")));

        internal override IReadOnlyList<float> For(IReadOnlyList<string> classes, TrainingData rows)
        {
            RequireKnown(classes);
            return [.. classes.Select(name => Weights.GetValueOrDefault(name, 1))];
        }

        internal override ClassWeights Rename(IReadOnlyList<string> from, IReadOnlyList<string> to)
        {
            ArgumentNullException.ThrowIfNull(from);
            ArgumentNullException.ThrowIfNull(to);
            RequireKnown(from);
            return Of(from.Zip(to).ToDictionary(pair => pair.Second, pair => Weights.GetValueOrDefault(pair.First, 1)));
        }

        private void RequireKnown(IReadOnlyList<string> classes)
        {
            if (Weights.Keys.FirstOrDefault(name => !classes.Contains(name)) is { } unknown)
                throw new ArgumentException(
                    $"A weight is given for the class '{unknown}', but the classes are {string.Join(", ", classes)}.");
        }
    }
}
