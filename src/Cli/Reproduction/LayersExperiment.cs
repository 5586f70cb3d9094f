using System.Globalization;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// What goes through a deep network before it has learned anything, forwards and backwards, after R. Varma, "Training very deep networks
/// with Batchnorm": 20 hidden layers of 100 units with relu and 1,000 rows of Gaussian noise.
/// </summary>
internal sealed class LayersExperiment : Experiment
{
    private const int Layers = 20;
    private const int Units = 100;
    private const int Features = 1000;
    private const int Rows = 1000;

    private static readonly int[] Shown = [1, 5, 10, 20];

    private static readonly (string Name, string File, Initializer Initializer)[] FirstWeights =
    [
        ("Gaussian 0.01", "gaussian", Initializer.Normal(0.01f)), ("Glorot", "glorot", Initializer.GlorotNormal),
        ("He", "he", Initializer.HeNormal),
    ];

    private static readonly (string Name, string File, BatchNormPlacement? Place)[] Placements =
    [
        ("no batch norm", "none", null), ("batch norm before the activation", "before", BatchNormPlacement.BeforeActivation),
        ("batch norm after the activation", "after", BatchNormPlacement.AfterActivation),
    ];

    /// <inheritdoc/>
    public override string Name => "layers";

    /// <inheritdoc/>
    public override string Description =>
        "Look into 20 layers at their first weights: activations, gradients, zeros and dead units, with and without batch normalization.";

    /// <inheritdoc/>
    public override string Title => "What reaches the layers of a deep network";

    /// <inheritdoc/>
    public override string Introduction =>
        "1,000 rows of 1,000 numbers each (Gaussian, mean 0, standard deviation 1) go through 20 hidden layers of 100 units with relu, at "
        + "their first weights. Gradients that are Gaussian with standard deviation 1 behind layer 20 come back to layer 1. Three kinds of "
        + "first weights, each without batch normalization, with it in front of the activation, as Ioffe and Szegedy (2015) have it, and "
        + "behind it. The idea is R. Varma's (Training very deep networks with Batchnorm). A layer's value is what the layer behind it "
        + "gets: behind the relu, or behind the batch normalization where that comes after the relu.";

    /// <inheritdoc/>
    public override void Run(ExperimentRun run)
    {
        var random = new Random(run.Seed);
        var (features, gradients) = (Gaussian(random, Rows * Features), Gaussian(random, Rows * Units));
        var weightSeed = random.Next();
        run.Expect(FirstWeights.Length * Placements.Length, "networks");
        var looks = new List<Look>();
        foreach (var (weights, weightsFile, initializer) in FirstWeights)
        {
            foreach (var (placement, placementFile, place) in Placements)
            {
                run.At($"{weights}, {placement}");
                var layers = LookInto(initializer, place, features, gradients, weightSeed);
                looks.Add(new Look(weights, placement, $"{weightsFile}-{placementFile}", layers));
                run.Advance(1);
            }
        }

        foreach (var look in looks.Where(look => look.Weights == FirstWeights[0].Name)) run.Found(look.Sentence);
        foreach (var weights in looks.GroupBy(look => look.Weights).Skip(1))
            run.Found($"{weights.Key}: " + string.Join("; ", weights.Select(look =>
                $"{look.Placement} {Digits(look.At(1).Deviation)} behind layer 1 and {Digits(look.At(Layers).Deviation)} behind layer "
                + $"{Layers}, gradients at layer 1 {Digits(look.At(1).GradientDeviation)}")) + ".");

        run.Section("By depth");
        run.Add(ByDepth(looks, "activations", "Standard deviation behind each layer", "standard deviation", layer => layer.Deviation));
        run.Add(ByDepth(
            looks,
            "gradients",
            "Standard deviation of the gradients at each layer",
            "standard deviation",
            layer => layer.GradientDeviation));
        run.Add(ByDepth(looks, "zeros", "Zeros behind each relu", "zeros", layer => layer.Zeros, "share", isLogarithmic: false));
        run.Add(
            ["first weights", "batch norm", "layer", "mean", "standard deviation", "zeros", "dead units", "gradients"],
            [.. looks.SelectMany(look => Shown.Select(look.At).Select(layer => new[]
            {
                look.Weights, look.Placement, layer.Number.ToString(CultureInfo.InvariantCulture), Digits(layer.Mean),
                Digits(layer.Deviation), Html.Percent(layer.Zeros), Html.Percent(layer.Dead), Digits(layer.GradientDeviation),
            }))]);
        run.Text(
            "Zeros: the share of what the relus give. Dead units: the share of units whose relu gives 0 for every one of the rows, so that "
            + "nothing comes back through them. Gradients: their standard deviation, where it is 1 behind layer 20.");
        run.Section("Layer by layer");
        foreach (var look in looks)
        {
            run.Add(Histograms(look, "activations", "activation", layer => layer.Values));
            run.Add(Histograms(look, "gradients", "gradient", layer => layer.Gradients));
        }

        run.Metrics["layers"] = new JsonArray([.. looks.SelectMany(look => look.Layers.Select(layer => layer.ToJson(look)))]);
    }

    // The same weights for each placement.
    private static List<LayerLook> LookInto(
        Initializer initializer, BatchNormPlacement? place, float[] features, float[] gradients, int seed)
    {
        var network = Network.Input(Features);
        for (var layer = 0; layer < Layers; layer++)
        {
            network = network.Dense(Units, weights: initializer);
            if (place == BatchNormPlacement.BeforeActivation) network = network.BatchNorm();
            network = network.Relu();
            if (place == BatchNormPlacement.AfterActivation) network = network.BatchNorm();
        }

        var random = new Random(seed);
        var parameters = new Dictionary<string, float[]>(StringComparer.Ordinal);
        foreach (var parameter in network.Parameters)
        {
            var values = parameters[parameter.Name] = new float[parameter.Count];
            parameter.Initializer.Fill(values, parameter.Shape, random);
        }

        using var probe = new NetworkProbe(network, loss: null);
        var reading = probe.Read(name => parameters[name], features, gradients, Rows);
        var last = place == BatchNormPlacement.AfterActivation ? "batchnorm" : "relu";
        return [.. Enumerable.Range(1, Layers).Select(number => new LayerLook(
            number,
            reading.Activations[$"{last}{number}"],
            reading.Gradients[$"{last}{number}"],
            reading.Activations[$"relu{number}"]))];
    }

    private static PlottedFigure ByDepth(
        List<Look> looks,
        string name,
        string title,
        string label,
        Func<LayerLook, double> value,
        string unit = "ratio to the input's",
        bool isLogarithmic = true)
    {
        if (name == "gradients") unit = $"ratio to layer {Layers}'s";
        return new PlottedFigure(name, title, [.. looks.GroupBy(look => look.Weights).Select(weights => new PlottedPanel(
            $"{weights.Key}",
            new PlottedAxis("layer", "number"),
            isLogarithmic ? new PlottedAxis(label, unit, IsLogarithmic: true) : new PlottedAxis(label, unit, From: 0, To: 1),
            [.. weights.Select((look, i) => new PlottedLine(
                look.Placement, PlottedSeries.Styles[i], [.. look.Layers.Select(layer => ((double)layer.Number, value(layer)))]))]))]);
    }

    private static PlottedFigure Histograms(Look look, string what, string label, Func<LayerLook, float[]> values) => new(
        $"{what}-{look.File}",
        $"{look.Weights}, {look.Placement}: {what}",
        [.. Shown.Select(look.At).Select(layer => new PlottedPanel(
            $"layer {layer.Number}",
            new PlottedAxis(label, "value"),
            new PlottedAxis(what, "share of all"),
            PlottedBars.Of(what, what == "gradients" ? "b" : "a", values(layer))))]);

    private static float[] Gaussian(Random random, int count)
    {
        var values = new float[count];
        Initializer.Normal(1).Fill(values, [count, 1], random);
        return values;
    }

    private static string Digits(double value) => value is 0 or (>= 0.001 and < 10_000) or (<= -0.001 and > -10_000)
        ? value.ToString(Math.Abs(value) >= 10 ? "0.0" : "0.000", CultureInfo.InvariantCulture)
        : value.ToString("0.0E+0", CultureInfo.InvariantCulture);

    // One network.
    private sealed record Look(string Weights, string Placement, string File, List<LayerLook> Layers)
    {
        public string Sentence =>
            $"{Weights}, {Placement}: the standard deviation behind layers {string.Join(", ", Shown)} is "
            + $"{string.Join(", ", Shown.Select(number => Digits(At(number).Deviation)))}; gradients of standard deviation 1 behind layer "
            + $"{LayersExperiment.Layers} have {Digits(At(1).GradientDeviation)} at layer 1.";

        public LayerLook At(int number) => Layers[number - 1];
    }

    // One layer of it: what the next one gets, the gradient with respect to that, and what the relu gives.
    private sealed class LayerLook
    {
        public LayerLook(int number, float[] values, float[] gradients, float[] rectified)
        {
            (Number, Values, Gradients) = (number, values, gradients);
            (Mean, Deviation) = Moments(values);
            (_, GradientDeviation) = Moments(gradients);
            Zeros = rectified.Count(value => value == 0) / (double)rectified.Length;
            Dead = Enumerable.Range(0, Units)
                .Count(unit => Enumerable.Range(0, Rows).All(row => rectified[(row * Units) + unit] == 0)) / (double)Units;
        }

        public int Number { get; }

        public float[] Values { get; }

        public float[] Gradients { get; }

        public double Mean { get; }

        public double Deviation { get; }

        public double GradientDeviation { get; }

        public double Zeros { get; }

        public double Dead { get; }

        public JsonObject ToJson(Look look) => new()
        {
            ["firstWeights"] = look.Weights,
            ["batchNorm"] = look.Placement,
            ["layer"] = Number,
            ["mean"] = Mean,
            ["standardDeviation"] = Deviation,
            ["zeroShare"] = Zeros,
            ["deadUnitShare"] = Dead,
            ["gradientStandardDeviation"] = GradientDeviation,
        };

        // Over all rows and units; in float64, where the squares of numbers near 1e-23 still are numbers.
        private static (double Mean, double Deviation) Moments(float[] values)
        {
            var mean = values.Sum(value => (double)value) / values.Length;
            return (mean, Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / values.Length));
        }
    }
}
