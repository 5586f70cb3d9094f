using System.Globalization;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>Looks into a network while it is trained, and says what it saw.</summary>
internal sealed class TrainingDiagnosis : IDisposable
{
    // A look costs about as much as some steps on as many rows: among 40 steps, and for one row in 64, that is a few percent.
    private const int StepsBetween = 40;
    private const int RowsForEach = 64;
    private const int FewestRows = 64;
    private const int MostRows = 512;

    // A relu that gives 0 for every row gets no gradient and never comes back (Lu et al. 2019, arXiv 1903.06733). Some die in every
    // network; where a fifth did, the learning rate or the first weights are to blame.
    private const double ManyDead = 0.2;

    // Where half of the values are at the ends, most of the gradient is lost in each such layer (Glorot and Bengio 2010, section 3.1).
    private const double MuchSaturated = 0.5;

    // The first layer learns a thousand times slower or faster than the last one, while one learning rate serves both.
    private const double FarFromEachOther = 1e3;

    // Steps are about a thousandth of the weights, with Adam a hundredth of small ones; a tenth throws away what was learned before. What
    // moves by less than the last digit of a float32 does not move.
    private const double LargeStep = 0.1;
    private const double SmallStep = 1e-7;

    private readonly NetworkProbe _probe;
    private readonly LayerSite[] _sites;
    private readonly float[] _features;
    private readonly float[] _targets;
    private readonly int _rows;
    private readonly int _every;
    private readonly int _epochs;
    private readonly List<LayerDiagnostics> _seen = [];

    /// <summary>Draws the rows, and prepares the looks.</summary>
    /// <param name="network">The network.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="rows">The rows as they go into the first layer, with targets as they are learned.</param>
    /// <param name="stepsPerEpoch">The steps of an epoch.</param>
    /// <param name="options">The options of the training; its <see cref="TrainingOptions.Diagnostics"/> are there.</param>
    /// <param name="settings">Device and threads.</param>
    public TrainingDiagnosis(
        Network network, Loss loss, TrainingData rows, int stepsPerEpoch, TrainingOptions options, ExecutionOptions settings)
    {
        var diagnostics = options.Diagnostics!;
        _rows = Math.Min(diagnostics.Rows ?? Math.Clamp(rows.Count / RowsForEach, FewestRows, MostRows), rows.Count);
        _every = diagnostics.EveryEpochs ?? Math.Max(1, (StepsBetween + stepsPerEpoch - 1) / Math.Max(1, stepsPerEpoch));
        _epochs = options.Epochs;
        var order = Enumerable.Range(0, rows.Count).ToArray();
        new Random(options.Seed).Shuffle(order);
        Array.Resize(ref order, _rows);
        Array.Sort(order);
        var sample = rows.Select(order);
        _features = sample.FeatureArray;
        _targets = ForEachMember(sample, network.MemberCount);
        _sites = [.. network.AllSites];
        _probe = new NetworkProbe(network, loss, settings: settings);
    }

    /// <summary>What was seen so far: each layer at each look.</summary>
    public IReadOnlyList<LayerDiagnostics> Seen => _seen;

    /// <summary>Takes up what an earlier run saw.</summary>
    public void Resume(IReadOnlyList<LayerDiagnostics> seen) => _seen.AddRange(seen);

    /// <summary>Looks, if it is time to.</summary>
    /// <param name="epoch">The epoch that has ended, from 1.</param>
    /// <param name="step">The step, with the parameters as they are measured.</param>
    public void Look(int epoch, TrainingStep step)
    {
        if (epoch > 1 && epoch < _epochs && epoch % _every != 0) return;
        var reading = _probe.Read(name => step.Parameter(name).ToArray(), _features, _targets, _rows);
        foreach (var site in _sites)
            if (reading.Activations.TryGetValue(site.Name, out var given)) _seen.Add(Of(epoch, site, given, reading, step));
    }

    /// <summary>What is unusual in what was seen; nothing, in a training as it should be.</summary>
    /// <param name="seen">Each layer at each look.</param>
    public static IEnumerable<TrainingWarning> Findings(IReadOnlyList<LayerDiagnostics> seen)
    {
        var layers = seen.GroupBy(look => look.Layer).Select(looks => looks.OrderBy(look => look.Epoch).ToArray()).ToArray();
        foreach (var looks in layers)
        {
            if (Since(looks, look => look.DeadUnits >= ManyDead * look.Units) is { } dead)
                yield return new TrainingWarning(TrainingWarningKind.DeadUnits, looks[^1].Layer, string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{looks[^1].Layer}': {Percent((double)looks[^1].DeadUnits!.Value / looks[^1].Units)} of its {looks[^1].Units:N0} "
                    + $"units are dead since epoch {dead.Epoch}: in every row that was looked at they are where the activation is flat, "
                    + $"and learn nothing. Put a batch normalization in front of it, or take a smaller learning rate, or leakyrelu."));
            if (Since(looks, look => look.Saturated >= MuchSaturated) is { } saturated)
                yield return new TrainingWarning(TrainingWarningKind.SaturatedUnits, looks[^1].Layer, string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{looks[^1].Layer}': {Percent(looks[^1].Saturated!.Value)} of what it gives is at the ends of the {looks[^1].Kind} "
                    + $"since epoch {saturated.Epoch}, where hardly any gradient comes back. Put a batch normalization in front of it, or "
                    + $"take smaller first weights or a smaller learning rate."));
        }

        foreach (var finding in OfGradients(layers)) yield return finding;
        foreach (var looks in layers.Where(looks => looks[^1].UpdateRatio is not null))
        {
            var late = looks.Skip(looks.Length / 2).Where(look => look.UpdateRatio is not null).ToArray();
            if (late.Length > 1 && late.All(look => look.UpdateRatio > LargeStep))
                yield return new TrainingWarning(TrainingWarningKind.UnusualUpdates, looks[^1].Layer, string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{looks[^1].Layer}': a step still changes its weights by {Percent(late[^1].UpdateRatio!.Value)} of their length at "
                    + $"epoch {late[^1].Epoch}; a thousandth is usual, and more than {Percent(LargeStep)} throws away what was learned. "
                    + $"Take a smaller learning rate."));
            else if (looks.All(look => look.UpdateRatio < SmallStep))
                yield return new TrainingWarning(TrainingWarningKind.UnusualUpdates, looks[^1].Layer, string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{looks[^1].Layer}': a step changes its weights by {looks[^1].UpdateRatio:0.0e+0} of their length at most, less than "
                    + $"float32 can tell: it does not learn. Take a larger learning rate, or see why no gradient reaches it."));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _probe.Dispose();

    // Among layers with weights, since all of them learn at one rate.
    private static IEnumerable<TrainingWarning> OfGradients(IReadOnlyList<LayerDiagnostics[]> layers)
    {
        var learning = layers.Where(looks => looks[^1].WeightNorm is not null && looks[^1].GradientSize > 0).ToArray();
        if (learning.Length < 2) yield break;
        var (first, last) = (learning[0], learning[^1]);
        var ratio = first[^1].GradientSize / last[^1].GradientSize;
        if (ratio is >= 1 / FarFromEachOther and <= FarFromEachOther) yield break;
        var isSmall = ratio < 1;
        var since = first[^1].Epoch;
        foreach (var (one, other) in first.Zip(last).Reverse())
        {
            var then = one.GradientSize / other.GradientSize;
            if (isSmall ? !(then < 1 / FarFromEachOther) : !(then > FarFromEachOther)) break;
            since = one.Epoch;
        }

        yield return new TrainingWarning(
            isSmall ? TrainingWarningKind.VanishingGradients : TrainingWarningKind.ExplodingGradients,
            first[^1].Layer,
            string.Create(
                CultureInfo.InvariantCulture,
                $"'{first[^1].Layer}': the gradient of a value is {ratio:0.0e+0} of that at '{last[^1].Layer}' since epoch {since}, so "
                + $"that one learning rate cannot suit both. Put batch normalizations between the layers, or take He's or Glorot's first "
                + $"weights, or fewer layers."));
    }

    // The first look from which on it is so until the last one; null where it is not so at the last one.
    private static LayerDiagnostics? Since(LayerDiagnostics[] looks, Func<LayerDiagnostics, bool> isSo) =>
        Enumerable.Reverse(looks).TakeWhile(isSo).LastOrDefault();

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:0} %");

    private static LayerDiagnostics Of(int epoch, LayerSite site, float[] given, ProbeReading reading, TrainingStep step)
    {
        var weights = site.Layer.Parameters(site).Where(parameter => parameter.Role == ParameterRole.Weight)
            .Select(parameter => site.FullName(parameter.Name)).ToArray();
        double change = 0, length = 0, gradient = 0;
        foreach (var name in weights)
        {
            var (moved, was) = step.LastUpdate(name);
            (change, length) = (change + moved, length + was);
            gradient += Math.Pow(LayerDiagnostics.Norm(reading.Gradients[name]), 2);
        }

        return LayerDiagnostics.Of(epoch, site, given, reading.Gradients[site.Name], new ParameterDiagnostics(
            weights.Length > 0 ? Math.Sqrt(length) : null,
            weights.Length > 0 ? Math.Sqrt(gradient) : null,
            length > 0 ? Math.Sqrt(change / length) : null,
            Range(site, "gamma", step),
            Range(site, "beta", step),
            site.Layer is BatchNormLayer { Frozen: false } layer ? Distance(site, layer, reading, step) : null));
    }

    private static double[] Range(LayerSite site, string name, TrainingStep step)
    {
        if (site.Layer is not BatchNormLayer || site.Layer.Parameters(site).All(parameter => parameter.Name != name)) return [];
        var values = step.Parameter(site.FullName(name)).ToArray();
        return [values.Min(), values.Average(value => (double)value), values.Max()];
    }

    private static double Distance(LayerSite site, BatchNormLayer layer, ProbeReading reading, TrainingStep step)
    {
        string[] names = [site.FullName("mean"), site.FullName("variance")];
        return BatchNormDiagnosis.Distance(
            site, layer, names.ToDictionary(name => name, name => step.Parameter(name).ToArray()), reading.BatchStatistics);
    }

    private static float[] ForEachMember(TrainingData rows, int members)
    {
        var targets = new float[rows.Count * members * rows.Outputs];
        for (var place = 0; place < rows.Count * members; place++)
            rows.Target(place / members).CopyTo(targets.AsSpan(place * rows.Outputs));
        return targets;
    }
}
