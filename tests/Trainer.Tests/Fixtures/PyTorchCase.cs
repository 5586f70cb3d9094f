using System.Text.Json;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Fixtures;

/// <summary>What PyTorch computed for a small network; see generate.py beside the JSON files.</summary>
internal sealed record PyTorchCase
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web);

    public required string[] Layers { get; init; }

    public required string Loss { get; init; }

    public required string Optimizer { get; init; }

    public float? ClipNorm { get; init; }

    public required string Schedule { get; init; }

    public required string Statistics { get; init; }

    public required int Rows { get; init; }

    public required long[] Shape { get; init; }

    public required int Outputs { get; init; }

    public required int Batch { get; init; }

    public required float[] X { get; init; }

    public required float[] Targets { get; init; }

    public float[]? RowWeights { get; init; }

    /// <summary>The ranks of PyTorch's DistributedDataParallel that made the steps; 1 = one process.</summary>
    public int Ranks { get; init; } = 1;

    public required Dictionary<string, float[]> Initial { get; init; }

    public required float[] TrainingOutput { get; init; }

    public required double FirstLoss { get; init; }

    public required Dictionary<string, double[]> Gradients { get; init; }

    public required Dictionary<string, double[]> After1 { get; init; }

    public required Dictionary<string, double[]> After2 { get; init; }

    public required Dictionary<string, double[]> After100 { get; init; }

    public required double[] InferenceOutput { get; init; }

    /// <summary>The learning rate that generate.py gives the optimizer.</summary>
    public float LearningRate => Optimizer switch { "sgd" => 0.05f, "momentum" or "nesterov" => 0.01f, _ => 0.003f };

    /// <summary>The names of all fixtures of one process.</summary>
    public static IEnumerable<string> Names => AllNames.Where(name => Read(name).Ranks == 1);

    /// <summary>The names of all fixtures of several ranks.</summary>
    public static IEnumerable<string> NamesOfRanks => AllNames.Where(name => Read(name).Ranks > 1);

    private static IEnumerable<string> AllNames =>
        Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Fixtures"), "*.json").Select(
            path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal);

    public static PyTorchCase Read(string name) =>
        JsonSerializer.Deserialize<PyTorchCase>(
            File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", $"{name}.json")), Format)!;

    public Network CreateNetwork() => Network.Parse(string.Join('\n', Layers), Shape);

    public Loss CreateLoss() => Loss switch
    {
        "sigmoidCrossEntropy" => MlNetBatchNorm.Loss.SigmoidCrossEntropy,
        "softmaxCrossEntropy" => MlNetBatchNorm.Loss.SoftmaxCrossEntropy,
        "weightedSigmoidCrossEntropy" => MlNetBatchNorm.Loss.WeightedSigmoidCrossEntropy(3, 0.5f),
        "smoothedCrossEntropy" => MlNetBatchNorm.Loss.SmoothedCrossEntropy(0.1f),
        "weightedSoftmaxCrossEntropy" => MlNetBatchNorm.Loss.SmoothedCrossEntropy(0.2f, [0.5f, 1, 3]),
        "huber" => MlNetBatchNorm.Loss.Huber(0.7f),
        "absoluteError" => MlNetBatchNorm.Loss.AbsoluteError,
        "squaredError" => MlNetBatchNorm.Loss.SquaredError,
        _ => throw new FormatException($"'{Loss}' is not a loss of a fixture."),
    };

    public Optimizer CreateOptimizer() => Optimizer switch
    {
        "sgd" => MlNetBatchNorm.Optimizer.Sgd(LearningRate),
        "momentum" => MlNetBatchNorm.Optimizer.Sgd(LearningRate, momentum: 0.9f, weightDecay: 0.01f),
        "nesterov" => MlNetBatchNorm.Optimizer.Nesterov(LearningRate, 0.9f, weightDecay: 0.01f),
        "adam" => MlNetBatchNorm.Optimizer.Adam(LearningRate),
        "adamw" => MlNetBatchNorm.Optimizer.AdamW(LearningRate, weightDecay: 0.1f),
        _ => throw new FormatException($"'{Optimizer}' is not an optimizer of a fixture."),
    };

    /// <summary>A training step with the fixture's first parameters.</summary>
    /// <param name="optimizer">Another optimizer than the fixture's, or null.</param>
    /// <param name="ranks">The ranks that make the steps together, or null.</param>
    /// <param name="syncStatistics">Whether they normalize their mini-batches together.</param>
    internal TrainingStep CreateStep(Optimizer? optimizer = null, Communicator? ranks = null, bool syncStatistics = false)
    {
        var step = new TrainingStep(
            CreateNetwork(), CreateLoss(), optimizer ?? CreateOptimizer(), RunningStatistics.Parse(Statistics), Batch, new Random(0),
            weighted: ranks is not null || RowWeights is not null, maximumGradientNorm: optimizer is null ? ClipNorm : null, ranks: ranks,
            syncStatistics: syncStatistics);
        foreach (var (name, values) in Initial) values.CopyTo(step.Parameter(name));
        return step;
    }

    /// <summary>Makes steps on the batches in turn: rows 0 to 7, 8 to 15, 16 to 21, 0 to 7, …</summary>
    /// <param name="step">The step.</param>
    /// <param name="steps">How many.</param>
    /// <param name="ranks">The ranks that divide the rows of each batch, or null.</param>
    /// <returns>The loss of the last step; with ranks this one's part of it.</returns>
    internal float Run(TrainingStep step, int steps, Communicator? ranks = null)
    {
        const int allSteps = 100;
        var batches = (Rows + Batch - 1) / Batch;
        var width = X.Length / Rows;
        var schedule = LearningRateSchedule.Parse(Schedule);
        var loss = float.NaN;
        for (var i = 0; i < steps; i++)
        {
            var first = (int)(step.Steps % batches) * Batch;
            var count = Math.Min(Batch, Rows - first);
            var weight = 1f;
            if (ranks is not null)
            {
                var (start, end) = (count * ranks.Rank / ranks.Size, count * (ranks.Rank + 1) / ranks.Size);
                weight = (float)(end - start) * ranks.Size / count;
                (first, count) = (first + start, end - start);
            }

            X.AsSpan(first * width, count * width).CopyTo(step.Features.Span);
            Targets.AsSpan(first * Outputs, count * Outputs).CopyTo(step.Targets.Span);
            for (var row = 0; row < count; row++) step.RowWeights[row] = weight * (RowWeights?[first + row] ?? 1);
            loss = step.Run(count, LearningRate * schedule.Factor(step.Steps, allSteps));
        }

        return loss;
    }
}
