using System.Globalization;
using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>How the training went: the losses of every epoch.</summary>
internal static class LearningSection
{
    public static IEnumerable<XElement> Create(TrainedNetwork network)
    {
        var (history, best) = (network.History, network.Best);
        var outOfFold = network.OutOfFold is not null;
        (double X, double Y)[] training = [.. history.Select(report => ((double)report.Epoch, report.Loss))];
        (double X, double Y)[] validation = [.. history.Where(report => report.Validation is not null).Select(
            report => ((double)report.Epoch, report.Validation!.Loss))];
        var chart = new Chart(
                "Loss by epoch",
                Axis.For("epoch", training.Select(point => point.X)) with { Unit = Axis.Count },
                Axis.For("loss", training.Concat(validation).Select(point => point.Y)) with { Unit = UnitOf(network.Loss) })
            .Line(training, "a");
        if (history.Count == 1) chart.Dots(training, "a");
        object?[] caption = [Html.Swatch("a"), "rows it learns from"];
        if (validation.Length > 0)
        {
            chart.Line(validation, "b").Dots(validation.Where(point => point.X == best.Epoch), "b", 5);
            var measured = outOfFold ? "each row by the member that does not learn from it" : "rows held out";
            caption = [.. caption, Html.Swatch("b"), $"{measured}, with a dot at the epoch that was taken"];
        }

        yield return Html.H2("How it learned");
        yield return Html.P(string.Create(
            CultureInfo.InvariantCulture,
            $"An epoch is one pass over the rows. There were {history.Count}, in {history[^1].Elapsed.TotalSeconds:0.0} seconds on "
            + $"{network.Device}; the network is that of epoch {best.Epoch}. ")
            + (outOfFold
                ? $"It is an ensemble of {network.Network.MemberCount} members, each of which learns from all rows but one part; the loss, "
                    + "which training makes small, is also measured on each row by the one member that did not learn from it. Where that "
                    + "curve rises again while the other falls, the members begin to learn their rows by heart."
                : validation.Length > 0
                ? "The loss is what training makes small. It should fall on the rows held out, too; where that curve rises again while the "
                    + "other falls, the network begins to learn its rows by heart."
                : "The loss is what training makes small. No rows were held out, so the last epoch counts."));
        yield return Html.Figure(chart.ToSvg(), caption);
        foreach (var warning in network.Warnings.Where(warning => !warning.IsOfDiagnostics))
            yield return Html.P(new XElement("strong", "Warning: "), warning.Message);
    }

    // Numbers are learned in standard deviations from their mean.
    private static string UnitOf(Loss loss) => !loss.IsRegression ? "nats" : loss == Loss.AbsoluteError ? "deviations" : "deviations²";
}
