using System.Globalization;

namespace MlNetBatchNorm.Transforms.Tasks;

/// <summary>
/// A table that is so wide that the usual first layer would have more weights than the table has values to learn them from, and millions of
/// them: it gets fewer units, and fewer epochs with them. Any labels are learned by heart in a few steps there, and all that the other
/// weights would bring is minutes and gigabytes.
/// </summary>
/// <param name="Rows">The rows to learn from.</param>
/// <param name="Features">The features of each.</param>
/// <param name="Networks">The networks that have a first layer of their own.</param>
/// <param name="Usual">The units of the first layer of each in the preset.</param>
internal sealed record WideTable(int Rows, int Features, int Networks, int Usual)
{
    // So many weights cost next to nothing, whatever the table.
    private const long MostFree = 1 << 21;
    private const int FewestUnits = 4;
    private const int FewestEpochs = 60;
    private const int LeastPatience = 8;

    /// <summary>The units of the first layer of each network: as many as there may be weights for.</summary>
    public int Units => (int)Math.Clamp(Allowed / ((long)Features * Networks), Math.Min(FewestUnits, Usual), Usual);

    private long Values => (long)Rows * Features;

    private long Allowed => Math.Max(MostFree, Values);

    private long Weights => (long)Features * Networks * Usual;

    /// <summary>Looks at a table; null where the usual first layer fits, or was not left to the preset.</summary>
    /// <param name="given">The options as they were given.</param>
    /// <param name="complete">The same with those of the preset.</param>
    /// <param name="rows">The rows to learn from.</param>
    /// <param name="features">The features of each.</param>
    public static WideTable? Find(BatchNormNetworkOptions given, BatchNormNetworkOptions complete, int rows, int features)
    {
        if (given.HiddenLayers is not null || given.Network is not null) return null;

        // No member at all is refused elsewhere.
        var networks = complete.SharedWeights ? 1 : Math.Max(1, complete.Members!.Value);
        var wide = new WideTable(rows, features, networks, complete.HiddenLayers![0]);
        return wide.Units < wide.Usual ? wide : null;
    }

    /// <summary>A preset's options for the table.</summary>
    /// <param name="open">The options.</param>
    public BatchNormNetworkOptions Narrow(BatchNormNetworkOptions open)
    {
        var (epochs, patience) = (open.Epochs!.Value, open.EarlyStoppingPatience!.Value);
        var fewer = Math.Min(epochs, Math.Max(FewestEpochs, Part(epochs, Units, Usual)));
        return open with
        {
            HiddenLayers = [Units, .. open.HiddenLayers!.Skip(1)],
            Epochs = fewer,
            EarlyStoppingPatience = Math.Min(patience, Math.Max(LeastPatience, Part(patience, fewer, epochs))),
        };
    }

    /// <summary>What was chosen, why, and what forces the other.</summary>
    /// <param name="layers">The units of the layers.</param>
    public string Describe(IReadOnlyList<int> layers)
    {
        var each = Networks > 1 ? $" for each of {Networks} networks" : string.Empty;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"the first layer has {Units} units{each}, not {Usual}, and there are fewer epochs where they are left open: of {Features:N0} "
                + $"features it would have {Weights:N0} weights, to be learned from {Values:N0} values in {Rows:N0} rows (--hidden "
                + $"{string.Join(',', [Usual, .. layers.Skip(1)])}, in the library HiddenLayers, has it as usual)");
    }

    private static int Part(int of, int part, int whole) => (int)((long)of * part / Math.Max(1, whole));
}
