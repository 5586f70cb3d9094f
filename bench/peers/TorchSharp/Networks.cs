using static TorchSharp.torch;
using TensorModule = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace MlNetBatchNorm.Bench.Peers;

/// <summary>The networks of the benchmarks <c>score</c> and <c>train</c>, by the same names.</summary>
internal static class Networks
{
    /// <summary>Scored: a batch norm folded by hand is a bias.</summary>
    public static readonly (string Name, Func<TensorModule> Build, long[] Shape)[] Scored =
    [
        ("32-64-32-1", () => Dense([32, 64, 32, 1]), [32]),
        ("784-512-512-512-10", () => Dense([784, 512, 512, 512, 10]), [784]),
        ("residual CNN", FoldedImages, [1, 28, 28]),
    ];

    /// <summary>Trained, with batch norms.</summary>
    public static readonly (string Name, Func<TensorModule> Build, long[] Shape, int Rows, int Classes)[] Trained =
    [
        ("20-64-32-2 relu", () => Perceptron([20, 64, 32, 2], () => nn.ReLU()), [20], 128, 2),
        ("784-100-100-100-10 sigmoid", () => Perceptron([784, 100, 100, 100, 10], () => nn.Sigmoid()), [784], 60, 10),
        ("784-512-512-512-10 relu", () => Perceptron([784, 512, 512, 512, 10], () => nn.ReLU()), [784], 256, 10),
        ("1x28x28 residual relu", Images, [1, 28, 28], 128, 10),
        ("1x28x28 strided relu", Strided, [1, 28, 28], 64, 10),
    ];

    private static TensorModule Dense(long[] sizes)
    {
        var layers = new List<TensorModule>();
        for (var i = 1; i < sizes.Length; i++)
        {
            if (i > 1) layers.Add(nn.ReLU());
            layers.Add(nn.Linear(sizes[i - 1], sizes[i]));
        }

        return nn.Sequential(layers);
    }

    private static TensorModule Perceptron(long[] sizes, Func<TensorModule> activation)
    {
        var layers = new List<TensorModule>();
        for (var i = 1; i < sizes.Length; i++)
        {
            var last = i == sizes.Length - 1;
            layers.Add(nn.Linear(sizes[i - 1], sizes[i], hasBias: last));
            if (!last) layers.AddRange([nn.BatchNorm1d(sizes[i]), activation()]);
        }

        return nn.Sequential(layers);
    }

    private static TensorModule FoldedImages()
    {
        return nn.Sequential(
            [Convolution(1, 16), nn.ReLU(), nn.MaxPool2d(2),
            new Residual(nn.Sequential([Convolution(16, 16), nn.ReLU(), Convolution(16, 16)]), null), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)]);

        static TensorModule Convolution(long inputs, long outputs) => nn.Conv2d(inputs, outputs, kernel_size: 3, padding: 1);
    }

    // The network of `mlnetbn reproduce mnist` (src/Cli/Reproduction/MnistExperiment.cs).
    private static TensorModule Images()
    {
        return nn.Sequential(
            [.. Convolution(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), Block(16, 32), nn.ReLU(), nn.MaxPool2d(2), Block(32, 64), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]);

        static TensorModule[] Convolution(long inputs, long outputs, long kernel) =>
            [nn.Conv2d(inputs, outputs, kernel_size: kernel, padding: kernel / 2, bias: false), nn.BatchNorm2d(outputs)];

        static Residual Block(long inputs, long outputs) => new(
            nn.Sequential([.. Convolution(inputs, outputs, 3), nn.ReLU(), .. Convolution(outputs, outputs, 3)]),
            nn.Sequential(Convolution(inputs, outputs, 1)));
    }

    private static TensorModule Strided()
    {
        return nn.Sequential([.. Half(1, 16), .. Half(16, 32), nn.Flatten(), nn.Linear(32 * 7 * 7, 10)]);

        static TensorModule[] Half(long inputs, long outputs) =>
            [nn.Conv2d(inputs, outputs, kernel_size: 3, stride: 2, padding: 1, bias: false), nn.BatchNorm2d(outputs), nn.ReLU()];
    }

    private sealed class Residual : TensorModule
    {
        private readonly TensorModule _body;
        private readonly TensorModule? _around;

        public Residual(TensorModule body, TensorModule? around)
            : base(nameof(Residual))
        {
            (_body, _around) = (body, around);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            return (_body.forward(input) + (_around is null ? input : _around.forward(input))).MoveToOuterDisposeScope();
        }
    }
}
