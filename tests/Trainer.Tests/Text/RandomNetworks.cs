using FsCheck;
using FsCheck.Fluent;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Tests.Text;

/// <summary>Random architectures of every kind of layer, with and without each of its options.</summary>
internal static class RandomNetworks
{
    private const int MostLayers = 12;

    private static readonly Initializer[] Initializers =
    [
        Initializer.HeNormal, Initializer.HeUniform, Initializer.GlorotUniform, Initializer.GlorotNormal, Initializer.Normal(0.0125f),
        Initializer.Orthogonal(1.4f), Initializer.Zeros,
    ];

    private static readonly Activation[] Activations =
    [
        Activation.Relu, Activation.LeakyRelu(), Activation
            .LeakyRelu(0.2f), Activation.Sigmoid, Activation.Tanh, Activation.Gelu, Activation.Silu, Activation.Softplus,
        Activation.Identity,
    ];

    public static Arbitrary<Network> Arbitrary { get; } = Gen.Choose(0, int.MaxValue - 1).Select(
        seed => Create(new Random(seed))).ToArbitrary();

    private static Network Create(Random random)
    {
        var network = random.Next(3) switch
        {
            0 => Network.Input(1 + random.Next(8)),
            1 => Network.Input(2 * (1 + random.Next(3)), 6 + random.Next(10)),
            _ => Network.Input(2 * (1 + random.Next(3)), 6 + random.Next(8), 6 + random.Next(8)),
        };
        return Grow(network, random, 1 + random.Next(MostLayers), depth: 0);
    }

    private static Network Grow(Network network, Random random, int layers, int depth)
    {
        for (var i = 0; i < layers; i++)
        {
            // What does not fit at this place is left out: the network stays valid, and the shapes vary.
            try
            {
                network = network.Add(Layer(network, random, depth) with { Name = random.Next(6) == 0 ? $"layer-{depth}.{i}" : null });
            }
            catch (ArgumentException)
            {
            }
        }

        return network.Sites.Count > 0 ? network : network.Add(new ActivationLayer(Activations[random.Next(Activations.Length)]));
    }

    private static Layer Layer(Network network, Random random, int depth)
    {
        bool? maybe = random.Next(3) switch { 0 => true, 1 => false, _ => null };
        var initializer = random.Next(2) == 0 ? null : Initializers[random.Next(Initializers.Length)];
        var axes = network.OutputShape.Sizes.Count - 1;
        var size = 1 + random.Next(3);
        return random.Next(axes == 0 ? 6 : 12) switch
        {
            0 or 1 => new ActivationLayer(Activations[random.Next(Activations.Length)]),
            2 => new BatchNormLayer
            {
                Epsilon = random.Next(2) == 0 ? 1e-5f : random.NextSingle(),
                Scale = maybe ?? true,
                Center = random.Next(3) > 0,
                ZeroGamma = maybe is null && random.Next(2) == 0,
                Frozen = random.Next(3) == 0,
                GhostBatchSize = random.Next(3) == 0 ? 2 + random.Next(30) : null,
            },
            3 => random.Next(2) == 0 ? new LayerNormLayer { Epsilon = random.NextSingle() } : new GroupNormLayer(1 + random.Next(2)),
            4 => axes > 0 && random.Next(3) == 0 ? new FlattenLayer() : new DropoutLayer(random.NextSingle() * 0.9f),
            5 =>
                axes == 0
                    ? new DenseLayer(1 + random.Next(8)) { Bias = maybe, WeightInitializer = initializer }
                    : Block(network, random, depth),
            6 => Block(network, random, depth),
            7 => new MaxPoolLayer(size) { Stride = 1 + random.Next(3), Padding = random.Next(size) },
            8 => new AveragePoolLayer(size) { Stride = 1 + random.Next(3), Padding = random.Next(size) },
            9 => random.Next(4) == 0 ? new GlobalAveragePoolLayer() : new MaxPoolLayer(2),
            _ => new ConvolutionLayer(2 * (1 + random.Next(3)), Kernel(random, axes, size))
            {
                Stride = 1 + random.Next(2),
                Padding = random.Next(3),
                Groups = 1 + random.Next(2),
                Bias = maybe,
                WeightInitializer = initializer,
            },
        };
    }

    private static int[] Kernel(Random random, int axes, int size) => random.Next(3) == 0
        ? [.. Enumerable.Range(0, axes).Select(_ => 1 + random.Next(3))]
        : [.. Enumerable.Repeat(size, axes)];

    private static ResidualLayer Block(Network network, Random random, int depth)
    {
        var empty = Network.Input([.. network.OutputShape.Sizes]);
        var body = depth > 1 ? empty.Add(new DropoutLayer(0.5f)) : Grow(empty, random, 1 + random.Next(4), depth + 1);
        var around = Grow(empty, random, 1 + random.Next(2), depth + 1);
        var isIdentity = body.OutputShape.Equals(empty.OutputShape) && random.Next(2) == 0;
        return new ResidualLayer(body.Stack) { Projection = isIdentity ? null : around.Stack };
    }
}
