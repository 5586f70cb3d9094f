using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Trainer.Training;
using static System.FormattableString;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// The variance shift (Li et al. 2018, arXiv 1801.05134): a dropout in front of a batch normalization makes the variance in training larger
/// than the one at inference, and the running statistics learn the former.
/// </summary>
internal sealed class DropoutExperiment : Experiment
{
    private const int Units = 128;
    private const int BatchSize = 128;
    private const float LearningRate = 3e-3f;
    private const string First = "batchnorm2";
    private const string Second = "batchnorm3";

    private static readonly double Tolerance = new TrainingOptions().StatisticsTolerance;

    private static readonly float[] Rates = [0, 0.05f, 0.1f, 0.2f, 0.3f, 0.5f, 0.7f];
    private static readonly float[] QuickRates = [0, 0.05f, 0.2f, 0.5f];

    private static readonly ExperimentOption<int> Epochs =
        ExperimentOption.Number("--epochs", "passes over the letters of each network", 15, 3, 1, 1000);

    /// <inheritdoc/>
    public override string Name => "dropout";

    /// <inheritdoc/>
    public override string Description =>
        "Put a dropout in front of batch normalizations, and measure how far the variance in training is from that at inference.";

    /// <inheritdoc/>
    public override string Title => "Dropout in front of a batch normalization";

    /// <inheritdoc/>
    public override string Introduction => Invariant(
        $"Li et al. (2018): dropout with rate r sets values to 0 and divides the others by 1−r. The mean stays, but the variance of what ")
        + "is behind it grows, in training only. A batch normalization there learns the larger variance, and at inference divides by it "
        + "though the dropout is gone. If y = Σ w·x over the values that are dropped, each for itself, the variance in training is Var(y) "
        + Invariant($"+ r/(1−r) · Σ w²·E(x²). Networks of three hidden layers of {Units} units (dense, batch normalization, relu) on ")
        + "letters, with a dropout in front of the second and the third: in front of their weights, between weights and normalization, or, "
        + "to compare, behind the last normalization alone.";

    /// <inheritdoc/>
    public override ExperimentData Data => ExperimentData.Letters;

    /// <inheritdoc/>
    public override IReadOnlyList<ExperimentOption> Options => [Epochs];

    /// <inheritdoc/>
    public override void Run(ExperimentRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var (training, test) = ExperimentData.ReadStandardizedLetters(run.Data);
        var (rates, epochs) = (run.IsQuick ? QuickRates : Rates, run.Get(Epochs));
        var trials = new List<Trial>();
        (Place Place, float Rate)[] tried =
            [.. Enum.GetValues<Place>().SelectMany(place => rates.Where(rate => rate > 0 || place == Place.BeforeWeights)
                .Select(rate => (place, rate)))];
        run.Expect((double)tried.Length * epochs * ((training.Count + BatchSize - 1) / BatchSize));
        foreach (var (place, rate) in tried)
        {
            run.At(Invariant($"rate {rate}, {Words(place)}"));
            trials.Add(Try(place, rate, training, test, epochs, run));
        }

        // Without any dropout all places are the same.
        var plain = trials.Single(trial => trial.Rate == 0);
        foreach (var place in Enum.GetValues<Place>().Where(place => place != plain.Place)) trials.Add(plain with { Place = place });
        Report(run, [.. trials.OrderBy(trial => trial.Place).ThenBy(trial => trial.Rate)]);
    }

    /// <summary>The network, with dropouts of a rate at a place.</summary>
    internal static Network CreateNetwork(TrainingData rows, Place place, float rate)
    {
        var network = Network.Input(rows.Shape.Count);
        for (var layer = 1; layer <= 3; layer++)
        {
            if (layer > 1 && place == Place.BeforeWeights) network = network.Dropout(rate);
            network = network.Dense(Units, bias: false, weights: Initializer.HeNormal);
            if (layer > 1 && place == Place.BeforeNormalization) network = network.Dropout(rate);
            network = network.BatchNorm().Relu();
        }

        if (place == Place.BehindTheLast) network = network.Dropout(rate);
        return network.Dense(rows.Outputs);
    }

    /// <summary>
    /// The share of the variance in training that is left at inference behind the first dropout, as the mean over the channels: by the
    /// formula from what the layers give at inference, and measured with the dropout on, over the same rows and weights.
    /// </summary>
    /// <param name="network">The network.</param>
    /// <param name="parameters">Its parameters, with population statistics.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="place">Where the dropout stands.</param>
    /// <param name="rate">Its rate.</param>
    /// <param name="seed">What it is drawn from.</param>
    internal static (double Formula, double Measured) Ratio(
        Network network, IReadOnlyDictionary<string, float[]> parameters, TrainingData rows, Place place, float rate, int seed)
    {
        if (place == Place.BehindTheLast) return (1, 1);
        using var still = new NetworkProbe(network, null, ProbeMode.Inference, gradients: false);
        using var noisy = new NetworkProbe(network, null, ProbeMode.Training, gradients: false, seed: seed);
        var calm = still.Read(name => parameters[name], rows.FeatureArray, [], rows.Count).Activations;
        var noise = noisy.Read(name => parameters[name], rows.FeatureArray, [], rows.Count).BatchStatistics[$"{First}.variance"];
        var (hidden, sums, weights) = (calm["relu1"], calm["dense2"], parameters["dense2.weight"]);
        var (formula, measured) = (0.0, 0.0);
        var squares = new double[Units];
        for (var i = 0; i < hidden.Length; i++) squares[i % Units] += (double)hidden[i] * hidden[i] / rows.Count;
        for (var unit = 0; unit < Units; unit++)
        {
            var (mean, square, dropped) = (0.0, 0.0, 0.0);
            for (var i = unit; i < sums.Length; i += Units)
            {
                mean += (double)sums[i] / rows.Count;
                square += (double)sums[i] * sums[i] / rows.Count;
            }

            var variance = square - (mean * mean);

            // What is dropped: each hidden value times its weight, or their sum as it is.
            if (place == Place.BeforeNormalization) dropped = square;
            else for (var k = 0; k < Units; k++) dropped += (double)weights[(k * Units) + unit] * weights[(k * Units) + unit] * squares[k];
            formula += variance / (variance + (rate / (1 - rate) * dropped)) / Units;
            measured += variance / noise[unit] / Units;
        }

        return (formula, measured);
    }

    private static Trial Try(Place place, float rate, TrainingData training, TrainingData test, int epochs, ExperimentRun run)
    {
        var network = CreateNetwork(training, place, rate);
        var statistics = RunningStatistics.PyTorch();
        using var stepped = new SteppedTraining(network, Loss.SoftmaxCrossEntropy, training, new TrainingOptions
        {
            BatchSize = BatchSize,
            Epochs = epochs,
            Optimizer = Optimizer.AdamW(LearningRate),
            Schedule = LearningRateSchedule.Cosine(),
            Statistics = statistics,
            Seed = run.Seed,
        });
        for (var epoch = 0; epoch < epochs; epoch++)
        {
            stepped.Advance(stepped.StepsPerEpoch);
            run.Advance(stepped.StepsPerEpoch);
        }

        var running = stepped.Parameters();
        var population = stepped.MeasurePopulation();
        Dictionary<string, float[]> calm = new(running, StringComparer.Ordinal);
        foreach (var (name, values) in population) calm[name] = values;
        var ratio = rate == 0 ? (1.0, 1.0) : Ratio(network, calm, training, place, rate, run.Seed);
        var distances = BatchNormDiagnosis.Distances(network, running, population);
        return new Trial(
            place,
            rate,
            ratio,
            Shift(First),
            Shift(Second),
            distances.Values.Max(),
            stepped.Evaluate(test).MicroAccuracy ?? double.NaN,
            stepped.Evaluate(test, population).MicroAccuracy ?? double.NaN,
            [.. BatchNormDiagnosis.BeforeTraining(network, statistics, BatchSize)
                .Where(warning => warning.Kind == TrainingWarningKind.DropoutBeforeBatchNorm).Select(warning => warning.Message)]);

        // Inference variance to that of the running statistics.
        double Shift(string layer) => population[$"{layer}.variance"]
            .Zip(running[$"{layer}.variance"], (value, learned) => (double)value / learned)
            .Average();
    }

    private static void Report(ExperimentRun run, List<Trial> trials)
    {
        var rate = new PlottedAxis("dropout rate", "share of the values", From: 0);
        var ratio = new PlottedAxis("variance at inference by that in training", "ratio", From: 0);
        run.Add(new PlottedFigure(
            "variance",
            "The variance shift",
            [.. new[] { Place.BeforeWeights, Place.BeforeNormalization }.Select(place => new PlottedPanel(
                Words(place),
                rate,
                ratio,
                [
                    new PlottedLine("by the formula", "b", Points(place, trial => trial.Ratio.Formula)),
                    new PlottedLine("same weights, dropout on and off", "a", Points(place, trial => trial.Ratio.Measured), HasDots: true),
                    new PlottedLine("running statistics, second layer", "c", Points(place, trial => trial.FirstShift)),
                    new PlottedLine("running statistics, third layer", "d", Points(place, trial => trial.SecondShift)),
                ]))])
        {
            Caption = "1 = training and inference have the same variance. The mean over the units of a layer.",
        });
        run.Add(new PlottedFigure(
            "accuracy",
            "Test accuracy on running and on population statistics",
            [.. Enum.GetValues<Place>().Select(place => new PlottedPanel(
                Words(place),
                rate,
                new PlottedAxis("test accuracy", "share"),
                [
                    new PlottedLine("population statistics", "a", Points(place, trial => trial.PopulationAccuracy), HasDots: true),
                    new PlottedLine("running statistics", "b", Points(place, trial => trial.RunningAccuracy), HasDots: true),
                ]))]));
        run.Add(
            [
                "dropout", "rate", "formula", "measured", "running, 2nd", "running, 3rd", "accuracy, running", "population", "distance",
                "warned",
            ],
            [.. trials.Where(trial => trial.Rate > 0 || trial.Place == Place.BeforeWeights).Select(trial => (string[])
            [
                trial.Rate == 0 ? "none" : Words(trial.Place),
                Invariant($"{trial.Rate}"),
                Invariant($"{trial.Ratio.Formula:0.000}"),
                Invariant($"{trial.Ratio.Measured:0.000}"),
                Invariant($"{trial.FirstShift:0.000}"),
                Invariant($"{trial.SecondShift:0.000}"),
                Invariant($"{trial.RunningAccuracy:0.0000}"),
                Invariant($"{trial.PopulationAccuracy:0.0000}"),
                Invariant($"{trial.Distance:0.00}"),
                Says(trial),
            ])]);
        Tell(run, trials);
        run.Metrics["trials"] = new JsonArray([.. trials.Select(trial => new JsonObject
        {
            ["place"] = trial.Place.ToString(),
            ["rate"] = trial.Rate,
            ["ratioByFormula"] = trial.Ratio.Formula,
            ["ratioMeasured"] = trial.Ratio.Measured,
            ["secondLayerRatio"] = trial.FirstShift,
            ["thirdLayerRatio"] = trial.SecondShift,
            ["distance"] = trial.Distance,
            ["runningAccuracy"] = trial.RunningAccuracy,
            ["populationAccuracy"] = trial.PopulationAccuracy,
            ["warnings"] = trial.Warnings.Count,
        })]);

        List<(double X, double Y)> Points(Place place, Func<Trial, double> value) =>
            [.. trials.Where(trial => trial.Place == place).Select(trial => ((double)trial.Rate, value(trial)))];
    }

    private static void Tell(ExperimentRun run, List<Trial> trials)
    {
        var shifted = trials.Where(trial => trial.Rate > 0 && trial.Place != Place.BehindTheLast).ToList();
        var (error, most) = (shifted.Max(trial => Math.Abs(trial.Ratio.Formula - trial.Ratio.Measured)), trials.Max(trial => trial.Rate));
        var ratios = shifted.Where(trial => trial.Rate == most)
            .Select(trial => Invariant($"{trial.Ratio.Measured:0.00} ({Words(trial.Place)})"));
        run.Found(Invariant($"Formula and measurement of the variances' ratio differ by {error:0.0000} at most; at rate {most} the ratio ")
            + $"is {string.Join(" and ", ratios)}.");
        foreach (var place in Enum.GetValues<Place>())
        {
            var here = trials.Where(trial => trial.Place == place).ToList();
            var worst = here.MaxBy(trial => trial.PopulationAccuracy - trial.RunningAccuracy)!;
            var best = here.MaxBy(trial => trial.RunningAccuracy)!;
            run.Found(Invariant($"Dropout {Words(place)}: running statistics cost ")
                + Invariant($"{worst.PopulationAccuracy - worst.RunningAccuracy:0.0000} of the test accuracy at most (at rate ")
                + Invariant($"{worst.Rate}: {worst.RunningAccuracy:0.0000} for {worst.PopulationAccuracy:0.0000}); on running statistics ")
                + Invariant($"the best network has rate {best.Rate} ({best.RunningAccuracy:0.0000})."));
        }

        var warned = trials.Where(trial => trial.Warnings.Count > 0).ToList();
        if (warned.Count == 0) return;
        run.Found(Invariant($"Before training the library warns from rate {warned.Min(trial => trial.Rate)} on where a batch ")
            + "normalization stands behind the dropout, and nowhere else.");
        run.Section("What the library says");
        foreach (var message in warned[0].Warnings) run.Text(message);
    }

    private static string Says(Trial trial) => (trial.Warnings.Count > 0, trial.Distance > Tolerance) switch
    {
        (true, true) => "before and after",
        (true, false) => "before training",
        (false, true) => "after training",
        _ => "–",
    };

    private static string Words(Place place) => place switch
    {
        Place.BeforeWeights => "in front of the weights",
        Place.BeforeNormalization => "between weights and normalization",
        _ => "behind the last normalization",
    };

    /// <summary>Where the dropouts stand.</summary>
    internal enum Place
    {
        /// <summary>In front of the weights that stand in front of a batch normalization.</summary>
        BeforeWeights,

        /// <summary>Directly in front of a batch normalization.</summary>
        BeforeNormalization,

        /// <summary>Where no batch normalization follows.</summary>
        BehindTheLast,
    }

    private sealed record Trial(
        Place Place,
        float Rate,
        (double Formula, double Measured) Ratio,
        double FirstShift,
        double SecondShift,
        double Distance,
        double RunningAccuracy,
        double PopulationAccuracy,
        IReadOnlyList<string> Warnings);
}
