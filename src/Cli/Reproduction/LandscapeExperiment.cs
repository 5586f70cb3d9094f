using System.Globalization;
using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// How smooth the loss is along the gradient while a network learns, after Santurkar et al. 2018 (arXiv 1805.11604, section 3.1 and figure
/// 4): the losses that steps of different lengths along the gradient lead to, how far the gradient there is from the one at the start, and
/// the largest ratio of that to the length of the step.
/// </summary>
internal sealed class LandscapeExperiment : Experiment
{
    private const int Hidden = 10;
    private const int Units = 64;
    private const int BatchSize = 128;
    private const float LearningRate = 0.1f;
    private const int Looks = 60;

    // In multiples of the learning rate, as in the paper.
    private static readonly double[] Lengths = [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4];

    private static readonly ExperimentOption<int> Steps =
        ExperimentOption.Number("--steps", "training steps of each network", 3000, 600, Looks, 1_000_000);

    /// <inheritdoc/>
    public override string Name => "landscape";

    /// <inheritdoc/>
    public override string Description =>
        "Measure how smooth the loss is along the gradient while a network learns, with batch normalization and without.";

    /// <inheritdoc/>
    public override string Title => "The landscape of the loss along the gradient";

    /// <inheritdoc/>
    public override string Introduction => string.Create(
        CultureInfo.InvariantCulture,
        $"Santurkar et al. (2018, How does batch normalization help optimization?) hold that batch normalization makes the loss smoother. "
        + $"Here two networks of {Hidden} hidden layers of {Units} units with relu learn 26 letters by plain gradient descent at rate "
        + $"{LearningRate}, mini-batches of {BatchSize} rows, alike in everything but batch normalization. At {Looks} moments training is "
        + $"held, and on one mini-batch (the same for both) steps of {Lengths[0]} to {Lengths[^1]} times the learning rate are tried along "
        + $"the gradient: what the loss is there, and how much the gradient has changed on the way.");

    /// <inheritdoc/>
    public override ExperimentData Data => ExperimentData.Letters;

    /// <inheritdoc/>
    public override IReadOnlyList<ExperimentOption> Options => [Steps];

    /// <inheritdoc/>
    public override void Run(ExperimentRun run)
    {
        var (training, test) = ExperimentData.ReadStandardizedLetters(run.Data);
        var steps = run.Get(Steps);
        run.Expect(2.0 * steps);
        var without = Follow(run, "without batch norm", "b", Normalization.None, training, test, steps);
        var with = Follow(run, "with batch norm", "a", Normalization.Batch(), training, test, steps);
        Course[] both = [with, without];

        foreach (var course in both) run.Found(course.Sentence);
        run.Found(
            "In the median over all moments, without batch normalization and with it: the losses along the gradient are "
            + $"{Compare(without, with, look => look.Range)} apart, the gradient changes by {Compare(without, with, look => look.Change)}, "
            + $"and the effective smoothness (less is smoother) is {Compare(without, with, look => look.Smoothness)}.");

        run.Section("Over training");
        run.Add(Bands(
            "loss", "Loss along the gradient", "loss", "nats", both, look => look.Losses, isLogarithmic: false, look => look.Loss));
        run.Text(
            "The line is the loss where training stands, the band reaches from the lowest to the highest among the steps that were tried: "
            + "the narrower, the less it matters how long a step is.");
        run.Add(Bands(
            "predictiveness",
            "Gradient predictiveness",
            "change of the gradient",
            "L2 norm",
            both,
            look => look.Changes,
            isLogarithmic: true));
        run.Text(
            "How far the gradient behind a step is from the one in front of it, from the least to the most among the steps. The lower, the "
            + "longer a gradient says where to go.");
        run.Add(new PlottedFigure("smoothness", "Effective smoothness", new PlottedPanel(
            "Effective smoothness",
            new PlottedAxis("training steps", "count"),
            new PlottedAxis("effective smoothness", "1/length squared", IsLogarithmic: true),
            [.. both.Select(course => new PlottedLine(
                course.Name, course.Style, [.. course.Looks.Select(look => ((double)look.Step, look.Smoothness))]))])));
        run.Text("The largest ratio of the change of the gradient to the length of the step that it is over; 0 would be a straight slope.");
        run.Add(
            ["", "test accuracy", "loss span, median", "change of the gradient, median", "effective smoothness, median"],
            [.. both.Select(course => new[]
            {
                course.Name, course.Accuracy.ToString("0.0000", CultureInfo.InvariantCulture), Digits(course.Median(look => look.Range)),
                Digits(course.Median(look => look.Change)), Digits(course.Median(look => look.Smoothness)),
            })]);
        run.Metrics["networks"] = new JsonArray([.. both.Select(course => course.ToJson())]);
    }

    private static Course Follow(
        ExperimentRun run, string name, string style, Normalization normalization, TrainingData training, TrainingData test, int steps)
    {
        run.At(name);
        var network = Network.FeedForward(
            (int)training.Shape.Count, [.. Enumerable.Repeat(Units, Hidden)], training.Outputs, Activation.Relu, normalization);
        var options = new TrainingOptions { BatchSize = BatchSize, Optimizer = Optimizer.Sgd(LearningRate), Seed = run.Seed };
        using var course = new SteppedTraining(network, Loss.SoftmaxCrossEntropy, training, options);
        using var probe = new NetworkProbe(network, Loss.SoftmaxCrossEntropy, watched: _ => false);
        var random = new Random(run.Seed);
        var looks = new List<Look>();
        for (var look = 0; look < Looks; look++)
        {
            // The moments lie closer in the beginning, where more happens.
            var until = (long)Math.Round(steps * Math.Pow(look / (Looks - 1.0), 2));
            var before = course.Steps;
            course.Advance(until - before);
            var rows = training.Select([.. Enumerable.Range(0, BatchSize).Select(_ => random.Next(training.Count))]);
            looks.Add(LookAround(course.Steps, course.Parameters(), probe, rows));
            run.Advance(until - before);
        }

        return new Course(name, style, looks, course.Evaluate(test).MicroAccuracy ?? double.NaN);
    }

    // The loss and its gradient at the place itself and behind each step.
    private static Look LookAround(long step, Dictionary<string, float[]> parameters, NetworkProbe probe, TrainingData rows)
    {
        var start = probe.Read(name => parameters[name], rows);
        var norm = Math.Sqrt(start.Gradients.Sum(gradient => SumOfSquares(gradient.Value)));
        var (losses, changes, smoothness) = (new List<double>(), new List<double>(), 0.0);
        foreach (var length in Lengths)
        {
            var rate = (float)(length * LearningRate);
            var there = parameters.ToDictionary(
                parameter => parameter.Key,
                parameter => start.Gradients.TryGetValue(parameter.Key, out var slope)
                    ? Moved(parameter.Value, slope, rate)
                    : parameter.Value);
            var reading = probe.Read(name => there[name], rows);
            losses.Add(reading.Loss);
            changes.Add(Math.Sqrt(start.Gradients.Sum(gradient => SquaredDistance(gradient.Value, reading.Gradients[gradient.Key]))));
            smoothness = Math.Max(smoothness, changes[^1] / (rate * norm));
        }

        return new Look(step, start.Loss, losses, changes, smoothness);
    }

    private static float[] Moved(float[] values, float[] slope, float rate)
    {
        var moved = new float[values.Length];
        TensorPrimitives.MultiplyAdd(slope, -rate, values, moved);
        return moved;
    }

    private static double SumOfSquares(float[] values) => TensorPrimitives.SumOfSquares<float>(values);

    private static double SquaredDistance(float[] one, float[] other)
    {
        var distance = TensorPrimitives.Distance<float>(one, other);
        return (double)distance * distance;
    }

    private static PlottedFigure Bands(
        string name,
        string title,
        string label,
        string unit,
        Course[] both,
        Func<Look, IReadOnlyList<double>> values,
        bool isLogarithmic,
        Func<Look, double>? line = null) =>
        new(name, title, new PlottedPanel(
            title,
            new PlottedAxis("training steps", "count"),
            new PlottedAxis(label, unit, isLogarithmic),
            [
                .. both.Reverse().Select(course => new PlottedBand(
                    line is null ? course.Name : $"{course.Name}, along the gradient",
                    course.Style,
                    [.. course.Looks.Select(look => ((double)look.Step, values(look).Min(), values(look).Max()))])),
                .. line is null ? [] : both.Reverse().Select(course => new PlottedLine(
                    course.Name, course.Style, [.. course.Looks.Select(look => ((double)look.Step, line(look)))])),
            ]));

    private static string Compare(Course without, Course with, Func<Look, double> value) =>
        $"{Digits(without.Median(value))} and {Digits(with.Median(value))}";

    private static string Digits(double value) => value.ToString(
        Math.Abs(value) is >= 0.01 and < 10_000 ? "0.###" : "0.0E+0", CultureInfo.InvariantCulture);

    // One moment.
    private sealed record Look(long Step, double Loss, IReadOnlyList<double> Losses, IReadOnlyList<double> Changes, double Smoothness)
    {
        // How far apart the losses are, and the largest change.
        public double Range => Losses.Max() - Losses.Min();

        public double Change => Changes.Max();
    }

    // One training.
    private sealed record Course(string Name, string Style, List<Look> Looks, double Accuracy)
    {
        public string Sentence => string.Create(
            CultureInfo.InvariantCulture,
            $"{char.ToUpperInvariant(Name[0])}{Name[1..]}: test accuracy {Accuracy:0.0000} after {Looks[^1].Step:N0} steps at rate "
            + $"{LearningRate}.");

        public double Median(Func<Look, double> value) => Looks.Select(value).Order().ElementAt(Looks.Count / 2);

        public JsonObject ToJson() => new()
        {
            ["network"] = Name,
            ["testAccuracy"] = Accuracy,
            ["moments"] = new JsonArray([.. Looks.Select(look => new JsonObject
            {
                ["step"] = look.Step,
                ["loss"] = look.Loss,
                ["losses"] = new JsonArray([.. look.Losses.Select(loss => (JsonNode)loss)]),
                ["gradientChanges"] = new JsonArray([.. look.Changes.Select(change => (JsonNode)change)]),
                ["smoothness"] = look.Smoothness,
            })]),
        };
    }
}
