using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm;

/// <summary>How one batch normalization of a trained network is doing; see <see cref="TrainedNetwork.BatchNorms"/>.</summary>
public sealed class BatchNormHealth
{
    private BatchNormHealth(string layer, int channels, int constantChannels, int closedChannels, double? distance)
    {
        (Layer, Channels, ConstantChannels) = (layer, channels, constantChannels);
        (ClosedChannels, Distance) = (closedChannels, distance);
    }

    /// <summary>Its name in the network.</summary>
    public string Layer { get; }

    /// <summary>How many channels it has.</summary>
    public int Channels { get; }

    /// <summary>
    /// Channels whose variance is below epsilon: they hold (nearly) the same value in every row, as behind units that have died.
    /// </summary>
    public int ConstantChannels { get; }

    /// <summary>Channels whose gamma is below a hundredth of the layer's largest: what they say hardly passes.</summary>
    public int ClosedChannels { get; }

    /// <summary>
    /// How far its running statistics are from those of the training rows, in standard deviations (see
    /// <see cref="TrainingOptions.StatisticsTolerance"/>); null where that was not measured: they are those of the rows themselves, frozen,
    /// or nobody asked.
    /// </summary>
    public double? Distance { get; }

    /// <summary>All batch normalizations of a network, in its order.</summary>
    internal static IReadOnlyList<BatchNormHealth> Of(TrainedNetwork network) =>
    [
        .. from site in network.Network.AllSites
           where site.Layer is BatchNormLayer
           let layer = (BatchNormLayer)site.Layer
           let variance = network.ParameterArrays[site.FullName("variance")]
           select new BatchNormHealth(
               site.Name,
               variance.Length,
               variance.Count(value => value < layer.Epsilon),
               Closed(network.ParameterArrays.GetValueOrDefault(site.FullName("gamma"))),
               network.StatisticsDistances.TryGetValue(site.Name, out var distance) ? distance : null),
    ];

    private static int Closed(float[]? gamma)
    {
        if (gamma is null) return 0;
        var largest = gamma.Max(Math.Abs);
        return gamma.Count(value => Math.Abs(value) < largest / 100);
    }
}
