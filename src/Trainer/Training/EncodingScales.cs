using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>
/// What an encoding of numbers multiplies its values with while a network is trained (see <see cref="Data.EncodedNumbers.Unscaled"/>).
/// </summary>
internal static class EncodingScales
{
    /// <summary>
    /// A trained network whose encoding scales nothing any more: the scales go into the weights of a dense layer behind it.
    /// </summary>
    public static (Network Network, IReadOnlyDictionary<string, float[]> Parameters) IntoNext(
        Network network, IReadOnlyDictionary<string, float[]> parameters)
    {
        if (network.Sites is not [{ Layer: NumericEncodingLayer { Encoding: var encoding } first }, var next, ..])
            return (network, parameters);
        if (next.Layer is MembersLayer members) next = members.InnerSites(next)[0];
        if (next.Layer is not DenseLayer) return (network, parameters);
        var (unscaled, scales) = encoding.Unscaled();
        var (name, units) = (next.FullName("weight"), (int)next.Output.Channels);
        var weights = parameters[name].AsSpan().ToArray();
        for (var i = 0; i < weights.Length; i++) weights[i] *= scales[i / units];
        var plain = new NumericEncodingLayer(unscaled) { Name = first.Name };
        return (
            network.Skip(1).Behind(Network.Input([.. network.InputShape.Sizes]).Add(plain)),
            new Dictionary<string, float[]>(parameters, StringComparer.Ordinal) { [name] = weights });
    }
}
