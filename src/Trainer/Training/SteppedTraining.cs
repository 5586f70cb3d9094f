using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>
/// A training that stands still wherever one wants to look: after any step the network can be measured, looked into
/// (<see cref="NetworkProbe"/>), changed and trained on. It makes the very steps that <see cref="NetworkTrainer"/> makes on rows that are
/// left as they are: nothing is held out, standardized or encoded here, and nothing is stopped or kept.
/// </summary>
internal sealed class SteppedTraining : IDisposable
{
    private readonly Network _network;
    private readonly Loss _loss;
    private readonly TrainingData _rows;
    private readonly TrainingOptions _options;
    private readonly ExecutionOptions _settings;
    private readonly TrainingStep _step;
    private readonly MiniBatches _batches;
    private readonly Dictionary<TrainingData, EvaluationStep> _evaluations = new(ReferenceEqualityComparer.Instance);
    private PopulationStatistics? _population;
    private bool _isDealing;
    private int _epoch;

    /// <summary>Sets the network to its first weights.</summary>
    /// <param name="network">The architecture.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="rows">The rows to learn from, as they go into the first layer, with targets as they are learned.</param>
    /// <param name="options">
    /// Batch size, optimizer, schedule (laid out over <see cref="TrainingOptions.Epochs"/>), rule of the running statistics, augmentation,
    /// seed, device and threads; the rest is about whole trainings and is not looked at.
    /// </param>
    public SteppedTraining(Network network, Loss loss, TrainingData rows, TrainingOptions options)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_network, _loss, _rows, _options) = (network, loss, rows, options);
        var (initial, _, shuffle, chance) = NetworkTrainer.Streams(options.Seed);
        var batchSize = Math.Min(options.BatchSize, rows.Count);
        _settings = new ExecutionOptions { Device = options.Device, Threads = options.Threads ?? network.ThreadsFor(batchSize) };
        _step = new TrainingStep(
            network,
            loss,
            options.Optimizer,
            options.Statistics,
            batchSize,
            initial,
            rows.WeightArray is not null,
            _settings,
            options.MaximumGradientNorm,
            options.WeightAveraging,
            ownOperators: options.OwnOperators);
        _batches = new MiniBatches(
            rows, batchSize, shuffle, network.MinimumBatchRows, options.Augmentation, chance, network.MemberCount);
    }

    /// <summary>The steps made so far.</summary>
    public long Steps => _step.Steps;

    /// <summary>The steps of an epoch.</summary>
    public int StepsPerEpoch => _batches.PerEpoch;

    /// <summary>The epoch that goes on, from 1; 0 before the first step.</summary>
    public int Epoch => _epoch;

    /// <summary>Makes steps, over the end of an epoch where it comes.</summary>
    /// <param name="steps">How many, from 0.</param>
    /// <returns>The mean loss of their rows, each mini-batch before its step; NaN without a step.</returns>
    /// <exception cref="TrainingDivergedException">A loss is not finite.</exception>
    public double Advance(long steps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        double sum = 0;
        long seen = 0;
        for (var made = 0L; made < steps; made++)
        {
            var count = _isDealing ? _batches.Fill(_step) : 0;
            if (count == 0)
            {
                _batches.Restart();
                _epoch++;
                _isDealing = true;
                count = _batches.Fill(_step);
            }

            sum += (double)TrainingLoop.Step(_step, count, _options, _epoch, (long)_options.Epochs * _batches.PerEpoch) * count;
            seen += count;
        }

        return seen > 0 ? sum / seen : double.NaN;
    }

    /// <summary>A parameter's values, copied.</summary>
    /// <param name="name">Its full name, as <c>dense1.weight</c>.</param>
    public float[] Parameter(string name) => _step.Parameter(name).ToArray();

    /// <summary>All parameters and running statistics by full name, copied.</summary>
    public Dictionary<string, float[]> Parameters() =>
        _network.Parameters.ToDictionary(parameter => parameter.Name, parameter => Parameter(parameter.Name), StringComparer.Ordinal);

    /// <summary>Sets some parameters or running statistics; the optimizer's vectors stay.</summary>
    public void Set(IReadOnlyDictionary<string, float[]> parameters) => _step.Set(parameters);

    /// <summary>Measures the network as it is at inference, on its running statistics.</summary>
    /// <param name="rows">The rows; those that are asked for again are kept.</param>
    public EpochMetrics Evaluate(TrainingData rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (!_evaluations.TryGetValue(rows, out var evaluation))
            _evaluations.Add(
                rows,
                evaluation = new EvaluationStep(_network, _loss, rows, new LearnedTargets(null, null), null, calibrate: false, _settings));
        return evaluation.Run(_step.Current);
    }

    /// <summary>Measures the network with other values for some parameters, as with <see cref="PopulationStatistics"/>.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="parameters">The other values by full name; what stood there stands there again afterwards.</param>
    public EpochMetrics Evaluate(TrainingData rows, IReadOnlyDictionary<string, float[]> parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var before = parameters.Keys.ToDictionary(name => name, Parameter, StringComparer.Ordinal);
        Set(parameters);
        try
        {
            return Evaluate(rows);
        }
        finally
        {
            Set(before);
        }
    }

    /// <summary>
    /// The statistics of the training rows under the weights as they are, by full name; the running statistics stay as they are.
    /// </summary>
    public IReadOnlyDictionary<string, float[]> MeasurePopulation()
    {
        _population ??= new PopulationStatistics(_network, _rows, _step.BatchSize, new Random(_options.Seed), _settings);
        return _population.Measure(Parameter);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _step.Dispose();
        _batches.Dispose();
        _population?.Dispose();
        foreach (var evaluation in _evaluations.Values) evaluation.Dispose();
    }
}
