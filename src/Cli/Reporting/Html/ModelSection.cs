using System.Globalization;
using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>The network: how its batch normalizations are doing, how they were folded, and the proof that nothing changed.</summary>
internal static class ModelSection
{
    public static IEnumerable<XElement> Create(TrainedNetwork network, NetworkExport export, TimeSpan singleRow)
    {
        yield return Html.H2("The network");
        yield return Html.P(
            $"{string.Join(" → ", network.Network.Sites.Select(site => site.Name))}. "
            + $"It has {Html.Count(network.Network.ParameterCount)} parameters, "
            + string.Create(
                CultureInfo.InvariantCulture,
                $"and a single prediction takes {singleRow.TotalMicroseconds:0.0} µs on the machine that trained it."));
        var health = network.BatchNorms;
        if (health.Count > 0)
        {
            yield return Html.H3("Batch normalizations");
            yield return Html.Table(
                ["layer", "channels", "the same in every row", "closed (gamma near 0)", "statistics off by"],
                health.Select(layer => new object[]
                {
                    layer.Layer,
                    Html.Number(Html.Count(layer.Channels)),
                    Html.Number(Html.Count(layer.ConstantChannels)),
                    Html.Number(Html.Count(layer.ClosedChannels)),
                    Html.Number(layer.Distance is { } distance ? string.Create(CultureInfo.InvariantCulture, $"{distance:0.00} σ") : "–"),
                }));
            yield return Html.Small(string.Create(
                CultureInfo.InvariantCulture,
                $"The last column: how far the mean and variance that the network uses are from those of its training rows, in standard "
                    + $"deviations; above {new TrainingOptions().StatisticsTolerance:0.00} there is a warning. Channels that are the same "
                    + $"in every row, or closed, do nothing: if there are many, a smaller network would do."));
        }

        yield return Html.H3("Folding");
        var counted = network.Standardization is null
            ? string.Empty
            : ", counting the one that brings the features to mean 0 and variance 1,";
        yield return Html.P(
            $"For use, {export.Unfolded.BatchNormCount - export.Folded.BatchNormCount} of {export.Unfolded.BatchNormCount} "
            + $"batch normalizations{counted} were folded into the layers beside them: "
            + $"{export.Folding.NodesBefore} steps of computation became {export.Folding.NodesAfter}.");
        if (export.Folding.BatchNorms.Count > 0)
            yield return Html.Table(
                ["batch normalization", "went into"],
                export.Folding.BatchNorms.Select(
                    outcome => new object[] { outcome.Name, outcome.Into.Length > 0 ? outcome.Into : outcome.Reason }));
        yield return Html.P(string.Create(
            CultureInfo.InvariantCulture,
            $"The proof: both networks were run on training rows, and their outputs differ by at most "
                + $"{export.Verification.LargestAbsolute:0.0e+0}, "
                + $"which is {export.Verification.LargestRelative:0.0e+0} of the output's scale.")
            + (export.RoundingNoise is { } noise
                ? string.Create(
                    CultureInfo.InvariantCulture,
                    $" That is rounding: a change of the last digit of the inputs moves this network by {noise:0.0e+0}.")
                : string.Empty));
        if (export.Reduced is { } reduced)
            yield return Html.P(
                $"Its numbers were then stored as {PrecisionNames.NameOf(reduced.Precision)}: "
                    + $"{Html.Count(reduced.Check.Result.BytesBefore)} bytes became {Html.Count(reduced.Check.Result.BytesAfter)}. "
                    + $"The figures above are those of the smaller model.");
    }
}
