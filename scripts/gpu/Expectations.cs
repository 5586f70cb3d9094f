using System.Text.Json;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.GpuChecks;

/// <summary>
/// The networks whose numbers are compared, and those numbers as a CPU computed them: small models as files, what they answer, and what a
/// few steps of training make of each kind of layer, loss, batch normalization, optimizer and rule of running statistics.
/// </summary>
internal static class Expectations
{
    private const string NumbersFile = "expected.json";
    private const int Steps = 4;
    private const string Dense = "dense 12; batchnorm; relu; dense 3";

    /// <summary>The numbers of rows that models are asked for: alone, few, and more than a power of two.</summary>
    public static IReadOnlyList<int> RowCounts { get; } = [1, 7, 300];

    /// <summary>Every kind of layer, in networks that end in three numbers.</summary>
    public static IReadOnlyList<(string Name, string Layers, long[] Shape)> Networks { get; } =
    [
        ("dense", Dense, [8]),
        ("leakyrelu", "dense 12; batchnorm; leakyrelu; dense 3", [8]),
        ("gelu", "dense 12; batchnorm; gelu; dense 3", [8]),
        ("silu", "dense 12; batchnorm; silu; dense 3", [8]),
        ("softplus", "dense 12; batchnorm; softplus; dense 3", [8]),
        ("sigmoid", "dense 12; batchnorm; sigmoid; dense 3", [8]),
        ("tanh", "dense 12; batchnorm; tanh; dense 3", [8]),
        ("layernorm", "dense 12; layernorm; relu; dense 3", [8]),
        ("groupnorm", "dense 12; groupnorm 4; relu; dense 3", [8]),
        ("dropout", "dense 12; batchnorm; relu; dropout 0; dense 3", [8]),
        ("conv1d", "conv1d 6 3; batchnorm; relu; flatten; dense 3", [2, 10]),
        ("conv2d", "conv2d 6 3; batchnorm; relu; flatten; dense 3", [2, 8, 8]),
        ("conv2d stride 2", "conv2d 6 3 stride=2; batchnorm; relu; flatten; dense 3", [2, 9, 9]),
        ("conv2d in groups", "conv2d 6 3 groups=2; batchnorm; relu; flatten; dense 3", [2, 8, 8]),
        ("conv2d depthwise", "conv2d 4 3 groups=4; batchnorm; relu; flatten; dense 3", [4, 8, 8]),
        ("maxpool", "conv2d 6 3; batchnorm; relu; maxpool 2; flatten; dense 3", [2, 8, 8]),
        ("averagepool", "conv2d 6 3; batchnorm; relu; averagepool 2; flatten; dense 3", [2, 8, 8]),
        ("globalaveragepool", "conv2d 6 3; batchnorm; relu; globalaveragepool; dense 3", [2, 8, 8]),
        ("groupnorm of images", "conv2d 6 3; groupnorm 3; relu; globalaveragepool; dense 3", [2, 8, 8]),
        ("residual", "residual; dense 8; batchnorm; relu; dense 8; batchnorm; end; relu; dense 3", [8]),
        (
            "residual with a way around",
            "residual; conv2d 6 3; batchnorm; relu; conv2d 6 3; batchnorm; around; conv2d 6 1; batchnorm; end; relu; globalaveragepool; "
            + "dense 3",
            [2, 8, 8]),
        ("batchnorm after the activation", "dense 12; relu; batchnorm; dense 3", [8]),
        ("batchnorm epsilon", "dense 12; batchnorm epsilon=0.01; relu; dense 3", [8]),
        ("batchnorm without gamma", "dense 12; batchnorm scale=no; relu; dense 3", [8]),
        ("batchnorm without beta", "dense 12; batchnorm center=no; relu; dense 3", [8]),
        ("batchnorm with gamma 0", "residual; dense 8; batchnorm zerogamma=yes; end; dense 3", [8]),
        ("batchnorm frozen", "dense 12; batchnorm frozen=yes; relu; dense 3", [8]),
        ("batchnorm in ghost batches", "dense 12; batchnorm ghost=8; relu; dense 3", [8]),
        ("batchnorm of images in ghost batches", "conv2d 6 3; batchnorm ghost=8; relu; globalaveragepool; dense 3", [2, 8, 8]),
    ];

    /// <summary>
    /// What is trained for a few steps. Of the rules that divide by a root of what may be tiny, epsilon is large: otherwise the last digit
    /// of a gradient would decide over a whole step.
    /// </summary>
    public static IReadOnlyList<TrainingCase> Trainings { get; } =
    [
        .. Networks.Select(network => new TrainingCase($"layer: {network.Name}") { Layers = network.Layers, Shape = network.Shape }),
        new("loss: softmax cross-entropy"),
        new("loss: cross-entropy smoothed and weighted") { Loss = Loss.SmoothedCrossEntropy(0.1f, [1, 2, 0.5f]) },
        new("loss: sigmoid cross-entropy") { Loss = Loss.SigmoidCrossEntropy, Layers = "dense 12; batchnorm; relu; dense 1" },
        new("loss: weighted sigmoid cross-entropy")
        {
            Loss = Loss.WeightedSigmoidCrossEntropy(3), Layers = "dense 12; batchnorm; relu; dense 1",
        },
        new("loss: squared error") { Loss = Loss.SquaredError },
        new("loss: absolute error") { Loss = Loss.AbsoluteError },
        new("loss: huber") { Loss = Loss.Huber() },
        new("optimizer: momentum") { Optimizer = Optimizer.Sgd(0.05f, momentum: 0.9f, weightDecay: 1e-3f) },
        new("optimizer: nesterov") { Optimizer = Optimizer.Nesterov(0.05f) },
        new("optimizer: adam") { Optimizer = Optimizer.Adam(epsilon: 1e-2f) },
        new("optimizer: adamw") { Optimizer = Optimizer.AdamW(epsilon: 1e-2f) },
        new("gradients limited") { MaximumGradientNorm = 0.1f },
        new("rows with weights") { IsWeighted = true },
        new("statistics: keras") { Statistics = RunningStatistics.Keras() },
        new("statistics: moving average from the start") { Statistics = RunningStatistics.MovingAverage(correctStart: true) },
        new("statistics: cumulative") { Statistics = RunningStatistics.Cumulative },
        new("statistics: population") { Statistics = RunningStatistics.Population },
    ];

    /// <summary>Numbers that look like standardized features, the same everywhere.</summary>
    public static float[] Numbers(long count, int seed)
    {
        var random = new Random(seed);
        var numbers = new float[count];
        foreach (ref var number in numbers.AsSpan()) number = (random.NextSingle() - 0.5f) * 3;
        return numbers;
    }

    /// <summary>The folder's files of models, without their ending.</summary>
    public static IEnumerable<string> Models(string folder) => Directory.EnumerateFiles(folder, "*.onnx")
        .Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal);

    /// <summary>The path of a model.</summary>
    public static string ModelPath(string folder, string name) => Path.Combine(folder, $"{name}.onnx");

    /// <summary>What a CPU answered, by name.</summary>
    public static Dictionary<string, float[]> Read(string folder) =>
        JsonSerializer.Deserialize<Dictionary<string, float[]>>(File.ReadAllText(Path.Combine(folder, NumbersFile)))!;

    /// <summary>The key of what a model answers for a number of rows.</summary>
    public static string ScoreKey(string model, int rows) => $"score {model}, {rows} rows";

    /// <summary>The rows that a model is asked for.</summary>
    public static float[] RowsFor(OnnxScorer scorer, int rows) => Numbers((long)rows * scorer.RowLength, rows);

    /// <summary>Makes models and numbers.</summary>
    public static void Record(string folder)
    {
        Directory.CreateDirectory(folder);
        var expected = new SortedDictionary<string, float[]>(StringComparer.Ordinal);
        foreach (var (name, layers, shape) in Networks) SaveModels(folder, name, Network.Parse(layers, shape));
        foreach (var model in Models(folder))
        {
            using var scorer = OnnxScorer.Load(ModelPath(folder, model));
            foreach (var rows in RowCounts) expected[ScoreKey(model, rows)] = scorer.ScoreBatch(RowsFor(scorer, rows));
        }

        foreach (var training in Trainings) expected[training.Name] = training.Run(Device.Cpu, Steps);
        AtomicFile.WriteText(Path.Combine(folder, NumbersFile), JsonSerializer.Serialize(expected));
        Console.WriteLine($"{Models(folder).Count()} models and {expected.Count} lists of numbers in {folder}");
    }

    /// <summary>The steps of training that are compared.</summary>
    public static float[] Train(TrainingCase training, Device device) => training.Run(device, Steps);

    // After an epoch on noise, so that statistics and weights are nobody's special case; the first network also in float16.
    private static void SaveModels(string folder, string name, Network network)
    {
        const int rows = 96;
        var outputs = (int)network.OutputShape.Count;
        var targets = new float[rows * outputs];
        for (var row = 0; row < rows; row++) targets[(row * outputs) + (row % outputs)] = 1;
        var data = new TrainingData(network.InputShape, outputs, Numbers(rows * network.InputShape.Count, 1), targets);
        var options = new TrainingOptions { Epochs = 1, BatchSize = 32, ValidationFraction = 0, StandardizeFeatures = false };
        var trained = NetworkTrainer.Train(network, Loss.SoftmaxCrossEntropy, data, options);
        var export = trained.Export(data);
        var file = name.Replace(' ', '-');
        export.Unfolded.Save(ModelPath(folder, $"{file}.unfolded"));
        export.Folded.Save(ModelPath(folder, $"{file}.folded"));
        if (name != Networks[0].Name) return;
        foreach (var precision in new[] { ModelPrecision.Float16, ModelPrecision.Float16Arithmetic })
        {
            var reduced = trained.Export(data, new NetworkExportOptions { Precision = precision, AllowedMetricLoss = 1 });
            reduced.Deployed.Save(ModelPath(folder, $"{file}.{precision}"));
        }
    }
}

/// <summary>A few steps of training.</summary>
/// <param name="Name">What is special about it.</param>
internal sealed record TrainingCase(string Name)
{
    private const int BatchSize = 24;

    public string Layers { get; init; } = "dense 12; batchnorm; relu; dense 3";

    public long[] Shape { get; init; } = [8];

    public Loss Loss { get; init; } = Loss.SoftmaxCrossEntropy;

    public Optimizer Optimizer { get; init; } = Optimizer.Sgd();

    public RunningStatistics Statistics { get; init; } = RunningStatistics.PyTorch();

    public float? MaximumGradientNorm { get; init; }

    public bool IsWeighted { get; init; }

    /// <summary>The losses of the steps, the last of a smaller batch, and all parameters and statistics after them.</summary>
    public float[] Run(Device device, int steps)
    {
        using var step = Create(device);
        var losses = new List<float>();
        for (var i = 0; i < steps; i++) losses.Add(step.Run(i == steps - 1 ? BatchSize / 2 : BatchSize, 0.05f));
        return [.. losses, .. step.State().OrderBy(state => state.Key, StringComparer.Ordinal).SelectMany(state => state.Value)];
    }

    /// <summary>The step with its first batch.</summary>
    public TrainingStep Create(Device device, bool ownOperators = true)
    {
        var network = Network.Parse(Layers, Shape);
        var step = new TrainingStep(
            network, Loss, Optimizer, Statistics, BatchSize, new Random(1), IsWeighted,
            new ExecutionOptions { Device = device }, MaximumGradientNorm, ownOperators: ownOperators);
        Expectations.Numbers(step.Features.Span.Length, 2).CopyTo(step.Features.Span);
        var outputs = (int)network.OutputShape.Count;
        for (var row = 0; row < BatchSize; row++)
        {
            if (outputs == 1) step.Targets.Span[row] = row % 2;
            else step.Targets.Span[(row * outputs) + (row % outputs)] = 1;
            if (IsWeighted) step.RowWeights[row] = 0.5f + (row % 3);
        }

        return step;
    }
}
