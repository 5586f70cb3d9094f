using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>
/// The features that differ between the training rows, where most do not: of hashed categories with 65,536 places, the few hundred that
/// occur. The others are 0 to the network, whatever they are (<see cref="Standardization"/>), so it is trained without them, and their
/// weights in its first layer are 0.
/// </summary>
internal sealed class UsedFeatures
{
    // Where more are used, leaving out the others is not worth it.
    private const int LargestShare = 2;

    private readonly Network _whole;
    private readonly int[] _slots;

    private UsedFeatures(Network whole, int[] slots, Network used) => (_whole, _slots, Network) = (whole, slots, used);

    /// <summary>The network that takes only these features.</summary>
    public Network Network { get; }

    /// <summary>Finds them; null where the network is trained on all of its features.</summary>
    /// <param name="network">The network.</param>
    /// <param name="standardization">What makes 0 of the others; null = nothing does.</param>
    /// <param name="rows">The training rows.</param>
    /// <param name="ranks">The ranks that train together, all of which leave out the same; null = there is but this one.</param>
    public static UsedFeatures? Find(
        Network network, Standardization? standardization, TrainingData rows, Communicator? ranks = null)
    {
        var isDense = !rows.FeatureRows.IsSparse;
        if (ranks is not null) isDense = ranks.Largest(isDense ? 1 : 0) > 0;
        if (isDense || network.Sites is not [var first, ..]) return null;
        var encoding = (first.Layer as NumericEncodingLayer)?.Encoding;
        var takesAll = first.Layer is DenseLayer or MembersLayer { Shared: false, Body.Sites: [{ Layer: DenseLayer }, ..] };
        if (encoding is null && (standardization is null || !takesAll)) return null;
        int[] used = encoding?.Used
            ?? [.. Enumerable.Range(0, rows.FeatureRows.Width).Where(slot => standardization!.StandardDeviation[slot] > 0)];
        if (used.Length == 0 || (long)used.Length * LargestShare > rows.FeatureRows.Width) return null;
        var input = Network.Input(used.Length);
        return new UsedFeatures(network, used, encoding is null
            ? network.Behind(input)
            : network.Skip(1).Behind(input.Add(new NumericEncodingLayer(encoding.Of(used)) { Name = first.Layer.Name })));
    }

    /// <summary>The rows with these features only.</summary>
    public TrainingData Apply(TrainingData rows) => rows.With(rows.FeatureRows.Keep(_slots), Network.InputShape);

    /// <summary>The parameters of the whole network.</summary>
    public Dictionary<string, float[]> Restore(IReadOnlyDictionary<string, float[]> parameters)
    {
        // An encoding that leaves out the others does so for the whole network, too.
        var first = _whole.Sites[0];
        if (first.Layer is NumericEncodingLayer) return new Dictionary<string, float[]>(parameters, StringComparer.Ordinal);
        if (first.Layer is MembersLayer members) first = members.InnerSites(first)[0];
        var (name, units) = (first.FullName("weight"), (int)first.Output.Channels);
        var weights = new float[_whole.InputShape.Channels * units];
        for (var i = 0; i < _slots.Length; i++)
            parameters[name].AsSpan(i * units, units).CopyTo(weights.AsSpan(_slots[i] * units));
        return new Dictionary<string, float[]>(parameters, StringComparer.Ordinal) { [name] = weights };
    }
}
