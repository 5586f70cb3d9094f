using System.Numerics.Tensors;
using System.Text.Json.Serialization;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm;

/// <summary>
/// One layer at the end of one epoch, on some training rows that go through the network as in a step: batch normalizations take the
/// statistics of these rows, and dropout is on. See <see cref="TrainingOptions.Diagnostics"/>.
/// </summary>
/// <remarks>Of more than 2,039 values, percentiles and shares are those of 2,039 that lie evenly among them.</remarks>
public sealed class LayerDiagnostics
{
    /// <summary>The ends of a sigmoid: its slope there is below a fifth of its steepest, and so is that of tanh this far from ±½.</summary>
    internal const float SaturatedPart = 0.05f;

    // What gelu gives below −2.7 and silu below −6.4, where they are all but flat.
    private const float NearZero = 0.01f;

    // A prime, so that neighbouring channels are not passed over again and again.
    private const int MostValues = 2039;
    private const int ChunkValues = 4096;
    private const int FirstDecade = -12;
    private const int Decades = 15;

    /// <summary>Made by trainings alone; names and types are those in checkpoints.</summary>
    [JsonConstructor]
    internal LayerDiagnostics()
    {
    }

    /// <summary>The levels of <see cref="Percentiles"/>, in percent: 1, 5, 15, 50, 85, 95, 99.</summary>
    public static IReadOnlyList<int> PercentileLevels { get; } = [1, 5, 15, 50, 85, 95, 99];

    /// <summary>
    /// The lower ends of the parts of <see cref="GradientHistogram"/> but the first: 1e-12, 1e-11, … 100.
    /// </summary>
    public static IReadOnlyList<double> GradientLevels { get; } =
        [.. Enumerable.Range(FirstDecade, Decades).Select(decade => Math.Pow(10, decade))];

    /// <summary>The epoch, from 1.</summary>
    [JsonInclude]
    public int Epoch { get; internal init; }

    /// <summary>The layer, by its name in the network; in an ensemble it is that of all members side by side.</summary>
    [JsonInclude]
    public string Layer { get; internal init; } = string.Empty;

    /// <summary>Its kind, one word in lower case: <c>dense</c>, <c>batchnorm</c>, <c>relu</c>.</summary>
    [JsonInclude]
    public string Kind { get; internal init; } = string.Empty;

    /// <summary>Its units: the features or channels that it gives.</summary>
    [JsonInclude]
    public int Units { get; internal init; }

    /// <summary>How many values it gave: rows, times units, times positions.</summary>
    [JsonInclude]
    public int Values { get; internal init; }

    /// <summary>The mean of what it gave.</summary>
    [JsonInclude]
    public double Mean { get; internal init; }

    /// <summary>The standard deviation of what it gave, over all units together, √(Σ(x−μ)²/n).</summary>
    [JsonInclude]
    public double StandardDeviation { get; internal init; }

    /// <summary>
    /// The percentiles of what it gave, at the <see cref="PercentileLevels"/>, between two values by a straight line (NumPy's
    /// <c>linear</c>).
    /// </summary>
    [JsonInclude]
    public IReadOnlyList<double> Percentiles { get; internal init; } = [];

    /// <summary>The share of exact zeros in what it gave, from 0 to 1.</summary>
    [JsonInclude]
    public double Zeros { get; internal init; }

    /// <summary>
    /// For a sigmoid the share of values below 0.05 or above 0.95, for tanh below −0.9 or above 0.9: the slope there is below a fifth of
    /// the steepest. Null for other layers.
    /// </summary>
    [JsonInclude]
    public double? Saturated { get; internal init; }

    /// <summary>
    /// Units that hardly learn: for relu those that give 0 for every row, so that no gradient comes back; for gelu and silu those that stay
    /// within 0.01 of it; for a sigmoid or tanh those that are saturated at the same end for every row. Null for other layers.
    /// </summary>
    [JsonInclude]
    public int? DeadUnits { get; internal init; }

    /// <summary>The length of the gradient of the mean loss with respect to what the layer gives, √(Σg²).</summary>
    [JsonInclude]
    public double GradientNorm { get; internal init; }

    /// <summary>
    /// How large the elements of that gradient are: the share that is exactly 0, then for each of the <see cref="GradientLevels"/> the
    /// share whose magnitude is from there to the next. What is smaller counts in the first of them, what is larger in the last.
    /// </summary>
    [JsonInclude]
    public IReadOnlyList<double> GradientHistogram { get; internal init; } = [];

    /// <summary>The length of the layer's weights (without biases, gamma and beta), √(Σw²); null where it has none.</summary>
    [JsonInclude]
    public double? WeightNorm { get; internal init; }

    /// <summary>The length of the gradient of the mean loss with respect to these weights; null where there are none.</summary>
    [JsonInclude]
    public double? WeightGradientNorm { get; internal init; }

    /// <summary>
    /// How far the last step of the epoch moved these weights, in relation to their length: ‖w′ − w‖ / ‖w‖. About 1e-3 is usual. Null where
    /// there are none, or all are 0.
    /// </summary>
    [JsonInclude]
    public double? UpdateRatio { get; internal init; }

    /// <summary>The least, the mean and the largest gamma of a batch normalization; empty for other layers and without gamma.</summary>
    [JsonInclude]
    public IReadOnlyList<double> Gamma { get; internal init; } = [];

    /// <summary>The least, the mean and the largest beta of a batch normalization; empty for other layers and without beta.</summary>
    [JsonInclude]
    public IReadOnlyList<double> Beta { get; internal init; } = [];

    /// <summary>
    /// How far the running statistics of a batch normalization are from those of the rows, in standard deviations; see
    /// <see cref="TrainingOptions.StatisticsTolerance"/>. Null for other layers, and where they are frozen.
    /// </summary>
    [JsonInclude]
    public double? StatisticsDistance { get; internal init; }

    /// <summary>The length of the gradient for each value, which layers of different sizes can be compared by.</summary>
    internal double GradientSize => GradientNorm / Math.Sqrt(Values);

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant(
        $"epoch {Epoch}, {Layer}: {Mean:G4} ± {StandardDeviation:G4}, gradient {GradientNorm:G4}");

    /// <summary>Sums up what a layer gave and got back.</summary>
    /// <param name="epoch">The epoch.</param>
    /// <param name="site">The layer.</param>
    /// <param name="given">What it gave, <c>[N, …]</c>.</param>
    /// <param name="gradient">The gradient with respect to that.</param>
    /// <param name="parameters">What is known of its parameters.</param>
    internal static LayerDiagnostics Of(int epoch, LayerSite site, float[] given, float[] gradient, ParameterDiagnostics parameters)
    {
        var activation = (site.Layer as ActivationLayer)?.Function;
        var (middle, half) = activation == Activation.Sigmoid ? (0.5f, 0.5f) : (0f, 1f);
        var end = half * (1 - (2 * SaturatedPart));
        var saturates = activation == Activation.Sigmoid || activation == Activation.Tanh;
        var values = Thin(given);
        Array.Sort(values);
        var mean = Sum(given, 0, isSquare: false) / given.Length;
        return new LayerDiagnostics
        {
            Epoch = epoch,
            Layer = site.Name,
            Kind = site.Layer.Kind,
            Units = (int)site.Output.Channels,
            Values = given.Length,
            Mean = mean,
            StandardDeviation = Math.Sqrt(Sum(given, (float)mean, isSquare: true) / given.Length),
            Percentiles = [.. PercentileLevels.Select(level => Percentile(values, level))],
            Zeros = Share(values, value => value == 0),
            Saturated = saturates ? Share(values, value => Math.Abs(value - middle) > end) : null,
            DeadUnits = saturates ? CountDead(site, given, (least, most) => most < middle - end || least > middle + end)
                : activation == Activation.Relu ? CountDead(site, given, (_, most) => most <= 0)
                : activation == Activation.Gelu || activation == Activation.Silu
                    ? CountDead(site, given, (least, most) => least > -NearZero && most < NearZero)
                : null,
            GradientNorm = Norm(gradient),
            GradientHistogram = Histogram(Thin(gradient)),
            WeightNorm = parameters.WeightNorm,
            WeightGradientNorm = parameters.WeightGradientNorm,
            UpdateRatio = parameters.UpdateRatio,
            Gamma = parameters.Gamma,
            Beta = parameters.Beta,
            StatisticsDistance = parameters.StatisticsDistance,
        };
    }

    /// <summary>The length of a vector.</summary>
    internal static double Norm(ReadOnlySpan<float> values) => Math.Sqrt(Sum(values, 0, isSquare: true));

    // In float64 from chunk to chunk: a float32 sum of a hundred thousand values would lose digits.
    private static double Sum(ReadOnlySpan<float> values, float offset, bool isSquare)
    {
        var sum = 0.0;
        Span<float> chunk = stackalloc float[Math.Min(values.Length, ChunkValues)];
        for (var start = 0; start < values.Length; start += ChunkValues)
        {
            var part = values.Slice(start, Math.Min(ChunkValues, values.Length - start));
            if (isSquare && offset != 0)
            {
                TensorPrimitives.Subtract(part, offset, chunk);
                sum += TensorPrimitives.SumOfSquares<float>(chunk[..part.Length]);
            }
            else
            {
                sum += isSquare ? TensorPrimitives.SumOfSquares(part) : TensorPrimitives.Sum(part);
            }
        }

        return sum;
    }

    private static float[] Thin(float[] values)
    {
        if (values.Length <= MostValues) return [.. values];
        var thinned = new float[MostValues];
        for (var i = 0; i < thinned.Length; i++) thinned[i] = values[(int)((long)i * values.Length / MostValues)];
        return thinned;
    }

    private static double Percentile(float[] sorted, int level)
    {
        var place = level / 100.0 * (sorted.Length - 1);
        var below = (int)place;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((place - below) * ((double)sorted[above] - sorted[below]));
    }

    private static double Share(float[] values, Func<float, bool> counts) => (double)values.Count(counts) / values.Length;

    private static double[] Histogram(float[] gradient)
    {
        var counts = new int[Decades + 1];
        foreach (var value in gradient)
            counts[value == 0 ? 0 : 1 + Math.Clamp((int)Math.Floor(Math.Log10(Math.Abs(value))) - FirstDecade, 0, Decades - 1)]++;
        return Array.ConvertAll(counts, count => (double)count / gradient.Length);
    }

    private static int CountDead(LayerSite site, float[] given, Func<float, float, bool> isDead)
    {
        var (units, positions) = ((int)site.Output.Channels, (int)site.Output.Positions);
        var (least, most) = (new float[units], new float[units]);
        Array.Fill(least, float.PositiveInfinity);
        Array.Fill(most, float.NegativeInfinity);
        for (var start = 0; start < given.Length; start += units * positions)
        {
            var row = given.AsSpan(start, units * positions);
            if (positions == 1)
            {
                TensorPrimitives.Min(least, row, least);
                TensorPrimitives.Max(most, row, most);
                continue;
            }

            for (var unit = 0; unit < units; unit++)
            {
                var channel = row.Slice(unit * positions, positions);
                least[unit] = Math.Min(least[unit], TensorPrimitives.Min<float>(channel));
                most[unit] = Math.Max(most[unit], TensorPrimitives.Max<float>(channel));
            }
        }

        var dead = 0;
        for (var unit = 0; unit < units; unit++)
            if (isDead(least[unit], most[unit])) dead++;
        return dead;
    }
}

/// <summary>What a <see cref="LayerDiagnostics"/> says of parameters.</summary>
internal sealed record ParameterDiagnostics(
    double? WeightNorm,
    double? WeightGradientNorm,
    double? UpdateRatio,
    IReadOnlyList<double> Gamma,
    IReadOnlyList<double> Beta,
    double? StatisticsDistance);
