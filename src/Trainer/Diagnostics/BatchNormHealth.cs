namespace MlNetBatchNorm.Trainer;

/// <summary>How one batch normalization of a trained network is doing.</summary>
/// <param name="Layer">Its name in the network.</param>
/// <param name="Channels">Its channels.</param>
/// <param name="ConstantChannels">
/// Channels whose variance is below epsilon: they hold (nearly) the same value in every row, as behind units that have died.
/// </param>
/// <param name="ClosedChannels">Channels whose gamma is below a hundredth of the layer's largest: what they say hardly passes.</param>
/// <param name="Distance">
/// How far its running statistics are from those of the training rows, in standard deviations (see
/// <see cref="TrainingOptions.StatisticsTolerance"/>); null where that was not measured: they are those of the rows themselves, frozen, or nobody
/// asked.
/// </param>
public sealed record BatchNormHealth(string Layer, int Channels, int ConstantChannels, int ClosedChannels, double? Distance)
{
    /// <summary>All batch normalizations of a network, in its order.</summary>
    public static IReadOnlyList<BatchNormHealth> Of(TrainedNetwork network)
    {
        ArgumentNullException.ThrowIfNull(network);
        return
        [
            .. from site in network.Network.AllSites
               where site.Layer is BatchNormLayer
               let layer = (BatchNormLayer)site.Layer
               let variance = network.Parameters[site.FullName("variance")]
               select new BatchNormHealth(
                   site.Name,
                   variance.Length,
                   variance.Count(value => value < layer.Epsilon),
                   Closed(network.Parameters.GetValueOrDefault(site.FullName("gamma"))),
                   network.StatisticsDistances.TryGetValue(site.Name, out var distance) ? distance : null),
        ];
    }

    private static int Closed(float[]? gamma)
    {
        if (gamma is null) return 0;
        var largest = gamma.Max(Math.Abs);
        return gamma.Count(value => Math.Abs(value) < largest / 100);
    }
}
