using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Operators;
using MlNetBatchNorm.Trainer.Tests.Fixtures;
using MlNetBatchNorm.Trainer.Training;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Tests.Operators;

/// <summary>Steps made of operators of our own beside the same steps made of ONNX Runtime's nodes.</summary>
public class OwnOperatorTests
{
    private const int Batch = 37;
    private const int Steps = 40;

    public static TheoryData<string> Activations => ["relu", "leakyrelu:0.2", "sigmoid", "tanh", "silu", "gelu", "softplus", "identity"];

    public static TheoryData<string> Losses => ["softmax", "sigmoid", "squared", "absolute", "huber"];

    [Theory]
    [MemberData(nameof(Activations))]
    public void Steps_EveryActivationBehindABatchNorm_AreTheSame(string activation) => RequireSame(
        Network.Input(7).Dense(53).BatchNorm().Activation(Activation.Parse(activation)).Dense(16).BatchNorm().Dense(3),
        Loss.SoftmaxCrossEntropy,
        Optimizer.Sgd(0.1f, 0.9f));

    [Theory]
    [InlineData(true, true, null)]
    [InlineData(false, true, null)]
    [InlineData(true, false, null)]
    [InlineData(false, false, null)]
    [InlineData(true, true, 8)]
    [InlineData(true, true, 5)]
    public void Steps_EveryBatchNorm_AreTheSame(bool scale, bool center, int? ghostBatchSize)
    {
        var options = new BatchNormOptions { Scale = scale, Center = center, GhostBatchSize = ghostBatchSize };
        RequireSame(
            Network.Input(5).BatchNorm(options).Dense(33).BatchNorm(options).Relu().Dense(2),
            Loss.SoftmaxCrossEntropy,
            Optimizer.Nesterov());
        RequireSame(
            Network.Input(2, 9, 7).Conv2d(5, kernel: 3).BatchNorm(options).Activation(Activation.Silu).Conv2d(3, kernel: 2)
                .BatchNorm(options).Tanh().Flatten().Dense(2),
            Loss.SoftmaxCrossEntropy,
            Optimizer.Sgd(0.05f));
    }

    // A stride that leaves something over at the far end, windows that miss positions, a window of one position at a stride, kernels of two
    // sizes, windows that are too large to be kept.
    [Theory]
    [InlineData("conv1d 4 3 stride=2 bias=yes; batchnorm; relu; conv1d 3 2 stride=3 padding=2", "2,17")]
    [InlineData("conv2d 5 3 stride=2 padding=1; batchnorm; relu; conv2d 4 3 stride=2 padding=0 bias=yes", "3,12,9")]
    [InlineData("conv2d 5 2 stride=3; batchnorm; relu; conv2d 3 1 stride=2; batchnorm; conv2d 6 1", "2,11,13")]
    [InlineData("conv2d 9 3x5 padding=2 bias=yes; silu; conv2d 2 5x3 stride=2", "1,8,7")]
    [InlineData("conv2d 4 3; batchnorm; relu; conv2d 3 7 stride=2", "30,24,24")]
    [InlineData("conv2d 4 3; relu; maxpool 3; conv2d 3 2; relu; maxpool 2", "2,24,18")]
    [InlineData("conv1d 4 3; relu; maxpool 2; conv1d 3 3; maxpool 3", "2,24")]
    public void Steps_EveryConvolutionAndPooling_AreTheSame(string layers, string shape) => RequireSame(
        Network.Parse($"{layers}; relu; flatten; dense 2", [.. shape.Split(',').Select(long.Parse)]),
        Loss.SoftmaxCrossEntropy,
        Optimizer.Sgd(0.02f));

    [Theory]
    [InlineData("pytorch")]
    [InlineData("keras:0.9")]
    [InlineData("biased-debiased:0.2")]
    [InlineData("cumulative")]
    public void Steps_EveryRuleOfStatistics_AreTheSame(string rule) => RequireSame(
        Network.Input(6).Dense(20).BatchNorm().Relu().Residual(body => body.Dense(20).BatchNorm()).Relu().Dense(2),
        Loss.SoftmaxCrossEntropy,
        Optimizer.Sgd(),
        rule);

    [Theory]
    [MemberData(nameof(Losses))]
    public void Steps_EveryLossWithWeightsOfRows_AreTheSame(string loss) => RequireSame(
        Network.Input(6).Dense(20).BatchNorm().Relu().Dense(loss == "sigmoid" ? 1 : 3),
        Loss.Parse(loss),
        Optimizer.Sgd(0.02f),
        weighted: true);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Steps_Members_AreTheSame(int outputs) => RequireSame(
        Network.Input(6).Members(
            3, member => member.Dense(20).BatchNorm().Activation(Activation.Silu).Dense(17).BatchNorm().Relu().Dense(outputs)),
        outputs == 1 ? Loss.SigmoidCrossEntropy : Loss.SmoothedCrossEntropy(0.1f, [1, 2, 0.5f]),
        Optimizer.AdamW(0.01f, epsilon: 1e-3f),
        weighted: true);

    [Fact]
    public void Steps_MembersWithADropoutThatDropsNothing_AreTheSame() => RequireSame(
        Network.Input(6).Members(
            3, member => member.Dense(20).BatchNorm().Activation(Activation.Silu).Dropout(1e-12f).Dense(17).BatchNorm().Relu()
                .Dropout(1e-12f).Dense(2)),
        Loss.SoftmaxCrossEntropy,
        Optimizer.Sgd(0.05f),
        weighted: true);

    [Theory]
    [InlineData(48, false, 1)]
    [InlineData(8, true, 0)]
    [InlineData(8, true, 3)]
    [InlineData(12, true, 8)]
    public void Steps_EncodedNumbers_AreTheSame(int bins, bool forClasses, int members)
    {
        // Numbers of many values, of few, mostly 0, far from 0; two values; a category of three. Both ends of each, and what is between.
        const int Features = 9;
        var random = new Random(4);
        var values = new float[Batch * Features];
        for (var row = 0; row < Batch; row++)
        {
            var of = values.AsSpan(row * Features, Features);
            (of[0], of[1], of[2]) = (random.NextSingle(), random.Next(4), row % 3 == 0 ? random.NextSingle() : 0);
            (of[3], of[4], of[5]) = (1e6f + random.Next(1000), random.Next(2), random.Next(2) * 5);
            of[6 + random.Next(3)] = 1;
        }

        var rows = new TrainingData(new SampleShape(Features), 1, values, new float[Batch]);
        var encoding = EncodedNumbers.Fit(rows, bins, forClasses);
        var form = EncodedForm.Of(encoding);
        Network Body(Network input) => input.Dense(67).BatchNorm().Activation(Activation.Silu).Dense(1);
        var network = members > 1 ? Network.Input(Features).Members(members, Body) : Body(Network.Input(Features));
        if (members == 0) network = Network.Input(Features).Dense(131).Activation(Activation.Tanh).Dense(1);

        Assert.NotNull(form);
        RequireSame(
            network.On(encoding, NumericEncoding.PiecewiseLinear(bins), []), Loss.SquaredError, Optimizer.Sgd(0.01f), features: values);
    }

    [Fact]
    public void EncodedForm_OfHardlyAnyBins_IsLeftToThePlainProduct()
    {
        var random = new Random(4);
        var rows = new TrainingData(new SampleShape(3), 1, [.. Enumerable.Range(0, 300).Select(_ => random.NextSingle())], new float[100]);

        Assert.Null(EncodedForm.Of(EncodedNumbers.Fit(rows, 1, forClasses: true)));
        Assert.NotNull(EncodedForm.Of(EncodedNumbers.Fit(rows, 8, forClasses: true)));
    }

    [Fact]
    public void Step_EncodedNumbersOnTwoThreads_HasTheBitsOfOne()
    {
        var random = new Random(4);
        float[] values = [.. Enumerable.Range(0, 64 * 3).Select(_ => random.NextSingle())];
        var rows = new TrainingData(new SampleShape(3), 1, values, new float[64]);
        var network = Network.Input(3).Dense(700).BatchNorm().Relu().Dense(1)
            .On(EncodedNumbers.Fit(rows, 16, forClasses: false), NumericEncoding.PiecewiseLinear(16), []);
        using var one = NewStep(network, Loss.SquaredError, Optimizer.Sgd(), own: true, threads: 1, batch: 64, features: values);
        using var two = NewStep(network, Loss.SquaredError, Optimizer.Sgd(), own: true, threads: 2, batch: 64, features: values);

        one.Run(64, 0);
        two.Run(64, 0);

        Assert.Equal(one.State()["statistics"], two.State()["statistics"]);
    }

    [Theory]
    [InlineData("sgd")]
    [InlineData("sgd decay")]
    [InlineData("momentum decay")]
    [InlineData("nesterov")]
    [InlineData("adam")]
    [InlineData("adamw")]
    public void Steps_EveryOptimizerClippedAndAveraged_AreTheSame(string name)
    {
        var network = Network.Input(6).Dense(20).BatchNorm().Relu().Dense(3);
        var optimizer = name switch
        {
            "sgd" => Optimizer.Sgd(),
            "sgd decay" => Optimizer.Sgd(0.1f, 0, 0.01f),
            "momentum decay" => Optimizer.Sgd(0.05f, 0.9f, 0.01f),
            "nesterov" => Optimizer.Nesterov(0.05f, 0.9f, 0.001f),
            "adam" => Optimizer.Adam(0.01f, epsilon: 1e-3f),
            _ => Optimizer.AdamW(0.01f, 0.1f, epsilon: 1e-3f),
        };
        RequireSame(network, Loss.SoftmaxCrossEntropy, optimizer);
        RequireSame(network, Loss.SoftmaxCrossEntropy, optimizer, clip: 0.3f, averaging: 0.9f);
    }

    [Fact]
    public void Steps_PlainDescentOfLargeWeights_AreTheSameWithoutAGradientOfTheFirst()
    {
        // Of both the gradient is a product; but the second is read on the way back, too, where it must be as it was.
        var network = Network.Input(300).Dense(70).BatchNorm().Relu().Dense(250).BatchNorm().Relu().Dense(3);
        var optimizer = Optimizer.Sgd(0.02f);
        RequireSame(network, Loss.SoftmaxCrossEntropy, optimizer);
        RequireSame(network, Loss.SoftmaxCrossEntropy, optimizer, clip: 0.3f);
        RequireSame(network, Loss.SoftmaxCrossEntropy, optimizer, averaging: 0.9f);
        RequireSame(network, Loss.SoftmaxCrossEntropy, Optimizer.Sgd(0.02f, 0, 0.01f));

        using var step = NewStep(network, Loss.SoftmaxCrossEntropy, optimizer, own: true);
        using var keeping = NewStep(network, Loss.SoftmaxCrossEntropy, optimizer, own: true, keepsBefore: true);
        var moved = Assert.Single(
            step.Model.Graph.Node, node => node.OpType == "Gemm" && node.Input.Count == 3 && node.Integer("transA", 0) == 1);
        Assert.Equal(["dense1.weight", "dense1.weight.next"], [moved.Input[2], .. moved.Output]);
        for (var i = 0; i < 5; i++) Assert.Equal(step.Run(Batch, 0.02f), keeping.Run(Batch, 0.02f));
        foreach (var (name, values) in step.State()) Assert.Equal(values, keeping.State()[name]);
        Assert.All(["dense1.weight", "dense2.weight"], name => Assert.InRange(keeping.LastUpdate(name).Change, 1e-9, 1));
    }

    [Fact]
    public void Step_OnTwoThreads_HasTheBitsOfOne()
    {
        // Wide enough to be divided.
        var network = Network.Input(4).BatchNorm().Activation(Activation.Silu).Dense(700).BatchNorm().Relu().Dense(2);
        using var one = NewStep(network, Loss.SoftmaxCrossEntropy, Optimizer.Adam(), own: true, threads: 1, batch: 64);
        using var two = NewStep(network, Loss.SoftmaxCrossEntropy, Optimizer.Adam(), own: true, threads: 2, batch: 64);

        // Before products, which are divided by ONNX Runtime, have moved anything: the statistics of the first step.
        one.Run(64, 0);
        two.Run(64, 0);

        Assert.True(one.OwnOperators);
        Assert.Equal(one.State()["statistics"], two.State()["statistics"]);
    }

    [Fact]
    public void Steps_OfConvolutionsOnTwoThreads_HaveTheBitsOfOne()
    {
        var network = Network.Parse(
            "conv2d 16 3; batchnorm; relu; conv2d 24 3 stride=2; batchnorm; relu; globalaveragepool; dense 2", 8, 12, 12);
        using var one = NewStep(network, Loss.SoftmaxCrossEntropy, Optimizer.Sgd(), own: true, threads: 1);
        using var two = NewStep(network, Loss.SoftmaxCrossEntropy, Optimizer.Sgd(), own: true, threads: 2);
        for (var i = 0; i < 3; i++)
        {
            one.Run(Batch, 0.1f);
            two.Run(Batch, 0.1f);
        }

        foreach (var (name, values) in one.State()) Assert.Equal(values, two.State()[name]);
    }

    [Fact]
    public void Model_OfAStepAndOfANetwork_HasOperatorsOfOurOwnOnlyInTheStep()
    {
        var network = Network.Input(3).Dense(8).BatchNorm().Relu().Dense(2);
        using var own = NewStep(network, Loss.SoftmaxCrossEntropy, Optimizer.Adam(), own: true);
        using var plain = NewStep(network, Loss.SoftmaxCrossEntropy, Optimizer.Adam(), own: false);
        var targets = Enumerable.Repeat(new float[] { 0, 1 }, 12).SelectMany(target => target);
        var rows = new TrainingData(new SampleShape(3), 2, new float[12 * 3], [.. targets]);
        var options = new TrainingOptions { Epochs = 1, ValidationFraction = 0 };
        var trained = NetworkTrainer.Train(network, Loss.SoftmaxCrossEntropy, rows, options);
        var exported = Results.NetworkExporter.Export(trained, rows);

        Assert.Contains(own.Model.Graph.Node, node => node.Domain == TrainingOperators.Name);
        Assert.True(own.Model.Graph.Node.Count < plain.Model.Graph.Node.Count / 3);
        Assert.All(plain.Model.Graph.Node, node => Assert.Equal(string.Empty, node.Domain));
        Assert.All(exported.Folded.Proto.Graph.Node, node => Assert.Equal(string.Empty, node.Domain));
        Assert.All(exported.Unfolded.Proto.Graph.Node, node => Assert.Equal(string.Empty, node.Domain));
    }

    [Fact]
    public async Task Load_FirstSessionsAtOnce_AllKnowTheDomain()
    {
        // A race in ONNX Runtime: each round has a domain that no session has met before.
        for (var round = 0; round < 20; round++)
        {
            var domain = OperatorDomain.Create($"mlnetbn.test.{round}", 1, new ThrowingOperator())!;
            var nodes = new GraphBuilder("copy");
            nodes.Output("y", nodes.Node("Identity", [nodes.Input("x", DataType.Float, 1)]), DataType.Float, 1);
            var model = nodes.Build();
            using var start = new Barrier(4);
            var threads = Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait();
                    OnnxSession.Load(model, new ExecutionOptions { Operators = domain }).Dispose();
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default));
            await Task.WhenAll(threads);
        }
    }

    [Fact]
    public void Run_KernelThatThrows_FailsWithItsWords()
    {
        var domain = OperatorDomain.Create("mlnetbn.test", 1, new ThrowingOperator())!;
        var nodes = new GraphBuilder("throws");
        var x = nodes.Input("x", DataType.Float, 1);
        nodes.Output("y", nodes.NodeOf("mlnetbn.test", 1, ThrowingOperator.Called, [x], ["y"])[0], DataType.Float, 1);
        using var session = OnnxSession.Load(nodes.Build(), new ExecutionOptions { Operators = domain });

        var exception = Assert.Throws<ModelRunException>(
            () => session.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([1f], 1) }));

        Assert.Contains("the kernel says no", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_CheckpointOfThePlainGraph_GoesOnWithIt()
    {
        var folder = Directory.CreateTempSubdirectory("own-operators");
        try
        {
            var random = new Random(3);
            var targets = Enumerable.Range(0, 64).SelectMany(row => row % 2 == 0 ? new float[] { 1, 0 } : [0, 1]).ToArray();
            var rows = new TrainingData(
                new SampleShape(3), 2, [.. Enumerable.Range(0, 64 * 3).Select(_ => random.NextSingle())], targets);
            var network = Network.Input(3).Dense(8).BatchNorm().Relu().Dense(2);
            var options = new TrainingOptions { Epochs = 4, BatchSize = 16, ValidationFraction = 0, OwnOperators = false };
            var whole = NetworkTrainer.Train(network, Loss.SoftmaxCrossEntropy, rows, options);
            using var stop = new CancellationTokenSource();
            var checkpoint = new CheckpointOptions(Path.Combine(folder.FullName, "checkpoint"));
            Assert.Throws<OperationCanceledException>(() => NetworkTrainer.Train(
                network,
                Loss.SoftmaxCrossEntropy,
                rows,
                options with { Checkpoint = checkpoint, Progress = epoch => StopAfterTheSecond(epoch, stop) },
                null,
                stop.Token));

            var resumed = NetworkTrainer.Train(
                network, Loss.SoftmaxCrossEntropy, rows, options with { Checkpoint = checkpoint, OwnOperators = true });

            Assert.Equal(whole.ParameterArrays["dense1.weight"], resumed.ParameterArrays["dense1.weight"]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("auto")]
    [InlineData("cuda,cpu")]
    public void Step_OnWhateverDevice_HasThemWhereItEndsOnTheCpu(string device)
    {
        var network = Network.Input(4).Dense(8).BatchNorm().Relu().Dense(1);
        var settings = new ExecutionOptions { Device = Device.Parse(device) };
        using var step = new TrainingStep(
            network, Loss.SquaredError, Optimizer.Sgd(), RunningStatistics.PyTorch(), Batch, new Random(1), settings: settings);

        Assert.Equal(step.Device.Kind == DeviceKind.Cpu, step.OwnOperators);
    }

    private static void RequireSame(
        Network network,
        Loss loss,
        Optimizer optimizer,
        string rule = "pytorch",
        bool weighted = false,
        float? clip = null,
        float averaging = 0,
        float[]? features = null)
    {
        using var own = NewStep(network, loss, optimizer, own: true, rule, weighted, clip, averaging, features: features);
        using var plain = NewStep(network, loss, optimizer, own: false, rule, weighted, clip, averaging, features: features);
        Assert.True(own.OwnOperators);
        for (var i = 0; i < Steps; i++)
        {
            var rows = i % 3 == 2 ? Batch - 6 : Batch;
            var expected = plain.Run(rows, optimizer.LearningRate);
            Assert.Equal(expected, own.Run(rows, optimizer.LearningRate), 2e-5f * Math.Max(1, Math.Abs(expected)));
        }

        foreach (var (name, values) in plain.State())
            Closeness.Require([.. values.Select(value => (double)value)], own.State()[name], 1e-4, name);
    }

    private static TrainingStep NewStep(
        Network network,
        Loss loss,
        Optimizer optimizer,
        bool own,
        string rule = "pytorch",
        bool weighted = false,
        float? clip = null,
        float averaging = 0,
        int threads = 1,
        int batch = Batch,
        float[]? features = null,
        bool keepsBefore = false)
    {
        var step = new TrainingStep(
            network,
            loss,
            optimizer,
            RunningStatistics.Parse(rule),
            batch,
            new Random(1),
            weighted,
            new ExecutionOptions { Threads = threads },
            clip,
            averaging,
            ownOperators: own,
            keepsBefore: keepsBefore);
        var random = new Random(2);
        foreach (ref var value in step.Features.Span) value = (random.NextSingle() * 3) - 1;
        features?.CopyTo(step.Features.Span);
        var outputs = (int)network.OutputShape.Count;
        for (var row = 0; row < batch * network.MemberCount; row++)
        {
            var target = step.Targets.Span.Slice(row * outputs, outputs);
            if (outputs > 1 && !loss.IsRegression) target[random.Next(outputs)] = 1;
            else
                foreach (ref var value in target) value = loss.IsRegression ? random.NextSingle() : random.Next(2);
            step.RowWeights[row] = random.Next(3);
        }

        return step;
    }

    private sealed class ThrowingOperator() : OwnOperator(Called, 1, 1)
    {
        public const string Called = "Throw";

        public override OwnKernel CreateKernel(in KernelAttributes attributes) => new ThrowingKernel();
    }

    private sealed class ThrowingKernel : OwnKernel
    {
        public override void Compute(KernelContext context) => throw new InvalidOperationException("the kernel says no");
    }

    private static void StopAfterTheSecond(EpochReport epoch, CancellationTokenSource source)
    {
        if (epoch.Epoch == 2) source.Cancel();
    }
}
