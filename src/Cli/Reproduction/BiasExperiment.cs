using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Training;
using static System.FormattableString;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// Why the gradient goes through the statistics (Ioffe and Szegedy 2015, section 2): where it takes the mean for a constant, each step
/// moves a bias, and the normalization takes the move away again.
/// </summary>
internal sealed class BiasExperiment : Experiment
{
    private const int Rows = 1000;
    private const float LearningRate = 0.1f;
    private const int Units = 64;
    private const int BatchSize = 128;
    private const float Epsilon = 1e-5f;

    // The places on a curve.
    private const int Points = 50;

    private static readonly ExperimentOption<int> Steps =
        ExperimentOption.Number("--steps", "steps of gradient descent in each training", 5000, 500, Points, 1_000_000);

    private static readonly Variant[] Variants =
    [
        new("mean outside the gradient", "b", () => new OutsideNormalizationLayer(false)),
        new("mean and variance outside", "c", () => new OutsideNormalizationLayer(true)),
        new("batch normalization", "a", () => Normalization.Create(new BatchNormOptions { Scale = false, Center = false })),
    ];

    /// <inheritdoc/>
    public override string Name => "bias";

    /// <inheritdoc/>
    public override string Description => "Normalize outside of the gradient, and watch a bias grow without end while the loss stays.";

    /// <inheritdoc/>
    public override string Title => "A bias in front of a normalization";

    /// <inheritdoc/>
    public override string Introduction =>
        "Ioffe and Szegedy (2015), section 2: a layer adds a learned bias b to its input u and subtracts the mean over the rows. If a step "
        + "of gradient descent takes the mean for a constant, it moves b, and the mean follows: neither the output nor the loss has "
        + "changed, and the next step does the same. Batch normalization lets the gradient go through the mean and the variance, and then "
        + "b has none. Here all three ways learn from the same rows by plain gradient descent at rate 0.1, without gamma and beta.";

    /// <inheritdoc/>
    public override ExperimentData Data => ExperimentData.Letters;

    /// <inheritdoc/>
    public override IReadOnlyList<ExperimentOption> Options => [Steps];

    /// <inheritdoc/>
    public override void Run(ExperimentRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var steps = run.Get(Steps);
        run.Expect(Variants.Length * 2.0 * steps);
        ShowPaper(run, steps);
        ShowNetwork(run, steps);
    }

    /// <summary>The paper's example: a bias is all that is learned, and all rows are one mini-batch.</summary>
    /// <param name="rows">The rows, of one value each, with a number as target.</param>
    /// <param name="layer">What normalizes.</param>
    /// <param name="steps">The steps to make.</param>
    /// <param name="seed">The seed.</param>
    /// <returns>The bias behind each step, from none on, and the loss in front of it.</returns>
    internal static (double[] Bias, double[] Loss) Train(TrainingData rows, Layer layer, int steps, int seed)
    {
        var network = Network.Input(1).Add(new AddedBiasLayer()).Add(layer);
        using var training = new SteppedTraining(network, Loss.SquaredError, rows, new TrainingOptions
        {
            BatchSize = rows.Count,
            Epochs = steps,
            Optimizer = Optimizer.Sgd(LearningRate),
            Seed = seed,
        });
        var (bias, loss) = (new double[steps + 1], new double[steps]);
        for (var step = 0; step < steps; step++)
        {
            loss[step] = training.Advance(1);
            bias[step + 1] = training.Parameter("bias1.bias")[0];
        }

        return (bias, loss);
    }

    /// <summary>1,000 values of mean 3 and deviation 2, and targets of mean 1 that follow them a little.</summary>
    internal static TrainingData CreateRows(int seed)
    {
        var random = new Random(seed);
        var (values, targets) = (new float[Rows], new float[Rows]);
        for (var row = 0; row < Rows; row++)
        {
            var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            (values[row], targets[row]) = ((float)(3 + (2 * normal)), (float)(1 + (0.2 * normal)));
        }

        return new TrainingData(new SampleShape(1), 1, values, targets);
    }

    private static void ShowPaper(ExperimentRun run, int steps)
    {
        var rows = CreateRows(run.Seed);
        var mean = rows.TargetArray.Average(value => (double)value);
        var centre = rows.FeatureArray.Average(value => (double)value);
        var deviation = Math.Sqrt(rows.FeatureArray.Average(value => Math.Pow(value - centre, 2)) + Epsilon);
        var results = new List<(Variant Variant, double[] Bias, double[] Loss, double Formula)>();
        foreach (var variant in Variants)
        {
            run.At($"a bias alone, {variant.Name}");
            var (bias, loss) = Train(rows, variant.Create(), steps, run.Seed);
            results.Add((variant, bias, loss, LearningRate * mean * Slope(variant) * steps));
            run.Advance(steps);
        }

        run.Section("The paper's example");
        run.Text(Invariant(
            $"u is one number a row ({Rows:N0} rows, mean {centre:0.00}, deviation {deviation:0.00}), the loss is half the squared ")
            + Invariant($"distance to a target (mean {mean:0.00}), b is all that is learned, and all rows are one mini-batch. With the ")
            + "mean outside, the gradient towards b is minus the mean of the targets in every step, so b = 0.1 · steps · mean; with the "
            + "variance outside, too, the same divided by the deviation.");
        var shown = Enumerable.Range(0, Points + 1).Select(point => point * steps / Points).ToArray();
        var x = new PlottedAxis("step", "count");
        run.Add(new PlottedFigure("bias", "The bias", new PlottedPanel(
            "The bias",
            x,
            new PlottedAxis("bias", "units of u"),
            [.. results.Select(result => Line(result.Variant, shown.Select(step => ((double)step, result.Bias[step]))))])));
        run.Add(new PlottedFigure("loss", "The loss", new PlottedPanel(
            "The loss",
            x,
            new PlottedAxis("loss", "square of the target's unit", From: 0),
            [.. results.Select(result => Line(
                result.Variant, shown.SkipLast(1).Select(step => ((double)step + 1, result.Loss[step]))))]))
        {
            Caption = "With the variance outside and with batch normalization the loss is the same: what is normalized is, too.",
        });
        run.Add(
            ["a bias alone", "bias after", "steps", "by the formula", "loss at first", "loss at last"],
            [.. results.Select(result => (string[])
            [
                result.Variant.Name,
                Invariant($"{result.Bias[^1]:0.000000}"),
                Invariant($"{steps}"),
                Invariant($"{result.Formula:0.000000}"),
                Invariant($"{result.Loss[0]:0.000000}"),
                Invariant($"{result.Loss[^1]:0.000000}"),
            ])]);
        run.Found(Invariant(
            $"A bias alone: after {steps:N0} steps it is {results[0].Bias[^1]:0.0} with the mean outside of the gradient (by the formula ")
            + Invariant($"{results[0].Formula:0.0}), {results[1].Bias[^1]:0.0} with the variance outside, too ({results[1].Formula:0.0}), ")
            + Invariant($"and {results[2].Bias[^1]:0.0e+0} with batch normalization; the largest change of the loss is ")
            + Invariant($"{results.Max(result => result.Loss.Max() - result.Loss.Min()):0.0e+0}."));
        run.Metrics["alone"] = new JsonArray([.. results.Select(result => new JsonObject
        {
            ["variant"] = result.Variant.Name,
            ["bias"] = result.Bias[^1],
            ["biasByFormula"] = result.Formula,
            ["firstLoss"] = result.Loss[0],
            ["lastLoss"] = result.Loss[^1],
        })]);

        double Slope(Variant variant) => variant.Create() is OutsideNormalizationLayer outside ? outside.Scales ? 1 / deviation : 1 : 0;
    }

    private static void ShowNetwork(ExperimentRun run, int steps)
    {
        var (training, _) = ExperimentData.ReadStandardizedLetters(run.Data);
        var every = steps / Points;
        var trials = new List<Trial>();
        foreach (var variant in Variants)
        {
            run.At($"letters, {variant.Name}");
            trials.Add(Try(run, variant, training, every));
        }

        run.Section("In a network");
        run.Text(Invariant(
            $"Letters, two hidden layers of {Units} units: weights, a bias, one of the three normalizations, relu; mini-batches of ")
            + Invariant($"{BatchSize}. All weights learn, so the loss falls, but nothing that the biases do has a part in that."));
        var x = new PlottedAxis("step", "count");
        run.Add(new PlottedFigure("network-bias", "The largest bias of the first layer", new PlottedPanel(
            "The largest bias of the first layer",
            x,
            new PlottedAxis("largest bias", "absolute value"),
            [.. trials.Select(trial => Line(trial.Variant, trial.Points.Select(point => ((double)point.Step, point.Bias))))])));
        run.Add(new PlottedFigure("network-loss", "The training loss", new PlottedPanel(
            "The training loss",
            x,
            new PlottedAxis("training loss", "nats", From: 0),
            [.. trials.Select(trial => Line(trial.Variant, trial.Points.Select(point => ((double)point.Step, point.Loss))))])));
        run.Add(
            ["letters", "gradient of the biases at first", "steps", "largest bias", "length of the weights", "training loss"],
            [.. trials.Select(trial => (string[])
            [
                trial.Variant.Name,
                Invariant($"{trial.FirstGradient:0.0e+0}"),
                trial.Diverged is { } step ? Invariant($"diverged within {step}") : Invariant($"{steps}"),
                Invariant($"{trial.Points[^1].Bias:0.0e+0}"),
                Invariant($"{trial.FirstLength:0.0} → {trial.Points[^1].Length:0.0}"),
                Invariant($"{trial.Points[^1].Loss:0.0000}"),
            ])]);
        run.Found(Invariant(
            $"In a network on letters the gradient of the first biases has the length {trials[0].FirstGradient:0.00} (mean outside), ")
            + Invariant($"{trials[1].FirstGradient:0.00} (variance outside, too) and {trials[2].FirstGradient:0.0e+0} (batch ")
            + Invariant($"normalization: what float32 leaves of 0) at first; the largest bias ends at {trials[0].Points[^1].Bias:0.00}, ")
            + Invariant($"{trials[1].Points[^1].Bias:0.00} and {trials[2].Points[^1].Bias:0.0e+0}."));
        run.Metrics["network"] = new JsonArray([.. trials.Select(trial => new JsonObject
        {
            ["variant"] = trial.Variant.Name,
            ["firstGradient"] = trial.FirstGradient,
            ["largestBias"] = trial.Points[^1].Bias,
            ["lengthOfWeights"] = trial.Points[^1].Length,
            ["trainingLoss"] = trial.Points[^1].Loss,
            ["halfway"] = new JsonObject
            {
                ["largestBias"] = trial.Points[(trial.Points.Count - 1) / 2].Bias,
                ["trainingLoss"] = trial.Points[(trial.Points.Count - 1) / 2].Loss,
            },
            ["diverged"] = trial.Diverged is not null,
        })]);
    }

    private static Trial Try(ExperimentRun run, Variant variant, TrainingData rows, int every)
    {
        var network = Network.Input(rows.Shape.Count);
        for (var layer = 0; layer < 2; layer++)
            network = network.Dense(Units, bias: false, weights: Initializer.HeNormal)
                .Add(new AddedBiasLayer())
                .Add(variant.Create())
                .Relu();
        network = network.Dense(rows.Outputs);
        using var training = new SteppedTraining(network, Loss.SoftmaxCrossEntropy, rows, new TrainingOptions
        {
            BatchSize = BatchSize,
            Epochs = int.MaxValue / rows.Count,
            Optimizer = Optimizer.Sgd(LearningRate),
            Seed = run.Seed,
        });
        double gradient;
        using (var probe = new NetworkProbe(network, Loss.SoftmaxCrossEntropy))
            gradient = Length(probe.Read(training.Parameter, rows.First(2048)).Gradients["bias1.bias"]);
        var first = Length(training.Parameter("dense1.weight"));
        List<(int Step, double Bias, double Length, double Loss)> points = [];
        for (var point = 1; point <= Points; point++)
        {
            double loss;
            try
            {
                loss = training.Advance(every);
            }
            catch (TrainingDivergedException)
            {
                return new Trial(variant, gradient, first, points.Count > 0 ? points : [(0, 0, first, double.NaN)], point * every);
            }

            points.Add((
                point * every,
                training.Parameter("bias1.bias").Max(value => Math.Abs((double)value)),
                Length(training.Parameter("dense1.weight")),
                loss));
            run.Advance(every);
        }

        return new Trial(variant, gradient, first, points, null);
    }

    private static PlottedLine Line(Variant variant, IEnumerable<(double X, double Y)> points) =>
        new(variant.Name, variant.Style, [.. points]);

    private static double Length(float[] values) => Math.Sqrt(values.Sum(value => (double)value * value));

    private sealed record Variant(string Name, string Style, Func<Layer> Create);

    private sealed record Trial(
        Variant Variant,
        double FirstGradient,
        double FirstLength,
        IReadOnlyList<(int Step, double Bias, double Length, double Loss)> Points,
        int? Diverged);
}

/// <summary>Adds a learned number to each value: y = x + b.</summary>
internal sealed record AddedBiasLayer : Layer
{
    /// <inheritdoc/>
    public override string Kind => "bias";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => input;

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters(LayerSite site) =>
        [new Parameter("bias", [site.Input.Channels], ParameterRole.Affine, Initializer.Zeros)];

    /// <inheritdoc/>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x) => new(
        graph.Nodes.Named("y", "Add", [x, graph.Parameter(site, "bias")]),
        (dy, inputNeeded) =>
        {
            graph.SetGradient(site, "bias", Gradient.Of(graph.SumOverRows(dy)));
            return inputNeeded ? dy : Value.None;
        });

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) =>
        graph.Nodes.Named("y", "Add", [x, graph.Parameter(site, "bias")]);
}

/// <summary>
/// What batch normalization is not: the mini-batch's mean (and variance) are used, but taken for constants on the way back. At inference,
/// too, the rows at hand are normalized.
/// </summary>
/// <param name="Scales">Whether to divide by the deviation, too.</param>
internal sealed record OutsideNormalizationLayer(bool Scales) : Layer
{
    private const float Epsilon = 1e-5f;

    /// <inheritdoc/>
    public override string Kind => "outside";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => input;

    /// <inheritdoc/>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var (y, scale) = Normalize(graph.Nodes, x);
        return new Differentiable(y, (dy, inputNeeded) =>
            !inputNeeded ? Value.None : Scales ? graph.Nodes.Named("dx", "Mul", [dy, scale]) : dy);
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) => Normalize(graph.Nodes, x).Y;

    private (Value Y, Value Scale) Normalize(GraphBuilder nodes, Value x)
    {
        var centered = nodes.Named("centered", "Sub", [x, nodes.ReduceMean(x, keepAxes: true, 0)]);
        if (!Scales) return (centered, Value.None);
        var variance = nodes.ReduceMean(nodes.Node("Mul", [centered, centered]), keepAxes: true, 0);
        var scale = nodes.Node("Reciprocal", [nodes.Node("Sqrt", [nodes.Node("Add", [variance, nodes.Constant(Epsilon)])])]);
        return (nodes.Named("y", "Mul", [centered, scale]), scale);
    }
}
