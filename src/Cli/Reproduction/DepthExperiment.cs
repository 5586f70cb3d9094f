using System.Globalization;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// Networks of growing depth, with batch normalization and without, alike in everything else: the claim of Ioffe and Szegedy (2015) is that
/// with it deeper networks can be trained, and at higher rates. Nothing here was chosen by looking at the test rows.
/// </summary>
internal sealed class DepthExperiment : Experiment
{
    private const int Units = 64;
    private const int BatchSize = 128;

    private static readonly float[] LearningRates = [0.01f, 0.1f];

    private static readonly ExperimentOption<IReadOnlyList<int>> Depths =
        ExperimentOption.Numbers("--depths", "LAYERS", "hidden layers of the networks", [5, 10, 20, 50], [5, 20]);

    // A fixed number: there is no choice of an epoch.
    private static readonly ExperimentOption<int> Epochs =
        ExperimentOption.Number("--epochs", "passes over the training rows", 10, 2, 1, 1000);

    /// <inheritdoc/>
    public override string Name => "depth";

    /// <inheritdoc/>
    public override string Description =>
        "Train networks of growing depth on a table of letters, with batch normalization and without, at a low and a high rate.";

    /// <inheritdoc/>
    public override string Title => "Depth and batch normalization";

    /// <inheritdoc/>
    public override string Introduction =>
        "Networks of dense layers of 64 units with relu (first weights: He), alike in everything but depth and batch normalization, "
        + "trained by gradient descent with momentum 0.9. Ioffe and Szegedy (2015) introduced batch normalization so that deep networks "
        + "can be trained, and at high rates.";

    /// <inheritdoc/>
    public override ExperimentData Data => ExperimentData.Letters;

    /// <inheritdoc/>
    public override IReadOnlyList<ExperimentOption> Options => [Depths, Epochs];

    /// <inheritdoc/>
    public override void Run(ExperimentRun run)
    {
        var (training, test) = ExperimentData.ReadLetters(run.Data);
        ExperimentRun.Note(string.Create(
            CultureInfo.InvariantCulture, $"{training.Count:N0} letters to learn from, {test.Count:N0} to test on"));
        var (depths, epochs) = (run.Get(Depths), run.Get(Epochs));
        var trials = new List<Trial>();
        run.Expect(LearningRates.Length * 2 * epochs * depths.Sum());
        foreach (var learningRate in LearningRates)
        {
            foreach (var depth in depths)
            {
                foreach (var batchNorm in new[] { false, true })
                {
                    trials.Add(Try(run, depth, batchNorm, learningRate, training, test, epochs));
                    run.Advance(depth * epochs);
                    ExperimentRun.Note(trials[^1].Line);
                }
            }
        }

        foreach (var learningRate in LearningRates) run.Add(Plot(trials, learningRate));
        run.Add(
            ["learning rate", "hidden layers", "test accuracy without", "with batch norm", "s/epoch without", "with batch norm"],
            [.. trials.GroupBy(trial => (trial.LearningRate, trial.HiddenLayers)).Select(pair =>
            {
                var (without, with) = (pair.Single(trial => !trial.BatchNorm), pair.Single(trial => trial.BatchNorm));
                return new[]
                {
                    pair.Key.LearningRate.ToString(CultureInfo.InvariantCulture),
                    pair.Key.HiddenLayers.ToString(CultureInfo.InvariantCulture),
                    without.Accuracy,
                    with.Accuracy,
                    without.Seconds,
                    with.Seconds,
                };
            })]);
        run.Metrics["data"] = "letters";
        run.Metrics["trainingRows"] = training.Count;
        run.Metrics["testRows"] = test.Count;
        run.Metrics["epochs"] = epochs;
        run.Metrics["trials"] = new JsonArray([.. trials.Select(trial => trial.ToJson())]);
    }

    private static Trial Try(
        ExperimentRun run, int depth, bool batchNorm, float learningRate, TrainingData training, TrainingData test, int epochs)
    {
        var network = Network.FeedForward(
            (int)training.Shape.Count,
            [.. Enumerable.Repeat(Units, depth)],
            training.Outputs,
            Activation.Relu,
            normalization: batchNorm ? Normalization.Batch() : Normalization.None);
        run.At(string.Create(
            CultureInfo.InvariantCulture,
            $"{depth} hidden layers {(batchNorm ? "with" : "without")} batch norm, learning rate {learningRate}"));
        TrainedNetwork trained;
        try
        {
            trained = NetworkTrainer.Train(network, Loss.SoftmaxCrossEntropy, training, new TrainingOptions
            {
                BatchSize = BatchSize,
                Epochs = epochs,
                ValidationFraction = 0,
                Optimizer = Optimizer.Sgd(learningRate, momentum: 0.9f),
                Statistics = RunningStatistics.Population,
                StatisticsTolerance = double.PositiveInfinity,
                Seed = run.Seed,
            });
        }
        catch (TrainingDivergedException)
        {
            return new Trial(depth, batchNorm, learningRate, null, null, null);
        }

        var accuracy = ModelEvaluation.Of(trained.ToOnnx(), trained.Loss, test).Metrics[Metric.MicroAccuracy];
        var last = trained.History[^1];
        return new Trial(depth, batchNorm, learningRate, accuracy, last.Loss, last.Elapsed.TotalSeconds / trained.History.Count);
    }

    private static PlottedFigure Plot(List<Trial> trials, float learningRate)
    {
        var title = string.Create(CultureInfo.InvariantCulture, $"Test accuracy at learning rate {learningRate}");
        return new PlottedFigure(
            string.Create(CultureInfo.InvariantCulture, $"accuracy-{learningRate}"),
            title,
            new PlottedPanel(
                title,
                new PlottedAxis("hidden layers", "count"),
                new PlottedAxis("test accuracy", "share", From: 0, To: 1),
                Line("with batch normalization", true, "a"),
                Line("without", false, "b")))
        {
            Caption = "A network whose training diverged stands at 0.",
        };

        PlottedLine Line(string name, bool batchNorm, string style) => new(
            name,
            style,
            [.. trials.Where(trial => trial.LearningRate == learningRate && trial.BatchNorm == batchNorm)
                .Select(trial => ((double)trial.HiddenLayers, trial.TestAccuracy ?? 0))],
            HasDots: true);
    }

    // What one network came to; where training diverged, there is no figure.
    private sealed record Trial(
        int HiddenLayers, bool BatchNorm, float LearningRate, double? TestAccuracy, double? TrainingLoss, double? SecondsPerEpoch)
    {
        public string Accuracy => TestAccuracy?.ToString("0.0000", CultureInfo.InvariantCulture) ?? "diverged";

        public string Seconds => SecondsPerEpoch?.ToString("0.00", CultureInfo.InvariantCulture) ?? "–";

        public string Line => string.Create(
            CultureInfo.InvariantCulture,
            $"{HiddenLayers,3} hidden layers {(BatchNorm ? "with" : "without"),-7} batch norm, learning rate {LearningRate}: test accuracy "
            + $"{Accuracy}, {Seconds} s/epoch");

        public JsonObject ToJson() => new()
        {
            ["hiddenLayers"] = HiddenLayers,
            ["batchNorm"] = BatchNorm,
            ["learningRate"] = LearningRate,
            ["testAccuracy"] = TestAccuracy,
            ["trainingLoss"] = TrainingLoss,
            ["secondsPerEpoch"] = SecondsPerEpoch,
        };
    }
}
