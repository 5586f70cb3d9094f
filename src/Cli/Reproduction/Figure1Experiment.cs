using System.Globalization;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// The first experiment of Ioffe and Szegedy (2015, section 4.1 and figure 1): 784-100-100-100-10 with sigmoids on the MNIST digits,
/// mini-batches of 60, with batch normalization and without; then the same at several rates, to compare each network at its best.
/// </summary>
internal sealed class Figure1Experiment : Experiment
{
    private const int BatchSize = 60;
    private const int ProbedRows = 500;

    // The rate at which the two are first compared.
    private const float CommonRate = 0.1f;

    private static readonly int[] Hidden = [100, 100, 100];
    private static readonly bool[] WithoutAndWith = [false, true];
    private static readonly double[] Percentiles = [0.15, 0.5, 0.85];

    private static readonly (string Name, string File, Initializer Initializer)[] FirstWeights =
        [("Gaussian 0.01", "gaussian", Initializer.Normal(0.01f)), ("Glorot", "glorot", Initializer.GlorotUniform)];

    private static readonly ExperimentOption<int> Steps =
        ExperimentOption.Number("--steps", "training steps of each network", 50_000, 2_000, 100, 1_000_000);

    private static readonly ExperimentOption<IReadOnlyList<float>> Rates = ExperimentOption.Rates(
        "--rates", "learning rates that each network is trained at, 0.1 among them", [0.1f, 0.3f, 1, 3, 10], [CommonRate, 1]);

    /// <inheritdoc/>
    public override string Name => "figure1";

    /// <inheritdoc/>
    public override string Description =>
        "Train Ioffe and Szegedy's sigmoid network on the MNIST digits, with batch normalization and without, at several rates.";

    /// <inheritdoc/>
    public override string Title => "Ioffe and Szegedy's figure 1";

    /// <inheritdoc/>
    public override string Introduction =>
        "784-100-100-100-10 with sigmoids learns the MNIST digits by plain gradient descent in mini-batches of 60, as in section 4.1 of "
        + "Ioffe and Szegedy (2015), with a batch normalization in front of each sigmoid and without. The paper does not give a learning "
        + "rate, so each network is trained at several, and compared at a common one and at its best. Its first weights are Gaussian with "
        + "standard deviation 0.01, or Glorot's. Accuracy is measured on the 10,000 test images, the best rates are chosen by it, for both "
        + "networks alike; at inference running statistics (momentum 0.1 of the new value) take the place of the mini-batch's.";

    /// <inheritdoc/>
    public override ExperimentData Data => ExperimentData.Mnist;

    /// <inheritdoc/>
    public override IReadOnlyList<ExperimentOption> Options => [Steps, Rates];

    /// <inheritdoc/>
    public override void Run(ExperimentRun run)
    {
        var (training, test) = MnistFiles.Read(run.Data);
        (training, test) = (Flat(training), Flat(test));
        var (steps, rates) = (run.Get(Steps), run.Get(Rates).Append(CommonRate).Distinct().Order().ToArray());
        run.Expect((double)steps * rates.Length * FirstWeights.Length * 2);
        List<Course> courses =
        [
            .. from weights in FirstWeights
               from batchNorm in WithoutAndWith
               from rate in rates
               select Train(run, new Recipe(weights.Name, weights.Initializer, batchNorm, rate), training, test, steps),
        ];

        var pairs = Array.ConvertAll(FirstWeights, weights => new Pair(
            weights.Name, Best(courses, weights.Name, false), Best(courses, weights.Name, true)));
        foreach (var weights in FirstWeights)
        {
            var (without, with) = (At(courses, weights.Name, false), At(courses, weights.Name, true));
            var early = without.Points.Last(point => point.Step <= Math.Min(steps, 10_000)).Step;
            run.Found(string.Create(
                CultureInfo.InvariantCulture,
                $"{weights.Name} at rate {CommonRate}: after {early:N0} steps {Html.Percent(without.AccuracyAt(early))} of the test "
                + $"images are right without batch normalization, {Html.Percent(with.AccuracyAt(early))} with it")
                + (early == steps
                    ? "."
                    : string.Create(CultureInfo.InvariantCulture, $"; after {steps:N0} steps {without.End} and {with.End}.")));
        }

        foreach (var pair in pairs) run.Found(pair.Sentence);
        if (rates.Length > 1)
            foreach (var weights in FirstWeights)
                run.Found(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{weights.Name}, over the rates from {rates[0]} to {rates[^1]}: the best test accuracy is "
                    + $"{Span(courses, weights.Name, false)} without batch normalization, {Span(courses, weights.Name, true)} with it."));
        run.Text(
            "The paper reports 14 times fewer steps for another network and another task, Inception on ImageNet; what stands here is this "
            + "network's.");

        run.Section("Test accuracy over training");
        run.Add(new PlottedFigure("accuracy", "Test accuracy over training", [.. FirstWeights.SelectMany(weights => new[]
        {
            AccuracyPanel(
                string.Create(CultureInfo.InvariantCulture, $"{weights.Name}, both at rate {CommonRate}"),
                At(courses, weights.Name, false),
                At(courses, weights.Name, true)),
            AccuracyPanel(
                $"{weights.Name}, each at its best rate", Best(courses, weights.Name, false), Best(courses, weights.Name, true)),
        })]));
        run.Add(
            [
                "first weights", "best rate without", "with batch norm", "best accuracy without", "in steps", "reached with batch norm in",
                "times fewer", "final accuracy with",
            ],
            [.. pairs.Select(pair => pair.Cells)]);

        run.Section("The input of a typical sigmoid");
        run.Add(new PlottedFigure(
            "sigmoid-input",
            "Input of a typical sigmoid of the last hidden layer",
            [.. pairs.SelectMany(pair => new[] { pair.Without, pair.With }).Select(PercentilePanel)])
        {
            Caption = string.Create(
                CultureInfo.InvariantCulture,
                $"15th, 50th and 85th percentile over {ProbedRows} test images, each network at its best rate. Typical is the unit whose "
                + $"band is of median width among the {Hidden[^1]} of the layer, on average over training. Beyond about ±4 a sigmoid "
                + $"hardly learns any more."),
        });

        run.Section("Learning rates");
        run.Add(new PlottedFigure("rates", "Best test accuracy at each learning rate", [.. FirstWeights.Select(weights => new PlottedPanel(
            weights.Name,
            new PlottedAxis("learning rate", "per step", IsLogarithmic: true),
            new PlottedAxis("best test accuracy", "share", From: 0, To: 1),
            RateLine(courses, weights.Name, false),
            RateLine(courses, weights.Name, true)))]));
        run.Add(
            ["first weights", "batch norm", "learning rate", "best accuracy", "in steps", "final accuracy"],
            [.. courses.Select(course => course.Cells)],
            isPrinted: false);
        run.Metrics["steps"] = steps;
        run.Metrics["trainings"] = new JsonArray([.. courses.Select(course => course.ToJson())]);
        run.Metrics["compared"] = new JsonArray([.. pairs.Select(pair => pair.ToJson())]);
    }

    private static TrainingData Flat(TrainingData images) => images.With(images.FeatureRows, new SampleShape(images.Shape.Count));

    private static Course Train(ExperimentRun run, Recipe recipe, TrainingData training, TrainingData test, int steps)
    {
        var (batchNorm, rate) = (recipe.BatchNorm, recipe.Rate);
        run.At($"{recipe.Weights}, {recipe.Name}");
        var network = Network.FeedForward(
            (int)training.Shape.Count,
            Hidden,
            training.Outputs,
            Activation.Sigmoid,
            batchNorm ? Normalization.Batch() : Normalization.None,
            weights: recipe.Initializer);

        // The last sigmoid's input is what the layer in front of it gives.
        var input = (batchNorm ? "batchnorm" : "dense") + Hidden.Length.ToString(CultureInfo.InvariantCulture);
        using var course = new SteppedTraining(
            network,
            Loss.SoftmaxCrossEntropy,
            training,
            new TrainingOptions { BatchSize = BatchSize, Optimizer = Optimizer.Sgd(rate), Seed = run.Seed });
        using var probe = new NetworkProbe(
            network, loss: null, ProbeMode.Inference, watched: site => site.Name == input, gradients: false);
        var probed = test.First(ProbedRows);
        var points = new List<Point>();
        foreach (var step in Moments(steps, run.IsQuick ? 30 : 100))
        {
            var before = course.Steps;
            try
            {
                course.Advance(step - before);
            }
            catch (TrainingDivergedException)
            {
                run.Advance(steps - before);
                break;
            }

            run.Advance(step - before);
            points.Add(new Point(
                step,
                course.Evaluate(test).MicroAccuracy ?? double.NaN,
                UnitPercentiles(probe.Read(course.Parameter, probed).Activations[input], probed.Count)));
        }

        return new Course(recipe, points);
    }

    // As far apart as so many are, and some more in the beginning, where more happens.
    private static IEnumerable<long> Moments(int steps, int count)
    {
        long every = Math.Max(1, steps / count);
        return Enumerable.Range(0, 5).Select(fifth => fifth * every / 5)
            .Concat(Enumerable.Range(1, (int)(steps / every)).Select(i => i * every)).Append(steps).Distinct();
    }

    // [unit][percentile]
    private static double[][] UnitPercentiles(float[] values, int rows)
    {
        var units = values.Length / rows;
        var column = new float[rows];
        return [.. Enumerable.Range(0, units).Select(unit =>
        {
            for (var row = 0; row < rows; row++) column[row] = values[(row * units) + unit];
            Array.Sort(column);
            return Array.ConvertAll(Percentiles, share => (double)column[(int)Math.Round(share * (rows - 1))]);
        })];
    }

    private static Course At(List<Course> courses, string weights, bool batchNorm) =>
        courses.Single(course => course.Weights == weights && course.BatchNorm == batchNorm && course.Rate == CommonRate);

    private static Course Best(List<Course> courses, string weights, bool batchNorm) => courses
        .Where(course => course.Weights == weights && course.BatchNorm == batchNorm).MaxBy(course => course.Best.Accuracy)!;

    // Where both get nearly all right, the lines would lie on each other.
    private static PlottedPanel AccuracyPanel(string title, Course without, Course with) => new(
        title,
        new PlottedAxis("training steps", "count"),
        new PlottedAxis("test accuracy", "share", From: Math.Min(without.Best.Accuracy, with.Best.Accuracy) > 0.95 ? 0.9 : 0, To: 1),
        [.. new[] { with, without }.Select(course => new PlottedLine(
            course.Name, course.Style, [.. course.Points.Select(point => ((double)point.Step, point.Accuracy))]))]);

    private static PlottedPanel PercentilePanel(Course course)
    {
        var unit = course.TypicalUnit();
        return new PlottedPanel(
            $"{course.Weights}, {course.Name}",
            new PlottedAxis("training steps", "count"),
            new PlottedAxis("input of the sigmoid", "value"),
            new PlottedBand("15th to 85th percentile", course.Style, [.. course.Points.Select(point =>
                ((double)point.Step, point.Units[unit][0], point.Units[unit][2]))]),
            new PlottedLine("50th", course.Style, [.. course.Points.Select(point => ((double)point.Step, point.Units[unit][1]))]));
    }

    private static string Span(List<Course> courses, string weights, bool batchNorm)
    {
        var best = courses.Where(course => course.Weights == weights && course.BatchNorm == batchNorm)
            .Select(course => course.Best.Accuracy).ToArray();
        return $"{Html.Percent(best.Min())} to {Html.Percent(best.Max())}";
    }

    private static PlottedLine RateLine(List<Course> courses, string weights, bool batchNorm)
    {
        var chosen = courses.Where(course => course.Weights == weights && course.BatchNorm == batchNorm).ToArray();
        return new PlottedLine(
            $"{(batchNorm ? "with" : "without")} batch norm",
            chosen[0].Style,
            [.. chosen.Select(course => ((double)course.Rate, course.Best.Accuracy))],
            HasDots: true);
    }

    // A moment of a training.
    private sealed record Point(long Step, double Accuracy, double[][] Units);

    // A network and how it is trained.
    private sealed record Recipe(string Weights, Initializer Initializer, bool BatchNorm, float Rate)
    {
        public string Name => string.Create(CultureInfo.InvariantCulture, $"{(BatchNorm ? "with" : "without")} batch norm, rate {Rate}");
    }

    // A training; one that diverged ends there.
    private sealed record Course(Recipe Recipe, List<Point> Points)
    {
        public string Weights => Recipe.Weights;

        public bool BatchNorm => Recipe.BatchNorm;

        public float Rate => Recipe.Rate;

        public string Name => Recipe.Name;

        public string Style => BatchNorm ? "a" : "b";

        public string End => Html.Percent(Points[^1].Accuracy);

        public Point Best => Points.MaxBy(point => point.Accuracy)!;

        public string[] Cells =>
        [
            Weights, BatchNorm ? "with" : "without", Rate.ToString(CultureInfo.InvariantCulture), Figure(Best.Accuracy),
            Best.Step.ToString("N0", CultureInfo.InvariantCulture), Figure(Points[^1].Accuracy),
        ];

        public double AccuracyAt(long step) => Points.Last(point => point.Step <= step).Accuracy;

        public int TypicalUnit()
        {
            var widths = Enumerable.Range(0, Points[0].Units.Length)
                .OrderBy(unit => Points.Sum(point => point.Units[unit][2] - point.Units[unit][0])).ToArray();
            return widths[widths.Length / 2];
        }

        public JsonObject ToJson() => new()
        {
            ["firstWeights"] = Weights,
            ["batchNorm"] = BatchNorm,
            ["learningRate"] = Rate,
            ["bestTestAccuracy"] = Best.Accuracy,
            ["bestAtStep"] = Best.Step,
            ["finalTestAccuracy"] = Points[^1].Accuracy,
            ["moments"] = new JsonArray([.. Points.Select(point => new JsonObject
            {
                ["step"] = point.Step,
                ["testAccuracy"] = point.Accuracy,
            })]),
        };

        public static string Figure(double accuracy) => accuracy.ToString("0.0000", CultureInfo.InvariantCulture);
    }

    // The two networks with the same first weights, each at its best rate.
    private sealed record Pair(string Weights, Course Without, Course With)
    {
        // Where the one with batch normalization is as good as the other one ever is; null = nowhere.
        public long? Reached => With.Points.Find(point => point.Accuracy >= Without.Best.Accuracy)?.Step;

        public double? Times => Reached is > 0 and var step ? (double)Without.Best.Step / step : null;

        public string Sentence => string.Create(
            CultureInfo.InvariantCulture,
            $"{Weights}, each at its best rate ({Without.Rate} without, {With.Rate} with): without batch normalization the best test "
            + $"accuracy is {Html.Percent(Without.Best.Accuracy)}, after {Without.Best.Step:N0} steps; with it ")
            + (Reached is { } step
                ? string.Create(CultureInfo.InvariantCulture, $"that is reached after {step:N0} steps ({Times:0.0} times fewer), ")
                : "that is not reached, ")
            + $"and in the end there are {With.End}.";

        public string[] Cells =>
        [
            Weights,
            Without.Rate.ToString(CultureInfo.InvariantCulture),
            With.Rate.ToString(CultureInfo.InvariantCulture),
            Course.Figure(Without.Best.Accuracy),
            Without.Best.Step.ToString("N0", CultureInfo.InvariantCulture),
            Reached?.ToString("N0", CultureInfo.InvariantCulture) ?? "–",
            Times?.ToString("0.0", CultureInfo.InvariantCulture) ?? "–",
            Course.Figure(With.Points[^1].Accuracy),
        ];

        public JsonObject ToJson() => new()
        {
            ["firstWeights"] = Weights,
            ["learningRateWithout"] = Without.Rate,
            ["learningRateWith"] = With.Rate,
            ["bestTestAccuracyWithout"] = Without.Best.Accuracy,
            ["stepsWithout"] = Without.Best.Step,
            ["stepsWith"] = Reached,
            ["finalTestAccuracyWith"] = With.Points[^1].Accuracy,
        };
    }
}
