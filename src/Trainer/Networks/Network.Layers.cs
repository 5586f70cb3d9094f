using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm;

/// <content>
/// One method for each kind of layer, so that an architecture reads like a table of layers. Each throws an <see cref="ArgumentException"/>
/// that says what the layer takes when it does not fit.
/// </content>
public sealed partial class Network
{
    /// <summary>Adds a fully connected layer; takes rows <c>[C]</c>.</summary>
    /// <param name="units">Its outputs for each row; at least 1.</param>
    /// <param name="bias">Whether it has a bias; null (the default) = unless a batch normalization follows, which would undo it.</param>
    /// <param name="weights">Its first weights; null (the default) = He before a relu kind, Glorot otherwise.</param>
    public Network Dense(int units, bool? bias = null, Initializer? weights = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(units);
        return Add(new DenseLayer(units) { Bias = bias, WeightInitializer = weights });
    }

    /// <summary>Adds dense layers side by side, each on its own part of the row; takes rows <c>[groups·C]</c>.</summary>
    /// <param name="groups">The number of equal parts; at least 1.</param>
    /// <param name="units">The outputs of each part; at least 1.</param>
    /// <param name="bias">Whether there is a bias; null (the default) = unless a batch normalization follows, which would undo it.</param>
    /// <param name="weights">The first weights of each; null (the default) = He before a relu kind, Glorot otherwise.</param>
    public Network GroupedDense(int groups, int units, bool? bias = null, Initializer? weights = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(groups);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(units);
        return Add(new GroupedDenseLayer(groups, units) { Bias = bias, WeightInitializer = weights });
    }

    /// <summary>
    /// Adds a batch normalization (Ioffe and Szegedy 2015); takes rows of any shape, and normalizes a channel at all its positions
    /// together.
    /// </summary>
    /// <param name="epsilon">Added to the variance under the root. Default: 1e-5.</param>
    /// <param name="zeroGamma">Whether gamma starts at 0 rather than 1; see <see cref="BatchNormOptions.ZeroGamma"/>.</param>
    public Network BatchNorm(float epsilon = 1e-5f, bool zeroGamma = false) =>
        Add(new BatchNormLayer { Epsilon = epsilon, ZeroGamma = zeroGamma });

    /// <summary>Adds a batch normalization.</summary>
    /// <param name="options">
    /// How it computes. What the options say of placement and statistics is not about a single layer, and not looked at.
    /// </param>
    public Network BatchNorm(BatchNormOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Add(Normalization.Create(options));
    }

    /// <summary>Adds a layer normalization over each row (Ba et al. 2016).</summary>
    /// <param name="epsilon">Added to the variance under the root. Default: 1e-5.</param>
    public Network LayerNorm(float epsilon = 1e-5f) => Add(new LayerNormLayer { Epsilon = epsilon });

    /// <summary>Adds a group normalization (Wu and He 2018).</summary>
    /// <param name="groups">The groups that the channels are divided into.</param>
    /// <param name="epsilon">Added to the variance under the root. Default: 1e-5.</param>
    public Network GroupNorm(int groups, float epsilon = 1e-5f) => Add(new GroupNormLayer(groups) { Epsilon = epsilon });

    /// <summary>Adds an activation.</summary>
    /// <param name="function">The function, as <c>Activation.LeakyRelu(0.2f)</c>; the usual ones have methods of their own.</param>
    public Network Activation(Activation function)
    {
        ArgumentNullException.ThrowIfNull(function);
        return Add(new ActivationLayer(function));
    }

    /// <summary>Adds <see cref="Activation.Relu"/>, max(0, x).</summary>
    public Network Relu() => Activation(MlNetBatchNorm.Activation.Relu);

    /// <summary>Adds <see cref="Activation.LeakyRelu"/>: x where positive, slope·x elsewhere.</summary>
    /// <param name="slope">The slope for negative inputs, from 0 to below 1. Default: 0.01.</param>
    public Network LeakyRelu(float slope = 0.01f) => Activation(MlNetBatchNorm.Activation.LeakyRelu(slope));

    /// <summary>Adds <see cref="Activation.Gelu"/>, x·Φ(x).</summary>
    public Network Gelu() => Activation(MlNetBatchNorm.Activation.Gelu);

    /// <summary>Adds <see cref="Activation.Silu"/>, x/(1 + e^−x).</summary>
    public Network Silu() => Activation(MlNetBatchNorm.Activation.Silu);

    /// <summary>Adds <see cref="Activation.Softplus"/>, log(1 + e^x).</summary>
    public Network Softplus() => Activation(MlNetBatchNorm.Activation.Softplus);

    /// <summary>Adds <see cref="Activation.Sigmoid"/>, 1/(1 + e^−x).</summary>
    public Network Sigmoid() => Activation(MlNetBatchNorm.Activation.Sigmoid);

    /// <summary>Adds <see cref="Activation.Tanh"/>.</summary>
    public Network Tanh() => Activation(MlNetBatchNorm.Activation.Tanh);

    /// <summary>
    /// Adds a dropout (Srivastava et al. 2014), which is active in training only. In front of a batch normalization it makes the running
    /// variance wrong (Li et al. 2018), so put it behind the last one.
    /// </summary>
    /// <param name="rate">The probability of a value being set to 0, from 0 to below 1.</param>
    public Network Dropout(float rate) => Add(new DropoutLayer(rate));

    /// <summary>Adds a convolution along one axis; takes rows <c>[C, L]</c>.</summary>
    /// <param name="channels">The channels that come out.</param>
    /// <param name="kernel">The kernel's length.</param>
    /// <param name="stride">Positions from one window to the next. Default: 1.</param>
    public Network Conv1d(int channels, int kernel, int stride = 1) => Conv1d(channels, kernel, new ConvolutionOptions { Stride = stride });

    /// <summary>Adds a convolution along one axis; takes rows <c>[C, L]</c>.</summary>
    /// <param name="channels">The channels that come out.</param>
    /// <param name="kernel">The kernel's length.</param>
    /// <param name="options">Stride, padding, groups, bias, first weights.</param>
    public Network Conv1d(int channels, int kernel, ConvolutionOptions options) => Convolve(channels, [kernel], options);

    /// <summary>Adds a convolution over images; takes rows <c>[C, H, W]</c>.</summary>
    /// <param name="channels">The channels that come out.</param>
    /// <param name="kernel">The kernel's height and width.</param>
    /// <param name="stride">Positions from one window to the next, down and across. Default: 1.</param>
    public Network Conv2d(int channels, int kernel, int stride = 1) => Conv2d(channels, kernel, new ConvolutionOptions { Stride = stride });

    /// <summary>Adds a convolution over images; takes rows <c>[C, H, W]</c>.</summary>
    /// <param name="channels">The channels that come out.</param>
    /// <param name="kernel">The kernel's height and width.</param>
    /// <param name="options">Stride, padding, groups, bias, first weights.</param>
    public Network Conv2d(int channels, int kernel, ConvolutionOptions options) => Convolve(channels, [kernel, kernel], options);

    /// <summary>Adds a convolution over images; takes rows <c>[C, H, W]</c>.</summary>
    /// <param name="channels">The channels that come out.</param>
    /// <param name="kernelHeight">The kernel's height.</param>
    /// <param name="kernelWidth">The kernel's width.</param>
    /// <param name="options">Stride, padding, groups, bias, first weights. The padding, where it is left out, is half the height.</param>
    public Network Conv2d(int channels, int kernelHeight, int kernelWidth, ConvolutionOptions options) =>
        Convolve(channels, [kernelHeight, kernelWidth], options);

    /// <summary>Adds a pooling by the largest value of each window; takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.</summary>
    /// <param name="size">The window's size along each axis.</param>
    /// <param name="stride">Positions from one window to the next; null = <paramref name="size"/>.</param>
    /// <param name="padding">Positions added on every side that never win. Default: 0.</param>
    public Network MaxPool(int size, int? stride = null, int padding = 0) =>
        Add(new MaxPoolLayer(size) { Stride = stride ?? size, Padding = padding });

    /// <summary>Adds a pooling by the mean of each window; takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.</summary>
    /// <param name="size">The window's size along each axis.</param>
    /// <param name="stride">Positions from one window to the next; null = <paramref name="size"/>.</param>
    /// <param name="padding">Zeros added on every side, which count as values. Default: 0.</param>
    public Network AveragePool(int size, int? stride = null, int padding = 0) =>
        Add(new AveragePoolLayer(size) { Stride = stride ?? size, Padding = padding });

    /// <summary>Adds the mean of every channel over all its positions: <c>[C, …]</c> to <c>[C]</c>.</summary>
    public Network GlobalAveragePool() => Add(new GlobalAveragePoolLayer());

    /// <summary>Lays the values of a row one behind the other: <c>[C, H, W]</c> to <c>[C·H·W]</c>.</summary>
    public Network Flatten() => Add(new FlattenLayer());

    /// <summary>
    /// Adds a residual block (He et al. 2015): the layers of <paramref name="body"/>, and added to what they give the input itself or a
    /// projection of it. The activation behind the sum is a layer of its own.
    /// </summary>
    /// <param name="body">Adds the block's layers to an empty network that takes the shape at hand.</param>
    /// <param name="projection">Adds the layers of the way around, for a body that changes the shape; null = the input itself.</param>
    public Network Residual(Func<Network, Network> body, Func<Network, Network>? projection = null)
    {
        ArgumentNullException.ThrowIfNull(body);
        var empty = Input([.. OutputShape.Sizes]);
        return Add(new ResidualLayer(body(empty).Stack) { Projection = projection?.Invoke(empty).Stack });
    }

    /// <summary>
    /// Adds an ensemble: several members of the same layers, each with weights and batch normalizations of its own, and the mean of what
    /// they give; takes rows <c>[C]</c>. It is one network to everybody: the members' first dense layer is one product. As the last layer
    /// of a network it can be trained so that member i never learns from fold i of the rows, which gives an honest prediction for every
    /// training row (<see cref="TrainingOptions.OutOfFold"/>).
    /// </summary>
    /// <param name="count">How many members there are; at least 2.</param>
    /// <param name="member">
    /// Adds the layers of one member to an empty network that takes the shape at hand: dense layers, batch normalizations, activations and
    /// dropouts.
    /// </param>
    /// <param name="shared">
    /// Whether the members share the weights W of all dense layers but the last, and each has scales r and s, a bias and batch
    /// normalizations of its own: <c>y = ((x∘r)·W)∘s + b</c> (BatchEnsemble, Wen et al. 2020, arXiv 2002.06715; TabM, Gorishniy et al.
    /// 2025, arXiv 2410.24210). A fraction of the numbers to learn; but W learns from every row, so that no member is a stranger to one.
    /// Default: false.
    /// </param>
    public Network Members(int count, Func<Network, Network> member, bool shared = false)
    {
        ArgumentNullException.ThrowIfNull(member);
        return Add(new MembersLayer(count, member(Input([.. OutputShape.Sizes])).Stack, shared));
    }

    /// <summary>
    /// Gives the layer that was added last a name, in place of its kind and a number; parameters are called by it (<c>first.weight</c>).
    /// </summary>
    /// <param name="name">One word without <c>;</c>, <c>#</c>, <c>.</c> and <c>/</c>, unique in the network.</param>
    /// <exception cref="ArgumentException">It is no such name, or another layer has it.</exception>
    /// <exception cref="InvalidOperationException">There is no layer yet.</exception>
    public Network Named(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (Sites.Count == 0) throw new InvalidOperationException($"There is no layer yet that could be called '{name}'; add one first.");
        if (name.Any(c => char.IsWhiteSpace(c) || c is ';' or '#' or '.' or '/'))
            throw new ArgumentException($"'{name}' is not the name of a layer; take one word without ';', '#', '.' and '/'.", nameof(name));
        return new Network(Stack.NameLast(name));
    }

    private Network Convolve(int channels, int[] kernel, ConvolutionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Add(new ConvolutionLayer(channels, kernel)
        {
            Stride = options.Stride,
            Padding = options.Padding ?? kernel[0] / 2,
            Groups = options.Groups,
            Bias = options.Bias,
            WeightInitializer = options.Weights,
        });
    }
}

/// <summary>How a convolution computes, besides its channels and its kernel.</summary>
public sealed record ConvolutionOptions
{
    /// <summary>Positions from one window to the next, along every axis; at least 1. Default: 1.</summary>
    public int Stride { get; init; } = 1;

    /// <summary>
    /// Zeros added at both ends of every axis, from 0; null (the default) = half the kernel, so that with stride 1 and an odd kernel the
    /// size stays.
    /// </summary>
    public int? Padding { get; init; }

    /// <summary>Groups of channels that do not see each other; as many as channels that come in = depthwise. Default: 1.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Whether there is a bias; null (the default) = unless a batch normalization follows, which would undo it.</summary>
    public bool? Bias { get; init; }

    /// <summary>The first weights; null (the default) = He before a relu kind, Glorot otherwise.</summary>
    public Initializer? Weights { get; init; }
}
