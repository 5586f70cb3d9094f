namespace MlNetBatchNorm.Trainer;

/// <content>The same table of layers as text, for files and command lines.</content>
public sealed partial class Network
{
    /// <summary>
    /// Reads an architecture from a text that reads like the calls of the builder: a layer on each line, or several with semicolons between
    /// them, numbers in order, options as <c>name=value</c>; <c>#</c> begins a comment.
    /// <code>
    /// conv2d 16 3              # channels, kernel; [stride=1] [padding=KERNEL/2] [groups=1] [bias=yes|no] [init=he]
    /// batchnorm                # [epsilon=1e-5] [scale=no] [center=no] [zerogamma=yes] [frozen=yes] [ghost=32]
    /// relu                     # leakyrelu[:0.01], gelu, silu, softplus, sigmoid, tanh, identity
    /// residual
    ///   conv2d 32 3 stride=2
    ///   batchnorm zerogamma=yes
    /// around                   # only where the body changes the shape
    ///   conv2d 32 1 stride=2
    /// end
    /// globalaveragepool        # maxpool 2, averagepool 3 stride=2 padding=1, flatten
    /// dropout 0.2              # layernorm, groupnorm 8, conv1d 16 3
    /// dense 10                 # [bias=yes|no] [init=glorot]
    /// </code>
    /// </summary>
    /// <param name="text">The layers. Every one can be given a name: <c>dense 64 name=first</c>.</param>
    /// <param name="inputShape">The shape of a row: features, or channels first with positions behind.</param>
    /// <exception cref="FormatException">The text is not such a list, or a layer does not fit the one before; the message names the line.</exception>
    public static Network Parse(string text, params long[] inputShape)
    {
        ArgumentNullException.ThrowIfNull(text);
        return NetworkText.Read(text, new SampleShape(inputShape));
    }

    /// <summary>The architecture as a text that <see cref="Parse"/> reads, a line for each layer. The input's shape is not in it.</summary>
    /// <exception cref="NotSupportedException">A layer is of a kind of your own, or has a name that cannot be written.</exception>
    public string ToText() => NetworkText.Write(this);
}
