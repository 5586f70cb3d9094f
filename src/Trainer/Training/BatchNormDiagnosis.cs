using System.Globalization;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>Finds the well-known ways in which batch normalization goes wrong without failing.</summary>
internal static class BatchNormDiagnosis
{
    private const int FewValues = 8;

    // Up to here the variance of what is dropped differs by a twentieth at most, which is less than it does from batch to batch.
    private const float HarmlessDropout = 0.05f;

    /// <summary>What can be said before the first step.</summary>
    public static IEnumerable<TrainingWarning> BeforeTraining(Network network, RunningStatistics statistics, int batchSize)
    {
        LayerSite? dropout = null;
        var any = false;
        foreach (var site in network.AllSites)
        {
            if (site.Layer is DropoutLayer { Rate: > HarmlessDropout }) dropout ??= site;
            if (site.Layer is not BatchNormLayer { Frozen: false } layer) continue;
            any = true;
            var values = Math.Min(batchSize, layer.GhostBatchSize ?? batchSize) * site.Input.Positions;
            if (values < FewValues)
                yield return new TrainingWarning(TrainingWarningKind.SmallBatch, site.Name, string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{site.Name}' gets {values} values of a channel in a mini-batch; under {FewValues} their mean and variance are "
                    + $"mostly noise. Take larger batches, or layer or group normalization."));
            if (dropout is not null)
                yield return new TrainingWarning(
                    TrainingWarningKind.DropoutBeforeBatchNorm,
                    site.Name,
                    $"The dropout '{dropout.Name}' stands in front of the batch normalization '{site.Name}': dropout changes the variance "
                    + "in training but not at inference, so the running variance is wrong there (Li et al. 2018). Move the dropout behind "
                    + "the last batch normalization, or use population statistics (RunningStatistics.Population, or --statistics "
                    + "population).");
        }

        if (any && !statistics.IsPopulation && statistics.Rate(1_000_000) >= 1)
            yield return new TrainingWarning(
                TrainingWarningKind.LastBatchStatistics,
                null,
                $"With the statistics '{statistics.Description}' the exported mean and variance are those of the last mini-batch alone. "
                + "Take a momentum of 0.1 (PyTorch) or 0.99 (Keras).");
    }

    /// <summary>
    /// How far statistics are from others, for one layer: the root mean square over its channels of the shift of the mean in standard
    /// deviations and of the logarithm of the ratio of standard deviations, √(mean(((E−E′)/σ′)² + ln²(σ/σ′))), with σ² = Var + ε.
    /// </summary>
    public static double Distance(
        LayerSite site,
        BatchNormLayer layer,
        IReadOnlyDictionary<string, float[]> exported,
        IReadOnlyDictionary<string, float[]> population)
    {
        var (mean, variance) = (exported[site.FullName("mean")], exported[site.FullName("variance")]);
        var (trueMean, trueVariance) = (population[site.FullName("mean")], population[site.FullName("variance")]);
        var sum = 0.0;
        for (var channel = 0; channel < mean.Length; channel++)
        {
            var spread = Math.Max(trueVariance[channel] + (double)layer.Epsilon, float.Epsilon);
            var shift = ((double)mean[channel] - trueMean[channel]) / Math.Sqrt(spread);
            var ratio = 0.5 * Math.Log(Math.Max(variance[channel] + (double)layer.Epsilon, float.Epsilon) / spread);
            sum += (shift * shift) + (ratio * ratio);
        }

        return Math.Sqrt(sum / mean.Length);
    }

    /// <summary>
    /// How far the statistics of each batch normalization are from those of the training rows, by name; see <see cref="Distance"/>.
    /// </summary>
    public static Dictionary<string, double> Distances(
        Network network, IReadOnlyDictionary<string, float[]> exported, IReadOnlyDictionary<string, float[]> population) =>
        network.AllSites.Where(site => site.Layer is BatchNormLayer { Frozen: false }).ToDictionary(
            site => site.Name, site => Distance(site, (BatchNormLayer)site.Layer, exported, population), StringComparer.Ordinal);

    /// <summary>What can be said of the statistics once the weights are final.</summary>
    /// <param name="distances">What <see cref="Distances"/> gives.</param>
    /// <param name="tolerance">The largest that is as meant.</param>
    public static IEnumerable<TrainingWarning> AfterTraining(IReadOnlyDictionary<string, double> distances, double tolerance)
    {
        foreach (var (name, distance) in distances)
        {
            if (distance > tolerance)
                yield return new TrainingWarning(TrainingWarningKind.StatisticsFarFromPopulation, name, string.Create(
                    CultureInfo.InvariantCulture,
                    $"The running statistics of '{name}' are {distance:0.00} standard deviations from those of the training rows (more "
                    + $"than {tolerance:0.00}): too few steps for their momentum, or weights that still move fast. Use population "
                    + $"statistics (RunningStatistics.Population, --statistics population, or RecomputeStatistics afterwards), or train "
                    + $"longer."));
        }
    }
}
