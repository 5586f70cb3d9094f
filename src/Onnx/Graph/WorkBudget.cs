using System.Diagnostics;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// What may be spent on one model: what takes more is left alone, with the reason, so that no file takes time or memory without end. All
/// bounds go with the size of the model, so that whatever a model is like, what is done to it takes about as long as reading it.
/// </summary>
/// <param name="model">The model as it was given.</param>
internal sealed class WorkBudget(ModelProto model)
{
    // What is always free, so that small models may grow: constants that are worked out, what a fold adds to the file, multiplications (a
    // second has about 2^30), and ways from a map to the weights that take it in.
    private const long FreeComputed = 1L << 24;
    private const long FreeGrowth = 1L << 22;
    private const long FreeProducts = 1L << 28;
    private const long FreeSteps = 200_000;

    private const long FreeChannels = 1L << 16;
    private const long LargestChannels = 1L << 24;
    private const long ProductsPerByte = 16;
    private const long StepsPerNode = 100;

    private readonly long _steps = FreeSteps + (StepsPerNode * model.Graph.Node.Count);
    private readonly long _started = Stopwatch.GetTimestamp();
    private long? _constants;
    private long _computed;
    private long _products;
    private long _grown;
    private long _done;

    /// <summary>How long the model may be worked on.</summary>
    public TimeSpan TimeLimit { get; set; } = TimeSpan.MaxValue;

    /// <summary>How many times as large as its constants the model may become, in the file and in memory.</summary>
    public double MaximumGrowth { get; set; } = 4;

    /// <summary>
    /// How many channels are followed: more than the model has numbers are somebody's claim (a declared size, a Concat of one value with
    /// itself many times over), of which nothing may be allocated.
    /// </summary>
    public int MostChannels => (int)Math.Min(LargestChannels, FreeChannels + (Constants / 2));

    // The bytes of the model's constants as they were given.
    private long Constants => _constants ??= ExternalData.Tensors(model.Graph).Sum(InitializerChecker.StoredBytes);

    /// <summary>Counts a constant that is worked out, and says whether that is not too much by now.</summary>
    /// <param name="bytes">What it takes.</param>
    /// <param name="products">The multiplications that a matrix product takes; 0 for anything else.</param>
    public bool MayCompute(long bytes, long products = 0)
    {
        if (_computed + bytes > FreeComputed + (MaximumGrowth * Constants)) return false;
        if (_products + products > FreeProducts + (ProductsPerByte * Constants)) return false;
        (_computed, _products) = (_computed + bytes, _products + products);
        return true;
    }

    /// <summary>Whether the model may become larger by some bytes more.</summary>
    public bool MayGrow(long bytes) => bytes <= 0 || _grown + bytes <= FreeGrowth + (MaximumGrowth * Constants);

    /// <summary>Counts what the model became larger, or smaller.</summary>
    public void Grow(long bytes) => _grown += bytes;

    /// <summary>Counts work, and says why there must be no more of it: a clause; null while there may.</summary>
    /// <param name="steps">About as many thousand numbers are looked at.</param>
    public string? WhyNoMore(long steps)
    {
        if ((_done += steps) > _steps) return $"folding has already taken {_steps:N0} steps, which is all that a model of this size gets";
        return Stopwatch.GetElapsedTime(_started) > TimeLimit
            ? FormattableString.Invariant($"the {TimeLimit.TotalSeconds:0.###} seconds that folding may take are over")
            : null;
    }
}
