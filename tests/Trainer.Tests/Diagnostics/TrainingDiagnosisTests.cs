using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Diagnostics;

/// <summary>What is seen of a training, against networks that were made to show it, NumPy, and numbers worked out by hand.</summary>
public sealed class TrainingDiagnosisTests : IDisposable
{
    private static readonly ParameterDiagnostics NoParameters = new(null, null, null, [], [], null);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("diagnosis-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Train_DeadRelus_AreCountedAndSaid()
    {
        // Features are above 0, and four units have negative weights alone: they give 0 for every row, and get no gradient.
        var weights = Initializer.Custom("fourdead", (values, shape, _) =>
        {
            for (var i = 0; i < values.Length; i++) values[i] = shape[1] == 10 && i % 10 < 4 ? -0.5f : 0.1f * (i % 7);
        });
        var network = Network.Input(3).Dense(10, weights: weights).Relu().Dense(1, weights: weights);

        var trained = NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, Rings(200, 1), Plain(3) with { StandardizeFeatures = false });

        var relu = trained.Diagnostics.Where(look => look.Layer == "relu1").ToArray();
        Assert.Equal([1, 2, 3], relu.Select(look => look.Epoch));
        Assert.All(relu, look => Assert.Equal(4, look.DeadUnits));
        Assert.All(relu, look => Assert.InRange(look.Zeros, 0.4, 0.42));
        Assert.All(trained.Diagnostics.Where(look => look.Layer != "relu1"), look => Assert.Null(look.DeadUnits));
        var finding = Assert.Single(trained.Warnings, warning => warning.Kind == TrainingWarningKind.DeadUnits);
        Assert.StartsWith("'relu1': 40 % of its 10 units are dead since epoch 1", finding.Message, StringComparison.Ordinal);

        // 40 % of the gradient behind the relu does not come through: that of dense1 is exactly 0 there.
        var dense = trained.Diagnostics.First(look => look.Layer == "dense1");
        Assert.InRange(dense.GradientHistogram[0], 0.4, 0.42);
        Assert.Equal(1, dense.GradientHistogram.Sum(), 1e-9);
    }

    [Theory]
    [InlineData("sigmoid", 1)]
    [InlineData("tanh", 1)]
    [InlineData("sigmoid", 0)]
    [InlineData("tanh", 0)]
    public void Train_WeightsThatSaturate_AreSaid(string activation, int isSteep)
    {
        var network = Network.Input(3)
            .Dense(16, weights: Initializer.Normal(isSteep == 1 ? 60 : 0.5f)).Activation(Activation.Parse(activation)).Dense(1);

        var trained = NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, Rings(300), Plain(2));

        var looks = trained.Diagnostics.Where(look => look.Layer == $"{activation}1").ToArray();
        var finding = trained.Warnings.SingleOrDefault(warning => warning.Kind == TrainingWarningKind.SaturatedUnits);
        Assert.All(looks, look => Assert.InRange(look.Saturated!.Value, isSteep == 1 ? 0.8 : 0, isSteep == 1 ? 1 : 0.4));
        Assert.Equal(isSteep == 1, finding is not null);
        if (finding is not null) Assert.Contains($"is at the ends of the {activation} since epoch 1", finding.Message);
    }

    [Fact]
    public void Look_AtNumbers_SaysWhatNumpySays()
    {
        // NumPy 1.24.2: x = np.array([…], np.float32); x.mean(), x.std(), np.percentile(x, [1, 5, 15, 50, 85, 95, 99]), np.linalg.norm(x)
        float[] given = [3, -1, 0, 0, 2.5f, 7, -4, 0.5f, 12, -0.25f];
        float[] gradient = [0, 1e-3f, -2e-3f, 0.5f, 0, 1e-20f, 5000, -0.02f, 0.03f, 0];

        var look = LayerDiagnostics.Of(7, Network.Input(5).Relu().Sites[0], given, gradient, NoParameters);

        Assert.Equal((7, "relu1", "relu", 5, 10), (look.Epoch, look.Layer, look.Kind, look.Units, look.Values));
        Assert.Equal(1.975, look.Mean, 1e-6);
        Assert.Equal(4.319215785301772, look.StandardDeviation, 1e-6);
        double[] percentiles = [-3.73, -2.65, -0.7375, 0.25, 5.6, 9.75, 11.55];
        Assert.All(percentiles.Zip(look.Percentiles), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
        Assert.Equal(0.2, look.Zeros);
        Assert.Equal(5000.000025, look.GradientNorm, 1e-3);
        Assert.Equal(
            [(0, 0.3), (1, 0.1), (10, 0.2), (11, 0.2), (12, 0.1), (15, 0.1)],
            look.GradientHistogram.Index().Where(part => part.Item > 0).Select(part => (part.Index, Math.Round(part.Item, 9))));
        var levels = LayerDiagnostics.GradientLevels;
        Assert.Equal([1e-12, 1e-3, 100], [levels[0], levels[9], levels[14]]);
    }

    [Fact]
    public void Look_AtChannelsWithPositions_CountsADeadOneOnce()
    {
        // Two rows of 3 channels with 2 positions; the middle one is 0 everywhere, the last one only in the first row.
        float[] given = [0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3];

        var look = LayerDiagnostics.Of(1, Network.Input(3, 2).Relu().Sites[0], given, new float[12], NoParameters);

        Assert.Equal((3, 1), (look.Units, look.DeadUnits));
        Assert.Equal(0, look.GradientNorm);
    }

    [Theory]
    [InlineData("relu", 1)]
    [InlineData("silu", 2)]
    [InlineData("gelu", 2)]
    [InlineData("sigmoid", 2)]
    [InlineData("tanh", 0)]
    [InlineData("leakyrelu", null)]
    public void Look_AtUnitsThatStayWhereTheyAre_CountsThoseThatAreFlatThere(string activation, int? dead)
    {
        // Three rows of 3 units: 0 always, about 0 always, and all over the place.
        float[] given = [0, 0.005f, -0.2f, 0, -0.005f, 0.7f, 0, 0.005f, 0.02f];

        var look = LayerDiagnostics.Of(
            1, Network.Input(3).Activation(Activation.Parse(activation)).Sites[0], given, new float[9], NoParameters);

        Assert.Equal(dead, look.DeadUnits);
    }

    [Fact]
    public void Look_AtManyValues_KeepsTheirSpread()
    {
        // Every second channel is 1, the others 0, in 64 × 1,024 values: what is looked at of them is half of both.
        var given = new float[1 << 16];
        for (var i = 0; i < given.Length; i++) given[i] = i % 2;

        var look = LayerDiagnostics.Of(1, Network.Input(1024).Relu().Sites[0], given, given, NoParameters);

        Assert.Equal((0.5, 0.5, 512), (look.Mean, look.StandardDeviation, look.DeadUnits));
        Assert.Equal(0.5, look.Zeros, 0.01);
        Assert.Equal(Math.Sqrt(1 << 15), look.GradientNorm, 1e-6);
    }

    [Fact]
    public void Train_OneStep_HasTheRatioOfTheUpdateAndTheStatistics()
    {
        // One step of gradient descent on all rows: w′ − w is what the parameters say, and the running mean is a tenth of the rows'.
        var rows = Rings(64);
        float[]? first = null;
        var weights = Initializer.Custom("kept", (values, _, random) =>
        {
            for (var i = 0; i < values.Length; i++) values[i] = random.NextSingle() - 0.5f;
            first = values.ToArray();
        });
        var options = Plain(1) with
        {
            BatchSize = 64,
            Optimizer = Optimizer.Sgd(0.5f),
            StandardizeFeatures = false,
            StandardizeTargets = false,
        };

        var trained = NetworkTrainer.Train(
            Network.Input(3).BatchNorm(new BatchNormOptions { Epsilon = 0 }).Dense(1, weights: weights), Loss.SquaredError, rows, options);

        var dense = trained.Diagnostics.Single(look => look.Layer == "dense1");
        var last = trained.Parameters["dense1.weight"].ToArray();
        var length = Math.Sqrt(first!.Sum(w => (double)w * w));
        Assert.Equal(length, dense.WeightNorm!.Value, 1e-6);
        Assert.Equal(
            Math.Sqrt(first!.Zip(last, (before, after) => Math.Pow(after - before, 2)).Sum()) / length, dense.UpdateRatio!.Value, 1e-5);
        Assert.Empty(dense.Gamma);
        var norm = trained.Diagnostics.Single(look => look.Layer == "batchnorm1");
        Assert.Equal(
            [trained.Parameters["batchnorm1.gamma"].ToArray().Min(), trained.Parameters["batchnorm1.gamma"].ToArray().Max()],
            [norm.Gamma[0], norm.Gamma[2]]);
        Assert.Null(norm.UpdateRatio);
        var squares = 0.0;
        for (var feature = 0; feature < 3; feature++)
        {
            double[] values = [.. Enumerable.Range(0, 64).Select(row => (double)rows.Row(row)[feature])];
            var mean = values.Average();
            var variance = values.Sum(value => (value - mean) * (value - mean)) / 63;
            var (running, spread) = (0.1 * mean, 0.9 + (0.1 * variance));
            squares += Math.Pow((running - mean) / Math.Sqrt(variance), 2) + Math.Pow(0.5 * Math.Log(spread / variance), 2);
        }

        Assert.Equal(Math.Sqrt(squares / 3), norm.StatisticsDistance!.Value, 1e-4);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Train_DeepSigmoids_LoseTheirGradientUnlessNormalized(bool isNormalized)
    {
        var network = Network.FeedForward(
            3, [16, 16, 16, 16, 16], 1, Activation.Sigmoid, isNormalized ? Normalization.Batch() : Normalization.None,
            weights: Initializer.Normal(0.01f));

        var trained = NetworkTrainer.Train(
            network, Loss.SigmoidCrossEntropy, Rings(300), Plain(4) with { Optimizer = Optimizer.Sgd(0.05f) });

        var finding = trained.Warnings.SingleOrDefault(warning => warning.Kind == TrainingWarningKind.VanishingGradients);
        Assert.Equal(!isNormalized, finding is not null);
        if (finding is not null)
        {
            Assert.Equal("dense1", finding.Layer);
            Assert.Contains("of that at 'dense6' since epoch 1", finding.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Train_DeepRectifiersOfLargeWeights_HaveGradientsThatGrowUnlessNormalized(bool isNormalized)
    {
        // Back through a layer of 32 units, of which half are on, they grow by √16 (He et al. 2015, section 2.2).
        var network = Network.FeedForward(
            3, [32, 32, 32, 32, 32, 32, 32, 32], 1, Activation.Relu, isNormalized ? Normalization.Batch() : Normalization.None,
            weights: Initializer.Normal(1));

        var trained = NetworkTrainer.Train(
            network, Loss.SigmoidCrossEntropy, Rings(300), Plain(2) with { Optimizer = Optimizer.Sgd(1e-12f) });

        var finding = trained.Warnings.SingleOrDefault(warning => warning.Kind == TrainingWarningKind.ExplodingGradients);
        Assert.Equal(!isNormalized, finding is not null);
        if (finding is not null)
        {
            Assert.Equal("dense1", finding.Layer);
            Assert.Contains("of that at 'dense9' since epoch 1", finding.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Train_StepsThatAreNothing_AreSaid()
    {
        var trained = NetworkTrainer.Train(
            Network.Input(3).Dense(16).BatchNorm().Relu().Dense(1),
            Loss.SigmoidCrossEntropy,
            Rings(300),
            Plain(3) with { Optimizer = Optimizer.Sgd(1e-12f) });

        var findings = trained.Warnings.Where(warning => warning.Kind == TrainingWarningKind.UnusualUpdates).ToArray();
        Assert.Equal(["dense1", "dense2"], findings.Select(warning => warning.Layer));
        Assert.All(findings, warning => Assert.Contains("it does not learn", warning.Message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true, 0.5, 0.4, 0.3, 0.2)]
    [InlineData(false, 0.5, 0.4, 0.3, 0.05)]
    [InlineData(false, 0.5, 0.01, 0.01, 0.02)]
    [InlineData(false, 1e-3, 1e-5, 1e-8, 1e-9)]
    public void Findings_StepsThatStayLarge_AreSaid(bool isSaid, double first, double second, double third, double fourth)
    {
        LayerDiagnostics[] seen =
        [
            .. new[] { first, second, third, fourth }.Select((ratio, i) => new LayerDiagnostics
            {
                Epoch = i + 1, Layer = "dense2", Kind = "dense", Units = 4, Values = 4, WeightNorm = 1, UpdateRatio = ratio,
            }),
        ];

        var findings = TrainingDiagnosis.Findings(seen).ToArray();

        Assert.Equal(isSaid ? 1 : 0, findings.Length);
        if (isSaid)
            Assert.StartsWith(
                "'dense2': a step still changes its weights by 20 % of their length at epoch 4",
                findings[0].Message,
                StringComparison.Ordinal);
    }

    [Fact]
    public void Train_AsUsual_HasNoFindingAndIsTheSameBits()
    {
        var network = Network.FeedForward(3, [32, 16], 1);
        var options = new TrainingOptions { Epochs = 12, Seed = 3 };

        var plain = NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, Rings(1000), options);
        var seen = NetworkTrainer.Train(
            network, Loss.SigmoidCrossEntropy, Rings(1000), options with { Diagnostics = new DiagnosticsOptions() });

        Assert.Equal(plain.Warnings.Select(warning => warning.Message), seen.Warnings.Select(warning => warning.Message));
        Assert.All(plain.Parameters, parameter => Assert.Equal(parameter.Value.ToArray(), seen.Parameters[parameter.Key].ToArray()));
        Assert.Empty(plain.Diagnostics);

        // 900 rows are 8 steps of 128, the last one smaller: 5 epochs have 40.
        Assert.Equal([1, 5, 10, 12], seen.Diagnostics.Select(look => look.Epoch).Distinct());
        Assert.Equal(64 * 32, seen.Diagnostics[0].Values);
        Assert.Equal(network.Layers.Select(layer => layer.Name), seen.Diagnostics.Take(7).Select(look => look.Layer));
    }

    [Theory]
    [InlineData("members 3\n  dense 8\n  batchnorm\n  relu\n  dense 1\nend", "3")]
    [InlineData("conv1d 4 3\nbatchnorm ghost=16\nrelu\nmaxpool 2\nflatten\ndense 1", "1,8")]
    [InlineData("dense 6\nresidual\n  dense 6\n  layernorm\n  gelu\nend\ndropout 0.2\ndense 1", "3")]
    [InlineData("batchnorm frozen=yes\ndense 1", "3")]
    public void Train_EveryKindOfLayer_IsSeen(string text, string shape)
    {
        var network = Network.Parse(text, [.. shape.Split(',').Select(long.Parse)]);
        var count = (int)network.InputShape.Count;
        var random = new Random(9);
        float[] features = [.. Enumerable.Range(0, 200 * count).Select(_ => random.NextSingle() - 0.5f)];
        var rows = new TrainingData(
            network.InputShape, 1, features, [.. Enumerable.Range(0, 200).Select(row => features[row * count] > 0 ? 1f : 0f)]);

        var trained = NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, rows, Plain(2));

        var looks = trained.Diagnostics.GroupBy(look => look.Epoch).ToArray();
        Assert.Equal(2, looks.Length);
        Assert.All(looks, look => Assert.Superset(
            look.Select(layer => layer.Layer).ToHashSet(),
            trained.Network.AllSites.Where(site => site.Layer is not MembersLayer).Select(site => site.Name).ToHashSet()));
        Assert.All(trained.Diagnostics, look => Assert.True(
            double.IsFinite(look.Mean + look.StandardDeviation + look.GradientNorm + look.Percentiles.Sum()), look.ToString()));
    }

    [Fact]
    public void Train_EncodedNumbersAndEmbeddings_AreSeen()
    {
        var random = new Random(2);
        var features = new float[400 * 2];
        for (var row = 0; row < 400; row++) (features[2 * row], features[(2 * row) + 1]) = (random.NextSingle(), random.Next(1, 200));
        var rows = new TrainingData(
            new SampleShape(2), 1, features, [.. Enumerable.Range(0, 400).Select(row => features[2 * row] > 0.5f ? 1f : 0f)]);
        var options = Plain(2) with { NumericEncoding = NumericEncoding.PiecewiseLinear(), EmbeddedFeatures = [1] };

        var trained = NetworkTrainer.Train(
            Network.Input(2).Members(3, member => member.Dense(8).BatchNorm().Relu().Dense(1)), Loss.SigmoidCrossEntropy, rows, options);

        Assert.Contains(trained.Diagnostics, look => look.Kind == "embedding" && look.UpdateRatio > 0);
        Assert.Contains(trained.Diagnostics, look => look.Kind == "relu" && look.Units == 24);
    }

    [Fact]
    public void Resume_AfterAStop_HasWhatWasSeenBefore()
    {
        var network = Network.Input(3).Dense(8).BatchNorm().Relu().Dense(1);
        var options = Plain(4) with
        {
            Checkpoint = new CheckpointOptions(Path.Combine(_folder.FullName, "state")),
        };
        var whole = NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, Rings(200), options with { Checkpoint = null });

        Assert.Throws<OperationCanceledException>(() => NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, Rings(200), options with
        {
            Progress = report => _ = report.Epoch < 2 ? 0 : throw new OperationCanceledException(),
        }));
        var resumed = NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, Rings(200), options);

        Assert.Equal(16, whole.Diagnostics.Count);
        Assert.Equivalent(whole.Diagnostics, resumed.Diagnostics, strict: true);
    }

    [Fact]
    public void Findings_SinceTheLastTimeThatItBegan()
    {
        double[] shares = [0.3, 0.1, 0.5, 0.1, 0.4, 0.41];
        LayerDiagnostics[] seen =
        [
            .. shares.Select((share, i) => new LayerDiagnostics
            {
                Epoch = 2 * i, Layer = "relu3", Kind = "relu", Units = 100, Values = 1, DeadUnits = (int)Math.Round(100 * share),
            }),
        ];

        var finding = Assert.Single(TrainingDiagnosis.Findings(seen));

        Assert.StartsWith("'relu3': 41 % of its 100 units are dead since epoch 8:", finding.Message, StringComparison.Ordinal);
        Assert.Empty(TrainingDiagnosis.Findings(seen[..4]));
        Assert.Empty(TrainingDiagnosis.Findings([]));
    }

    [Theory]
    [InlineData(1, null)]
    [InlineData(0, null)]
    [InlineData(null, 0)]
    public void Options_OutOfRange_AreRefused(int? rows, int? every) => Assert.Throws<ArgumentOutOfRangeException>(
        () => NetworkTrainer.Train(
            Network.Input(3).Dense(1),
            Loss.SigmoidCrossEntropy,
            Rings(50),
            new TrainingOptions { Diagnostics = new DiagnosticsOptions { Rows = rows, EveryEpochs = every } }));

    private static TrainingOptions Plain(int epochs) => new()
    {
        Epochs = epochs,
        BatchSize = 32,
        ValidationFraction = 0,
        Optimizer = Optimizer.Sgd(0.01f),
        Diagnostics = new DiagnosticsOptions { EveryEpochs = 1 },
    };

    // Points, and whether they lie near the middle.
    private static TrainingData Rings(int count, float shift = 0)
    {
        var random = new Random(6);
        var (features, targets) = (new float[count * 3], new float[count]);
        for (var row = 0; row < count; row++)
        {
            for (var i = 0; i < 3; i++) features[(row * 3) + i] = (2 * random.NextSingle()) - 1 + shift;
            targets[row] = Math.Abs(features[row * 3] - shift) < 0.5 ? 1 : 0;
        }

        return new TrainingData(new SampleShape(3), 1, features, targets);
    }
}
