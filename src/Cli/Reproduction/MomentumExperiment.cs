using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Training;
using static System.FormattableString;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// How fast running statistics should follow the mini-batches: every momentum from 0 to 1, in PyTorch's convention and in Keras's, on one
/// and the same training, which does not look at them.
/// </summary>
internal sealed class MomentumExperiment : Experiment
{
    private const int Units = 64;
    private const int BatchSize = 64;
    private const float LearningRate = 0.1f;

    // Measured several times, this many steps apart, so that a figure is not that of one lucky mini-batch.
    private const int Looks = 5;
    private const int StepsBetween = 7;

    // In nats of the validation loss.
    private const double SmallGap = 0.01;

    private static readonly double Tolerance = new TrainingOptions().StatisticsTolerance;

    private static readonly float[] NewShares =
        [1, 0.5f, 0.2f, 0.1f, 0.05f, 0.02f, 0.01f, 0.005f, 0.002f, 0.001f, 0.0005f, 0.0002f, 0.0001f, 0];

    // The curves over training that can be told apart.
    private static readonly float[] Shown = [1, 0.1f, 0.01f, 0.001f, 0.0001f, 0];

    private static readonly ExperimentOption<IReadOnlyList<int>> Epochs =
        ExperimentOption.Numbers("--epochs", "EPOCHS", "when to look, in passes over the letters", [1, 5, 20], [1, 3]);

    /// <inheritdoc/>
    public override string Name => "momentum";

    /// <inheritdoc/>
    public override string Description =>
        "Follow one training with running statistics of every momentum from 0 to 1, and see what each would have given at inference.";

    /// <inheritdoc/>
    public override string Title => "The momentum of the running statistics";

    /// <inheritdoc/>
    public override string Introduction => Invariant(
        $"At inference a batch normalization needs a mean and a variance. Frameworks keep running averages of the mini-batches': r ← ")
        + "(1−p)·r + p·b. PyTorch calls p the momentum (default 0.1), Keras calls 1−p the momentum (default 0.99), and averages the biased "
        + "variance. The ideal are the statistics of the training rows under the weights as they are (Ioffe and Szegedy 2015, Algorithm "
        + Invariant($"2). Training looks at neither, so one training (letters, two hidden layers of {Units} units, mini-batches of ")
        + Invariant($"{BatchSize}, gradient descent with momentum 0.9 at rate 0.1) is followed by all of them at once; the gap is the ")
        + "validation loss on running statistics minus that on the ideal ones.";

    /// <inheritdoc/>
    public override ExperimentData Data => ExperimentData.Letters;

    /// <inheritdoc/>
    public override IReadOnlyList<ExperimentOption> Options => [Epochs];

    /// <inheritdoc/>
    public override void Run(ExperimentRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var (training, validation) = ExperimentData.ReadStandardizedLetters(run.Data);
        training = training.First(training.Count / BatchSize * BatchSize);
        var network = CreateNetwork(training);
        var perEpoch = training.Count / BatchSize;
        int[] ends = [.. run.Get(Epochs).Order().Select(epochs => epochs * perEpoch)];
        var looks = Places(ends);
        run.Expect(ends[^1]);

        List<Follower> followers =
        [
            .. NewShares.Select(share => new Follower(network, share, Convention.PyTorch)),
            .. NewShares.Select(share => new Follower(network, share, Convention.Keras)),
            .. NewShares.Where(share => share is > 0 and < 1).Select(share => new Follower(network, share, Convention.Corrected)),
        ];
        using var stepped = CreateTraining(network, training, ends[^1] / perEpoch, run.Seed);
        var gaps = new Dictionary<(Follower, int Step), Gap>();
        IReadOnlyDictionary<string, float[]> population = new Dictionary<string, float[]>();
        for (var step = 1; step <= ends[^1]; step++)
        {
            stepped.Advance(1);
            foreach (var follower in followers) follower.Follow(step, stepped.Parameter);
            run.Advance(1);
            if (!looks.Contains(step)) continue;
            population = stepped.MeasurePopulation();
            var ideal = stepped.Evaluate(validation, population);
            foreach (var follower in followers)
            {
                var measured = stepped.Evaluate(validation, follower.Values);
                gaps[(follower, step)] = new Gap(
                    measured.Loss - ideal.Loss, (ideal.MicroAccuracy - measured.MicroAccuracy) ?? double.NaN, ideal.Loss);
            }
        }

        Report(run, network, followers, gaps, ends, perEpoch, population);
    }

    /// <summary>The network: dense, batch normalization, relu, twice.</summary>
    internal static Network CreateNetwork(TrainingData rows) =>
        Network.FeedForward((int)rows.Shape.Count, [Units, Units], rows.Outputs, Activation.Relu);

    /// <summary>A training whose running statistics are those of the last mini-batch, so that others can be made of them.</summary>
    internal static SteppedTraining CreateTraining(
        Network network, TrainingData rows, int epochs, int seed, RunningStatistics? rule = null) =>
        new(network, Loss.SoftmaxCrossEntropy, rows, new TrainingOptions
        {
            BatchSize = BatchSize,
            Epochs = epochs,
            Optimizer = Optimizer.Sgd(LearningRate, momentum: 0.9f),
            Statistics = rule ?? RunningStatistics.PyTorch(1),
            Seed = seed,
        });

    // Ever fewer on the way, and several at each end.
    private static HashSet<int> Places(int[] ends)
    {
        var places = new HashSet<int>();
        for (var step = 1.0; step < ends[^1]; step *= 1.35) places.Add((int)step);
        foreach (var end in ends) places.UnionWith(Ends(end));
        return places;
    }

    private static IEnumerable<int> Ends(int end) =>
        Enumerable.Range(0, Looks).Select(look => end - (look * StepsBetween)).Where(step => step > 0);

    private static void Report(
        ExperimentRun run,
        Network network,
        List<Follower> followers,
        Dictionary<(Follower Follower, int Step), Gap> gaps,
        int[] ends,
        int perEpoch,
        IReadOnlyDictionary<string, float[]> population)
    {
        var results = followers.ConvertAll(follower => new Result(
            follower,
            [.. ends.Select(end => Ends(end).Average(step => gaps[(follower, step)].Loss))],
            Ends(ends[^1]).Average(step => gaps[(follower, step)].Accuracy),
            BatchNormDiagnosis.Distances(network, follower.Values, population).Values.Max(),
            follower.Warning(network)));
        var besides = ends.SelectMany(end => Ends(end).Skip(1)).ToHashSet();
        var steps = new PlottedAxis("step", "count", IsLogarithmic: true);
        var size = new PlottedAxis("gap of the validation loss", "absolute value", IsLogarithmic: true, From: 1e-4);
        run.Add(new PlottedFigure(
            "over-training",
            "The gap over training",
            Panel("as it is", Convention.PyTorch),
            Panel("with its start corrected", Convention.Corrected))
        {
            Caption = "p is the weight of the new value: PyTorch's momentum, 1 minus Keras's. With p = 0 the statistics stay at their "
                + "first values, 0 and 1; with p = 1 they are those of the last mini-batch.",
        });
        var share = new PlottedAxis("weight p of the new value", "1 minus Keras's momentum", IsLogarithmic: true);
        run.Add(new PlottedFigure(
            "nines",
            "Multiple nines",
            [.. new[] { Convention.PyTorch, Convention.Corrected }.Select(convention => new PlottedPanel(
                convention == Convention.PyTorch ? "as it is" : "with its start corrected",
                share,
                size,
                [.. ends.Select((end, i) => new PlottedLine(
                    Invariant($"after {Passes(end, perEpoch)} ({end:N0} steps)"),
                    PlottedSeries.Styles[i % PlottedSeries.Styles.Count],
                    [.. results.Where(result => result.Follower.Convention == convention && result.Follower.NewShare > 0)
                        .OrderBy(result => result.Follower.NewShare)
                        .Select(result => ((double)result.Follower.NewShare, Size(result.Losses[i])))],
                    HasDots: true))]))])
        {
            Caption = "From right to left each power of ten is another nine of Keras's momentum: 0.9, 0.99, 0.999. On the right the noise "
                + "of a few mini-batches, on the left weights long gone, or the first values.",
        });
        run.Add(
            [
                "PyTorch's momentum", "Keras's momentum", "start",
                .. ends.Select(end => $"gap after {Passes(end, perEpoch)}"),
                "accuracy lost", "distance", "the library says",
            ],
            [.. results.Where(result => result.Follower.Convention != Convention.Keras).Select(result => (string[])
            [
                Invariant($"{result.Follower.NewShare}"),
                Nines(result.Follower),
                result.Follower.Convention == Convention.Corrected ? "corrected" : "as it is",
                .. result.Losses.Select(loss => Invariant($"{loss:0.0000}")),
                Invariant($"{result.Accuracy:0.0000}"),
                Invariant($"{result.Distance:0.00}"),
                result.Says,
            ])]);
        Tell(run, results, ends, perEpoch);
        run.Metrics["rules"] = new JsonArray([.. results.Select(result => new JsonObject
        {
            ["newShare"] = result.Follower.NewShare,
            ["rule"] = result.Follower.Rule?.ToString(),
            ["convention"] = result.Follower.Convention.ToString(),
            ["lossGaps"] = new JsonArray([.. result.Losses.Select(loss => (JsonNode)loss)]),
            ["accuracyLost"] = result.Accuracy,
            ["distance"] = result.Distance,
            ["says"] = result.Says,
        })]);

        PlottedPanel Panel(string title, Convention convention) => new(title, steps, size, [.. Shown
            .Select((value, i) => (Value: value, Style: PlottedSeries.Styles[i]))
            .SelectMany(line => results
                .Where(result => result.Follower.Convention == convention && result.Follower.NewShare == line.Value)
                .Select(result => new PlottedLine(
                    Invariant($"p = {line.Value}"),
                    line.Style,
                    [.. gaps.Where(gap => gap.Key.Follower == result.Follower && !besides.Contains(gap.Key.Step))
                        .OrderBy(gap => gap.Key.Step)
                        .Select(gap => ((double)gap.Key.Step, Size(gap.Value.Loss)))])))]);
    }

    private static void Tell(ExperimentRun run, List<Result> results, int[] ends, int perEpoch)
    {
        for (var i = 0; i < ends.Length; i++)
        {
            run.Found(Invariant($"After {Passes(ends[i], perEpoch)} ({ends[i]:N0} steps) the gap is below {SmallGap} ")
                + $"{Range(Convention.PyTorch)}; with the start corrected {Range(Convention.Corrected)}.");

            string Range(Convention convention)
            {
                var small = results.Where(result => result.Follower.Convention == convention && Size(result.Losses[i]) < SmallGap)
                    .OrderBy(result => result.Follower.NewShare).Select(result => result.Follower).ToArray();
                return small.Length == 0
                    ? "nowhere"
                    : Invariant($"from PyTorch's momentum {small[0].NewShare} to {small[^1].NewShare}, Keras's {Nines(small[0])} to ")
                        + Nines(small[^1]);
            }
        }

        var pairs =
            from keras in results
            where keras.Follower.Convention == Convention.Keras && keras.Says == Result.Nothing
            from other in results
            where other.Follower.Convention == Convention.PyTorch && other.Follower.NewShare == keras.Follower.NewShare
            select Math.Abs(keras.Losses[^1] - other.Losses[^1]);
        run.Found(Invariant(
            $"With the same p, Keras's biased variance moves the loss by {pairs.DefaultIfEmpty().Max():0.0e+0} at most where there is no ")
            + Invariant($"warning (mini-batches of {BatchSize})."));
        var rules = results.Where(result => result.Follower.Rule is not null).ToLookup(result => result.Says == Result.Nothing);
        var (silent, warned) = (rules[true].ToList(), rules[false].ToList());
        run.Found(Invariant($"The library warns of {warned.Count} of {warned.Count + silent.Count} rules, and refuses p = 0.")
            + (silent.Count == 0 ? string.Empty : Invariant($" The largest gap without a warning is {silent.Max(Last):0.0000}."))
            + (warned.Count == 0 ? string.Empty : Invariant($" The smallest with one is {warned.Min(Last):0.0000}.")));

        static double Last(Result result) => Size(result.Losses[^1]);
    }

    // Keras's momentum.
    private static string Nines(Follower follower) => Invariant($"{1 - (decimal)follower.NewShare:0.####}");

    private static string Passes(int end, int perEpoch) => end == perEpoch ? "1 pass" : Invariant($"{end / perEpoch} passes");

    // Running statistics can be the better ones by chance: it is the size that matters, and a logarithm takes no 0.
    private static double Size(double gap) => Math.Max(Math.Abs(gap), 1e-7);

    /// <summary>Whose rule it is.</summary>
    internal enum Convention
    {
        /// <summary>PyTorch's: the momentum is the weight of the new value, the variance unbiased.</summary>
        PyTorch,

        /// <summary>Keras's: the momentum is the weight of the old value, the variance biased.</summary>
        Keras,

        /// <summary>PyTorch's with its start corrected.</summary>
        Corrected,
    }

    private sealed record Gap(double Loss, double Accuracy, double Ideal);

    private sealed record Result(Follower Follower, IReadOnlyList<double> Losses, double Accuracy, double Distance, string? Warning)
    {
        public const string Nothing = "–";

        public string Says => Warning ?? (Distance > Tolerance ? "warning: far from the training rows" : Nothing);
    }

    /// <summary>Running statistics beside a training: the library's own rule, applied to the mini-batches' statistics.</summary>
    internal sealed class Follower
    {
        private readonly string[] _means;
        private readonly string[] _variances;

        /// <param name="network">The network.</param>
        /// <param name="newShare">The weight of the new value; 0 = the library has no such rule, and statistics stay as they are.</param>
        /// <param name="convention">Whose rule it is.</param>
        public Follower(Network network, float newShare, Convention convention)
        {
            (NewShare, Convention) = (newShare, convention);
            try
            {
                Rule = convention switch
                {
                    Convention.PyTorch => RunningStatistics.PyTorch(newShare),
                    Convention.Keras => RunningStatistics.Keras((float)(1 - (decimal)newShare)),
                    _ => RunningStatistics.MovingAverage(newShare, correctStart: true),
                };
            }
            catch (ArgumentOutOfRangeException)
            {
                // What the library refuses is followed all the same, to show why.
            }

            var statistics = network.Parameters.Where(parameter => parameter.Role == ParameterRole.Statistic).ToArray();
            _means = [.. statistics.Select(parameter => parameter.Name).Where(name => name.EndsWith(".mean", StringComparison.Ordinal))];
            _variances = [.. statistics.Select(parameter => parameter.Name).Except(_means, StringComparer.Ordinal)];
            foreach (var parameter in statistics)
            {
                var values = new float[parameter.Count];
                parameter.Initializer.Fill(values, parameter.Shape, new Random(0));
                Values.Add(parameter.Name, values);
            }
        }

        /// <summary>The weight of the new value.</summary>
        public float NewShare { get; }

        /// <summary>Whose rule it is.</summary>
        public Convention Convention { get; }

        /// <summary>The library's rule; null = it refuses it.</summary>
        public RunningStatistics? Rule { get; }

        /// <summary>The running statistics by full name.</summary>
        public Dictionary<string, float[]> Values { get; } = new(StringComparer.Ordinal);

        /// <summary>What the library says before the first step; null = nothing.</summary>
        public string? Warning(Network network) =>
            Rule is null ? "refused: nothing is ever learned"
            : BatchNormDiagnosis.BeforeTraining(network, Rule, BatchSize)
                .Any(warning => warning.Kind == TrainingWarningKind.LastBatchStatistics)
            ? "warning: those of the last mini-batch alone"
            : null;

        /// <summary>Takes in a mini-batch of <see cref="BatchSize"/> rows.</summary>
        /// <param name="step">The number of the step, from 1.</param>
        /// <param name="batch">The mini-batch's mean and unbiased variance, by full name.</param>
        public void Follow(long step, Func<string, float[]> batch)
        {
            if (Rule is null) return;
            var rate = Rule.Rate(step);
            foreach (var name in _means) Move(Values[name], batch(name), 1, rate);
            foreach (var name in _variances)
                Move(Values[name], batch(name), Rule.UnbiasedVariance ? 1 : (BatchSize - 1f) / BatchSize, rate);
        }

        private static void Move(float[] values, float[] batch, float factor, float rate)
        {
            for (var i = 0; i < values.Length; i++) values[i] += rate * ((factor * batch[i]) - values[i]);
        }
    }
}
