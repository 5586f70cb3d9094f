using System.Globalization;
using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>What was seen inside the network while it was trained.</summary>
internal static class DiagnosticsSection
{
    // As many lines as there are colours; the file has all layers.
    private static readonly int MostLines = PlottedSeries.Styles.Count;

    /// <summary>The section; empty where nobody looked.</summary>
    /// <param name="network">The network.</param>
    /// <param name="fileName">The file with all numbers.</param>
    public static IEnumerable<XElement> Create(TrainedNetwork network, string fileName)
    {
        var layers = network.Diagnostics.GroupBy(look => look.Layer).Select(looks => looks.OrderBy(look => look.Epoch).ToArray()).ToArray();
        if (layers.Length == 0) yield break;
        var epochs = layers.Max(looks => looks.Length);
        yield return Html.H2("Inside the network");
        yield return Html.P(
            $"At the end of {epochs} epoch{(epochs == 1 ? string.Empty : "s")}, some of the training rows went through the network as in a "
            + $"step, forwards and backwards. All numbers are in {fileName}.");
        TrainingWarning[] findings = [.. network.Warnings.Where(warning => warning.IsOfDiagnostics)];
        foreach (var finding in findings) yield return Html.P(new XElement("strong", "Finding: "), finding.Message);
        if (findings.Length == 0)
            yield return Html.P(
                "Nothing unusual was found: no layer has many dead or saturated units, the gradient reaches the first layer, and steps are "
                + "neither too large nor nothing.");
        foreach (var figure in Figures(layers, Path.GetFileNameWithoutExtension(fileName))) yield return figure.ToHtml();
        yield return Html.H3($"Every layer at epoch {layers[^1][^1].Epoch}");
        yield return new XElement(
            "div",
            new XAttribute("class", "scroll"),
            new XAttribute("tabindex", "0"),
            Html.Table(
                [
                    "layer", "units", "mean", "standard deviation", "zeros", "saturated", "dead units", "gradient",
                    "gradients from 0, 1e-12 to 100", "weights", "step / weights", "gamma", "beta", "statistics off by",
                ],
                layers.Select(looks => Cells(looks[^1]))));
        yield return Html.Small(
            "Gradient: the length of the gradient of the loss with respect to what the layer gives; the bars are the shares of its "
            + "elements that are 0, and of each power of ten. Weights: their length. Statistics: how far the running mean and variance are "
            + "from those of the rows, in standard deviations.");
    }

    private static IEnumerable<PlottedFigure> Figures(LayerDiagnostics[][] layers, string name)
    {
        var given = Some(layers.Where(looks => looks[^1].DeadUnits is not null || looks[^1].Kind is "batchnorm").ToArray());
        if (given.Length == 0) given = Some(layers);
        yield return new PlottedFigure(name, "What the layers give", [.. given.Select(Spread)])
        {
            Caption = "The line is the median, the dark band 15 to 85 %, the light one 1 to 99 % of all values.",
        };
        var stuck = Some([.. layers.Where(looks => looks[^1].DeadUnits is not null)]);
        if (stuck.Length > 0)
            yield return new PlottedFigure(
                name,
                "Units that hardly learn",
                new PlottedPanel("Dead units", Epoch, Shares("units"), Lines(stuck, look => (double)look.DeadUnits! / look.Units)),
                new PlottedPanel(
                    "Zeros, and values at the ends of sigmoid and tanh",
                    Epoch,
                    Shares("values"),
                    Lines(stuck, look => look.Saturated ?? look.Zeros)));
        var learning = Some([.. layers.Where(looks => looks[^1].WeightNorm is not null)]);
        if (learning.Length > 0)
            yield return new PlottedFigure(
                name,
                "Gradients and steps",
                new PlottedPanel(
                    "Gradient of a value that the layer gives",
                    Epoch,
                    new PlottedAxis("root mean square", "loss per unit", IsLogarithmic: true),
                    Lines(learning, look => look.GradientNorm / Math.Sqrt(look.Values))),
                new PlottedPanel(
                    "The last step of the epoch",
                    Epoch,
                    new PlottedAxis("change of the weights", "share of their length", IsLogarithmic: true),
                    Lines(learning, look => look.UpdateRatio ?? double.NaN)));
        var normalizing = Some([.. layers.Where(looks => looks[^1].StatisticsDistance is not null)]);
        if (normalizing.Length > 0)
            yield return new PlottedFigure(
                name,
                "Batch normalizations",
                [
                    new PlottedPanel(
                        "Running statistics off by",
                        Epoch,
                        new PlottedAxis("distance", "standard deviations", From: 0),
                        Lines(normalizing, look => look.StatisticsDistance!.Value)),
                    .. new[] { Means("Gamma", normalizing, look => look.Gamma), Means("Beta", normalizing, look => look.Beta) }
                        .OfType<PlottedPanel>(),
                ])
            {
                Caption = "Gamma and beta are the means over the channels.",
            };
    }

    private static PlottedAxis Epoch => new("epoch", "count");

    private static PlottedAxis Shares(string of) => new(of, "share", From: 0, To: 1);

    private static PlottedPanel Spread(LayerDiagnostics[] looks)
    {
        var levels = LayerDiagnostics.PercentileLevels.ToList();
        return new PlottedPanel(
            looks[^1].Layer, Epoch, new PlottedAxis("value", "number"), Band(1, 99), Band(15, 85),
            new PlottedLine("median", "a", [.. looks.Select(look => ((double)look.Epoch, At(look, 50)))]));

        PlottedBand Band(int low, int high) => new(
            $"{low} to {high} %", "a", [.. looks.Select(look => ((double)look.Epoch, At(look, low), At(look, high)))]);

        double At(LayerDiagnostics look, int level) => look.Percentiles[levels.IndexOf(level)];
    }

    private static PlottedPanel? Means(string title, LayerDiagnostics[][] layers, Func<LayerDiagnostics, IReadOnlyList<double>> of)
    {
        var having = layers.Where(looks => of(looks[^1]).Count > 0).ToArray();
        return having.Length == 0
            ? null
            : new PlottedPanel(title, Epoch, new PlottedAxis("mean over the channels", "number"), Lines(having, look => of(look)[1]));
    }

    private static PlottedLine[] Lines(LayerDiagnostics[][] layers, Func<LayerDiagnostics, double> of) =>
    [
        .. layers.Select((looks, i) => new PlottedLine(
            looks[^1].Layer, PlottedSeries.Styles[i], [.. looks.Select(look => ((double)look.Epoch, of(look)))])),
    ];

    // The first, the last, and some evenly between.
    private static LayerDiagnostics[][] Some(LayerDiagnostics[][] layers) => layers.Length <= MostLines
        ? layers
        : [.. Enumerable.Range(0, MostLines).Select(i => layers[i * (layers.Length - 1) / (MostLines - 1)])];

    private static IEnumerable<object> Cells(LayerDiagnostics look) =>
    [
        look.Layer,
        Html.Number(Html.Count(look.Units)),
        Number(look.Mean),
        Number(look.StandardDeviation),
        Html.Number(Html.Percent(look.Zeros)),
        Html.Number(look.Saturated is { } share ? Html.Percent(share) : "–"),
        Html.Number(look.DeadUnits is { } dead ? Html.Count(dead) : "–"),
        Number(look.GradientNorm),
        Html.Bars([.. look.GradientHistogram.Select(share => (long)Math.Round(1000 * share))]),
        Number(look.WeightNorm),
        Number(look.UpdateRatio),
        Html.Number(Range(look.Gamma)),
        Html.Number(Range(look.Beta)),
        Number(look.StatisticsDistance),
    ];

    private static XElement Number(double? value) =>
        Html.Number(value is { } number ? number.ToString("G3", CultureInfo.InvariantCulture) : "–");

    private static string Range(IReadOnlyList<double> ends) =>
        ends.Count == 0 ? "–" : string.Create(CultureInfo.InvariantCulture, $"{ends[0]:G3} to {ends[^1]:G3}");
}
