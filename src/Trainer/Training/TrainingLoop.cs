using System.Diagnostics;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>The epochs of a training: deals out the rows, measures, remembers the best, stops, and keeps checkpoints.</summary>
internal sealed class TrainingLoop
{
    private readonly TrainingStep _step;
    private readonly EvaluationStep? _evaluation;
    private readonly PopulationStatistics? _population;
    private readonly TrainingDiagnosis? _diagnosis;
    private readonly MiniBatches _batches;
    private readonly Network _network;
    private readonly TrainingOptions _options;
    private readonly EarlyStopping _stopping;
    private readonly List<EpochReport> _history = [];
    private readonly Communicator? _ranks;
    private readonly int _rows;
    private readonly Dictionary<string, float[]> _best = new(StringComparer.Ordinal);
    private bool _isDone;

    public TrainingLoop(
        TrainingStep step,
        EvaluationStep? evaluation,
        PopulationStatistics? population,
        MiniBatches batches,
        Network network,
        TrainingOptions options,
        int rows,
        TrainingDiagnosis? diagnosis = null)
    {
        (_step, _evaluation, _population, _batches, _network, _options) = (step, evaluation, population, batches, network, options);
        _diagnosis = diagnosis;
        _stopping = new EarlyStopping(options.EarlyStoppingPatience);
        _ranks = options.Communicator is { Size: > 1 } ranks ? ranks : null;
        _rows = rows;
        Remember();
    }

    /// <summary>The reports of the epochs.</summary>
    public IReadOnlyList<EpochReport> History => _history;

    /// <summary>The parameters of the best epoch.</summary>
    public IReadOnlyDictionary<string, float[]> Best => _best;

    /// <summary>Whether no epoch is to follow, however few there were.</summary>
    public bool IsDone => _isDone;

    /// <summary>Takes up a training where a checkpoint left it; the step has its state already.</summary>
    public void Resume(TrainingCheckpoint checkpoint)
    {
        _history.AddRange(checkpoint.History);
        foreach (var report in _history)
            if (report.Validation is { } measured) _stopping.IsBest(measured.Loss);
        foreach (var (name, values) in checkpoint.Best) _best[name] = values;
        _isDone = checkpoint.IsDone;
        _diagnosis?.Resume(checkpoint.Diagnostics);
        for (var epoch = 0; epoch < _history.Count; epoch++) _batches.Skip();
    }

    /// <summary>Runs the epochs that are left.</summary>
    /// <param name="save">Writes a checkpoint, where the options want any.</param>
    /// <param name="cancellation">Stops between two steps.</param>
    public void Run(Action<TrainingLoop> save, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        var before = _history.Count == 0 ? TimeSpan.Zero : _history[^1].Elapsed;
        var isKept = _history.Count > 0;
        while (_history.Count < _options.Epochs && !_stopping.ShouldStop && !_isDone)
        {
            var epoch = _history.Count + 1;
            var loss = RunEpoch(epoch, cancellation);
            _step.JoinStatistics(_rows);
            _step.RequireSameOnAllRanks();
            if (_evaluation is not null || epoch == _options.Epochs) SetStatistics();
            var measured = _evaluation?.Run(_step.Current);
            if (measured is not null && !double.IsFinite(measured.Loss))
                throw new TrainingDivergedException(epoch, measured.Loss, "validation loss");
            var isBest = measured is null || _stopping.IsBest(measured.Loss);
            if (isBest) Remember();
            _diagnosis?.Look(epoch, _step);
            var report = new EpochReport(epoch, _options.Epochs, loss, measured, isBest, before + watch.Elapsed);
            _history.Add(report);
            // Before anybody hears of the epoch: who stops then has it.
            isKept = _options.Checkpoint is { } checkpoint && epoch % checkpoint.EveryEpochs == 0;
            if (isKept) save(this);
            _options.Progress?.Invoke(report);
            if (!Any(report.IsStopped)) continue;
            if (_evaluation is null && epoch < _options.Epochs)
            {
                // The last epoch after all: what is done at its end only.
                SetStatistics();
                Remember();
            }

            (_isDone, isKept) = (true, false);
        }

        if (_options.Checkpoint is { Keep: true } && !isKept) save(this);
    }

    // Validation runs on the statistics that would be exported, so these are set before it.
    private void SetStatistics()
    {
        if (_population is null) return;
        foreach (var (name, values) in _population.Measure(name => _step.Parameter(name).ToArray())) values.CopyTo(_step.Parameter(name));
    }

    private double RunEpoch(int epoch, CancellationToken cancellation)
    {
        _batches.Restart();
        var steps = (long)_options.Epochs * _batches.PerEpoch;
        double sum = 0;
        long seen = 0;
        var taken = 0;
        while (_batches.Fill(_step) is > 0 and var count)
        {
            if (_ranks is null) cancellation.ThrowIfCancellationRequested();
            var loss = Step(_step, count, _options, epoch, steps);
            sum += loss * (double)_batches.RowsOfStep;
            seen += _batches.RowsOfStep;
            _options.Watch?.Step(new TrainingPosition(epoch, _options.Epochs, ++taken, _batches.PerEpoch, count));
        }

        // Ranks stop together, where they meet.
        if (_ranks is null) return sum / seen;
        if (Any(cancellation.IsCancellationRequested)) throw new OperationCanceledException(cancellation);
        var mean = _ranks.Sum([sum])[0] / _ranks.Size / seen;
        return double.IsFinite(mean) ? mean : throw new TrainingDivergedException(epoch, mean, "loss");
    }

    private bool Any(bool ofThisRank) => _ranks is null ? ofThisRank : _ranks.Largest(ofThisRank ? 1 : 0) > 0;

    /// <summary>Makes the step on a mini-batch that has been dealt out.</summary>
    /// <param name="step">The step.</param>
    /// <param name="rows">The rows of the mini-batch.</param>
    /// <param name="options">The optimizer and the schedule.</param>
    /// <param name="epoch">The epoch, from 1.</param>
    /// <param name="steps">All steps that the schedule is laid out over.</param>
    /// <returns>The mean loss of the mini-batch, before the step.</returns>
    /// <exception cref="TrainingDivergedException">It is not finite; of several ranks, all find that at the end of the epoch.</exception>
    internal static float Step(TrainingStep step, int rows, TrainingOptions options, int epoch, long steps)
    {
        var loss = step.Run(rows, options.Optimizer.LearningRate * options.Schedule.Factor(step.Steps, steps));
        return float.IsFinite(loss) || options.Communicator is { Size: > 1 }
            ? loss
            : throw new TrainingDivergedException(epoch, loss, "loss");
    }

    // Where those that were the best so far lie: of a wide network they are a large part of what a training needs.
    private void Remember()
    {
        foreach (var parameter in _network.Parameters)
        {
            var now = _step.Parameter(parameter.Name);
            if (_best.TryGetValue(parameter.Name, out var known)) now.CopyTo(known);
            else _best.Add(parameter.Name, now.ToArray());
        }
    }
}

/// <summary>Remembers the best validation loss and says when too many epochs have gone by without a better one.</summary>
internal sealed class EarlyStopping(int patience)
{
    private double _best = double.PositiveInfinity;
    private int _since;

    public bool ShouldStop => patience > 0 && _since >= patience;

    public bool IsBest(double loss)
    {
        if (loss < _best)
        {
            _best = loss;
            _since = 0;
            return true;
        }

        _since++;
        return false;
    }
}
