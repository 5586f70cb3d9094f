using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>
/// What normalizes the hidden layers of a network (<see cref="Network.FeedForward"/>): over the mini-batch, each row, groups, or nothing.
/// </summary>
public abstract record Normalization
{
    private protected Normalization()
    {
    }

    /// <summary>No normalization: a plain network, for comparison.</summary>
    public static Normalization None { get; } = new NoNormalization();

    /// <summary>Whether it is batch normalization.</summary>
    internal virtual bool IsBatch => false;

    /// <summary>Where it stands in a hidden layer.</summary>
    internal virtual BatchNormPlacement Placement => BatchNormPlacement.BeforeActivation;

    /// <summary>
    /// Batch normalization (Ioffe and Szegedy 2015, arXiv 1502.03167): each channel over the mini-batch; folded away at export.
    /// </summary>
    /// <param name="options">How it computes and where it stands; null = the defaults.</param>
    public static Normalization Batch(BatchNormOptions? options = null) => new BatchNormalization(options ?? new BatchNormOptions());

    /// <summary>
    /// Layer normalization (Ba et al. 2016, arXiv 1607.06450): each row by itself, for batches that are tiny. It is not folded.
    /// </summary>
    /// <param name="epsilon">Added to the variance under the root; a finite number from 0. Default: 1e-5.</param>
    public static Normalization Layer(float epsilon = 1e-5f) => new LayerNormalization(epsilon);

    /// <summary>Group normalization (Wu and He 2018, arXiv 1803.08494): groups of a row's channels. It is not folded.</summary>
    /// <param name="groups">The groups that the channels (units) of each layer are divided into; at least 1.</param>
    /// <param name="epsilon">Added to the variance under the root; a finite number from 0. Default: 1e-5.</param>
    public static Normalization Group(int groups, float epsilon = 1e-5f)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(groups, 1);
        return new GroupNormalization(groups, epsilon);
    }

    /// <summary>Reads a name, in any case: batch, layer, group:GROUPS or none.</summary>
    /// <exception cref="FormatException">Another name.</exception>
    public static Normalization Parse(string text) => Choice.Read(text) switch
    {
        ("batch", []) => Batch(),
        ("layer", []) => Layer(),
        ("group", [var groups]) when groups is >= 1 and <= int.MaxValue && double.IsInteger(groups) => Group((int)groups),
        ("none", []) => None,
        var other => throw other.Unknown("a normalization", "batch, layer, group:GROUPS or none"),
    };

    /// <summary>Reads a text as <see cref="Parse"/> does, without an exception.</summary>
    /// <param name="text">The text; null is none.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Normalization? result) => Choice.TryParse(Parse, text, out result);

    /// <summary>
    /// The kind as <see cref="Parse"/> reads it, without epsilon and the options of a batch normalization: <c>group:8</c>.
    /// </summary>
    public sealed override string ToString() => Text;

    /// <summary>The layer of a batch normalization with some options.</summary>
    internal static BatchNormLayer Create(BatchNormOptions options) => new()
    {
        Epsilon = options.Epsilon,
        Scale = options.Scale,
        Center = options.Center,
        ZeroGamma = options.ZeroGamma,
        Frozen = options.Frozen,
        GhostBatchSize = options.GhostBatchSize,
    };

    /// <summary>The layer that does it; null = none.</summary>
    internal abstract Layer? CreateLayer();

    private protected abstract string Text { get; }

    private sealed record NoNormalization : Normalization
    {
        private protected override string Text => "none";

        internal override Layer? CreateLayer() => null;
    }

    private sealed record BatchNormalization(BatchNormOptions Options) : Normalization
    {
        internal override bool IsBatch => true;

        internal override BatchNormPlacement Placement => Options.Placement;

        private protected override string Text => "batch";

        internal override Layer CreateLayer() => Create(Options);
    }

    private sealed record LayerNormalization(float Epsilon) : Normalization
    {
        private protected override string Text => "layer";

        internal override Layer CreateLayer() => new LayerNormLayer { Epsilon = Epsilon };
    }

    private sealed record GroupNormalization(int Groups, float Epsilon) : Normalization
    {
        private protected override string Text => $"group:{Groups}";

        internal override Layer CreateLayer() => new GroupNormLayer(Groups) { Epsilon = Epsilon };
    }
}
