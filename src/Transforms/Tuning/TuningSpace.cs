using System.Globalization;

namespace MlNetBatchNorm.Transforms.Tuning;

/// <summary>
/// The settings that are tried: for each dimension that the options leave open, what is usual and what else there is. A further dimension
/// is an entry in <see cref="All"/>.
/// </summary>
internal sealed class TuningSpace
{
    // So much of a trial stays as it is by default, which was chosen with care: what differs everywhere is seldom better.
    private const double ShareOfUsual = 0.5;

    // Drawings that were all there before, after which nothing new is looked for.
    private const int MostRepeats = 1000;

    // Above, the running variances of the batch normalizations behind a dropout are wrong.
    private const float MostHiddenDropout = 0.05f;

    private static readonly Dimension[] All =
    [
        Dimension.Of(
            "width",
            (given, _) => given.HiddenLayers is null && given.Network is null,
            usual => usual.HiddenLayers![0],
            usual => [usual.HiddenLayers![0] / 2, usual.HiddenLayers[0] * 2],
            (options, usual, units) => options with
            {
                HiddenLayers =
                    [.. Layers(options, usual).Select(of => (int)Math.Max(2, (long)of * units / usual.HiddenLayers![0]))],
            }),
        Dimension.Of(
            "depth",
            (given, _) => given.HiddenLayers is null && given.Network is null,
            usual => usual.HiddenLayers!.Count,
            _ => [1, 2, 3],
            (options, usual, depth) =>
            {
                var layers = Layers(options, usual);
                return options with { HiddenLayers = [.. Enumerable.Range(0, depth).Select(i => layers[Math.Min(i, layers.Count - 1)])] };
            }),
        Dimension.Of(
            "dropout",
            (given, _) => given is { Dropout: null, HiddenDropout: null, Network: null },
            usual => usual.Dropout ?? 0,
            _ => [0, 0.05f, 0.1f, 0.2f, 0.4f],
            (options, usual, rate) => options with
            {
                Dropout = rate, HiddenDropout = Math.Min(rate, Math.Min(usual.HiddenDropout ?? 0, MostHiddenDropout)),
            }),
        Dimension.Of(
            "rate",
            (given, _) => given.Optimizer is null,
            usual => usual.Optimizer!.LearningRate,
            usual => [.. new[] { 0.25f, 0.5f, 2, 4 }.Select(times => times * usual.Optimizer!.LearningRate)],
            (options, usual, rate) => options with
            {
                Optimizer = Optimizer.AdamW(rate, (options.Optimizer ?? usual.Optimizer!).WeightDecay),
            }),
        Dimension.Of(
            "decay",
            (given, _) => given.Optimizer is null,
            usual => usual.Optimizer!.WeightDecay,
            _ => [0, 0.001f, 0.03f, 0.1f, 0.3f],
            (options, usual, decay) => options with
            {
                Optimizer = Optimizer.AdamW((options.Optimizer ?? usual.Optimizer!).LearningRate, decay),
            }),
        Dimension.Of(
            "members",
            (given, usual) => given.Members is null && usual.Members > 1,
            usual => usual.Members!.Value,
            _ => [4, 16],
            (options, _, members) => options with { Members = members }),
        Dimension.Of(
            "weights",
            (given, usual) => !given.SharedWeights && usual.Members > 1 && given.Network is null,
            _ => "own",
            _ => ["shared"],
            (options, _, _) => options with { SharedWeights = true }),
        Dimension.Of(
            "numbers",
            (given, usual) => given.NumericEncoding is null && usual.Preset == Preset.Accurate,
            usual => usual.NumericEncoding!,
            _ =>
            [
                NumericEncoding.Standardize, NumericEncoding.PiecewiseLinear(16), NumericEncoding.PiecewiseLinear(32),
                NumericEncoding.Periodic(),
            ],
            (options, _, encoding) => options with { NumericEncoding = encoding }),
        Dimension.Of(
            "embeddings",
            (given, _) => given.EmbeddedFeatures.Count > 0 && given.EmbeddingScale == 1,
            _ => 1f,
            _ => [0.5f, 2],
            (options, _, scale) => options with { EmbeddingScale = scale }),
    ];

    private readonly BatchNormNetworkOptions _given;
    private readonly (string Name, IReadOnlyList<Choice> Choices)[] _dimensions;

    /// <param name="given">The options as they were given: what they say stays, what they leave open is tuned.</param>
    /// <param name="usual">The same with the defaults where they were left open.</param>
    /// <exception cref="ArgumentException">They leave nothing open.</exception>
    public TuningSpace(BatchNormNetworkOptions given, BatchNormNetworkOptions usual)
    {
        _given = given;
        _dimensions = [.. All.Where(dimension => dimension.IsOpen(given, usual))
            .Select(dimension => (dimension.Name, dimension.Choices(usual)))];
        if (_dimensions.Length == 0)
            throw new ArgumentException(
                $"There is nothing to tune: the options say all of {string.Join(", ", All.Select(dimension => dimension.Name))}. Leave "
                + "some of them out.",
                nameof(given));
    }

    /// <summary>The space as text: each dimension with its choices, what is usual first.</summary>
    public override string ToString() => string.Join(
        "; ",
        _dimensions.Select(dimension => $"{dimension.Name} {string.Join(' ', dimension.Choices.Select(choice => choice.Text))}"));

    /// <summary>
    /// Draws settings without end or until all are there: first what is usual in every dimension, then by chance. The same seed draws the
    /// same, however many are asked for.
    /// </summary>
    public IEnumerable<TuningSettings> Draw(int seed)
    {
        var random = new Random(seed);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var places = new int[_dimensions.Length];
        for (var repeats = 0; repeats < MostRepeats; repeats++)
        {
            var settings = Create(places, seen.Count + 1);
            if (seen.Add(string.Join(' ', places)))
            {
                repeats = 0;
                yield return settings;
            }

            for (var i = 0; i < places.Length; i++)
            {
                var others = _dimensions[i].Choices.Count - 1;
                places[i] = others == 0 || random.NextDouble() < ShareOfUsual ? 0 : 1 + random.Next(others);
            }
        }
    }

    private TuningSettings Create(int[] places, int number)
    {
        var (options, texts, changed) = (_given, new Dictionary<string, string>(StringComparer.Ordinal), new List<string>());
        for (var i = 0; i < places.Length; i++)
        {
            var (name, choices) = _dimensions[i];
            var choice = choices[places[i]];
            texts[name] = choice.Text;
            if (places[i] > 0) changed.Add($"{name} {choice.Text}");
            options = choice.Set(options);
        }

        return new TuningSettings(number, texts, changed.Count == 0 ? "the defaults" : string.Join(", ", changed), options);
    }

    private static IReadOnlyList<int> Layers(BatchNormNetworkOptions options, BatchNormNetworkOptions usual) =>
        options.HiddenLayers ?? usual.HiddenLayers!;

    /// <summary>A value of a dimension.</summary>
    private sealed record Choice(string Text, Func<BatchNormNetworkOptions, BatchNormNetworkOptions> Set);

    /// <summary>Something that can be set in one of several ways.</summary>
    private sealed record Dimension(
        string Name,
        Func<BatchNormNetworkOptions, BatchNormNetworkOptions, bool> IsOpen,
        Func<BatchNormNetworkOptions, IReadOnlyList<Choice>> Choices)
    {
        /// <param name="name">What it is called.</param>
        /// <param name="isOpen">Whether the options, as given and with the defaults, leave it open.</param>
        /// <param name="read">What it is in the options with the defaults.</param>
        /// <param name="others">What else it may be; the usual value among them does no harm.</param>
        /// <param name="set">Sets it: of the options so far, those with the defaults, and the value.</param>
        public static Dimension Of<T>(
            string name,
            Func<BatchNormNetworkOptions, BatchNormNetworkOptions, bool> isOpen,
            Func<BatchNormNetworkOptions, T> read,
            Func<BatchNormNetworkOptions, IReadOnlyList<T>> others,
            Func<BatchNormNetworkOptions, BatchNormNetworkOptions, T, BatchNormNetworkOptions> set)
            where T : notnull => new(name, isOpen, usual =>
            [
                new Choice(Text(read(usual)), options => options),
                .. others(usual).Where(value => !value.Equals(read(usual))).Select(
                    value => new Choice(Text(value), options => set(options, usual, value))),
            ]);

        private static string Text<T>(T value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? string.Empty;
    }
}

/// <summary>Settings that were drawn from a space.</summary>
/// <param name="Number">Their number, from 1, which is that of the defaults.</param>
/// <param name="Texts">The value of each dimension, by its name.</param>
/// <param name="Changes">What differs from the defaults, for people.</param>
/// <param name="Options">The options that were given, with these settings.</param>
internal sealed record TuningSettings(
    int Number, IReadOnlyDictionary<string, string> Texts, string Changes, BatchNormNetworkOptions Options);
