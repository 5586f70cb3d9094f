namespace MlNetBatchNorm.Trainer;

/// <content>One method for each kind of layer, so that an architecture reads like a table of layers.</content>
public sealed partial class Network
{
    /// <summary>Adds a fully connected layer.</summary>
    /// <param name="units">Its outputs for each row.</param>
    /// <param name="bias">Whether it has a bias; null = unless a batch normalization follows.</param>
    public Network Dense(int units, bool? bias = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(units);
        return Add(new DenseLayer(units) { Bias = bias });
    }

    /// <summary>Adds a batch normalization. For its other variants add a <see cref="BatchNormLayer"/> with <see cref="Add"/>.</summary>
    /// <param name="epsilon">Added to the variance under the root.</param>
    /// <param name="zeroGamma">Whether gamma starts at 0 rather than 1; see <see cref="BatchNormLayer.ZeroGamma"/>.</param>
    public Network BatchNorm(float epsilon = 1e-5f, bool zeroGamma = false) => Add(new BatchNormLayer { Epsilon = epsilon, ZeroGamma = zeroGamma });

    /// <summary>Adds an activation.</summary>
    public Network Activation(Activation function) => Add(new ActivationLayer(function));

    /// <summary>Adds a dropout, which is active in training only.</summary>
    /// <param name="rate">The probability of a value being set to 0, from 0 to below 1.</param>
    public Network Dropout(float rate) => Add(new DropoutLayer(rate));

    /// <summary>Adds a convolution along one axis; takes rows <c>[C, L]</c>.</summary>
    /// <param name="channels">The channels that come out.</param>
    /// <param name="kernel">The kernel's length.</param>
    /// <param name="stride">Positions from one window to the next. Default: 1.</param>
    /// <param name="padding">Zeros added at either end; null (the default) = half the kernel, so that with stride 1 and an odd kernel the length stays.</param>
    /// <param name="groups">Groups of channels that do not see each other; as many as channels = depthwise. Default: 1.</param>
    /// <param name="bias">Whether it has a bias; null = unless a batch normalization follows.</param>
    public Network Conv1d(int channels, int kernel, int stride = 1, int? padding = null, int groups = 1, bool? bias = null) =>
        Add(new ConvolutionLayer(channels, [kernel]) { Stride = stride, Padding = padding ?? kernel / 2, Groups = groups, Bias = bias });

    /// <summary>Adds a convolution over images; takes rows <c>[C, H, W]</c>.</summary>
    /// <param name="channels">The channels that come out.</param>
    /// <param name="kernel">The kernel's height and width.</param>
    /// <param name="stride">Positions from one window to the next, down and across. Default: 1.</param>
    /// <param name="padding">Zeros added on every side; null (the default) = half the kernel, so that with stride 1 and an odd kernel the size stays.</param>
    /// <param name="groups">Groups of channels that do not see each other; as many as channels = depthwise. Default: 1.</param>
    /// <param name="bias">Whether it has a bias; null = unless a batch normalization follows.</param>
    public Network Conv2d(int channels, int kernel, int stride = 1, int? padding = null, int groups = 1, bool? bias = null) =>
        Add(new ConvolutionLayer(channels, [kernel, kernel]) { Stride = stride, Padding = padding ?? kernel / 2, Groups = groups, Bias = bias });

    /// <summary>Adds a layer normalization over each row.</summary>
    /// <param name="epsilon">Added to the variance under the root.</param>
    public Network LayerNorm(float epsilon = 1e-5f) => Add(new LayerNormLayer { Epsilon = epsilon });

    /// <summary>Adds a group normalization.</summary>
    /// <param name="groups">The groups that the channels are divided into.</param>
    /// <param name="epsilon">Added to the variance under the root.</param>
    public Network GroupNorm(int groups, float epsilon = 1e-5f) => Add(new GroupNormLayer(groups) { Epsilon = epsilon });

    /// <summary>Adds a pooling by the largest value of each window; takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.</summary>
    /// <param name="size">The window's size along each axis.</param>
    /// <param name="stride">Positions from one window to the next; null = <paramref name="size"/>.</param>
    /// <param name="padding">Positions added on every side that never win. Default: 0.</param>
    public Network MaxPool(int size, int? stride = null, int padding = 0) => Add(new MaxPoolLayer(size) { Stride = stride ?? size, Padding = padding });

    /// <summary>Adds a pooling by the mean of each window; takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.</summary>
    /// <param name="size">The window's size along each axis.</param>
    /// <param name="stride">Positions from one window to the next; null = <paramref name="size"/>.</param>
    /// <param name="padding">Zeros added on every side, which count as values. Default: 0.</param>
    public Network AveragePool(int size, int? stride = null, int padding = 0) => Add(new AveragePoolLayer(size) { Stride = stride ?? size, Padding = padding });

    /// <summary>Adds the mean of every channel over all its positions: <c>[C, …]</c> to <c>[C]</c>.</summary>
    public Network GlobalAveragePool() => Add(new GlobalAveragePoolLayer());

    /// <summary>Lays the values of a row one behind the other: <c>[C, H, W]</c> to <c>[C·H·W]</c>.</summary>
    public Network Flatten() => Add(new FlattenLayer());

    /// <summary>Adds a residual block: the layers of <paramref name="body"/>, and around them the input itself or a projection of it.</summary>
    /// <param name="body">Adds the block's layers to an empty network that takes the shape at hand.</param>
    /// <param name="projection">Adds the layers of the way around, for a body that changes the shape; null = the input itself.</param>
    public Network Residual(Func<Network, Network> body, Func<Network, Network>? projection = null)
    {
        ArgumentNullException.ThrowIfNull(body);
        var empty = Input([.. OutputShape.Sizes]);
        return Add(new ResidualLayer(body(empty)) { Projection = projection?.Invoke(empty) });
    }
}
