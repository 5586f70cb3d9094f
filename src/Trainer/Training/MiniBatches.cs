using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>Deals rows out in mini-batches, in a new order each epoch.</summary>
internal sealed class MiniBatches : IDisposable
{
    private readonly TrainingData _rows;
    private readonly RowDealer _dealer;
    private readonly int[] _order;
    private readonly int _batchSize;
    private readonly Random _random;
    private readonly float _weightScale;
    private readonly int _minimumRows;
    private readonly Augmentation? _augmentation;
    private readonly Random _chance;
    private readonly float[] _scratch;
    private readonly int _members;
    private readonly Folds? _folds;
    private readonly long[]? _counts;

    // The steps over which the rows are spread evenly; 0 = each takes as many as it may.
    private readonly int _evenSteps;
    private int _next;
    private int _step;

    /// <param name="rows">The rows, as they go into the first layer.</param>
    /// <param name="batchSize">The most rows in a mini-batch.</param>
    /// <param name="random">Draws the order.</param>
    /// <param name="minimumRows">The fewest rows in a mini-batch.</param>
    /// <param name="augmentation">Changes each row as it is dealt out; null = nothing does.</param>
    /// <param name="chance">Draws those changes; null = <paramref name="random"/>.</param>
    /// <param name="members">The members of the network's ensemble, each of which learns every row; 1 = there is none.</param>
    /// <param name="folds">The rows that each member does not learn; null = each learns all.</param>
    /// <param name="ranks">
    /// The ranks that make the steps together, each with rows of its own; null = there is but this one. Then an epoch has as many steps on
    /// all of them, over which each spreads its rows, and a row counts the same on whichever rank it is.
    /// </param>
    /// <exception cref="ArgumentException">A rank has too few rows for so many steps.</exception>
    public MiniBatches(
        TrainingData rows,
        int batchSize,
        Random random,
        int minimumRows,
        Augmentation? augmentation = null,
        Random? chance = null,
        int members = 1,
        Folds? folds = null,
        Communicator? ranks = null)
    {
        (_members, _folds) = (members, folds);
        _augmentation = augmentation;
        _chance = chance ?? random;
        _rows = rows;
        _dealer = new RowDealer(rows.FeatureRows);
        _scratch = augmentation is null ? [] : new float[rows.Shape.Count];
        _order = [.. Enumerable.Range(0, rows.Count)];
        _batchSize = batchSize;
        _random = random;
        _minimumRows = minimumRows;

        var weights = rows.WeightArray?.Sum(weight => (double)weight) ?? rows.Count;
        double count = rows.Count;
        if (ranks is not null)
        {
            _counts = ranks.Numbers(rows.Count);
            _evenSteps = (int)((_counts.Max() + batchSize - 1) / batchSize);
            var poorest = _counts.Min();
            if (poorest / _evenSteps < Math.Max(1, minimumRows))
                throw new ArgumentException(
                    $"Rank {Array.IndexOf(_counts, poorest)} has {poorest} rows to learn from, but the {_counts.Max()} rows of another "
                    + $"take {_evenSteps} steps of {batchSize} rows, and in each step every rank needs at least "
                    + $"{Math.Max(1, minimumRows)}. Deal the rows out evenly, take larger mini-batches, or fewer ranks.",
                    nameof(rows));
            (count, weights) = ranks.Sum([count, weights]) is [var all, var sum] ? (all, sum) : default;
        }
        else if (members > 1)
        {
            // The last mini-batch of an epoch, if it had but a few rows, would bring the running statistics as much as any other, just
            // before the epoch is measured.
            var steps = (rows.Count + batchSize - 1) / batchSize;
            if (rows.Count / steps >= Math.Max(1, minimumRows)) _evenSteps = steps;
        }

        // Weights are brought to a mean of 1, so that the learning rate means the same whatever unit they are in.
        _weightScale = (float)(count / weights);
    }

    /// <summary>The rows of all ranks in the mini-batch that was dealt out last.</summary>
    public long RowsOfStep { get; private set; }

    /// <summary>The steps in an epoch.</summary>
    public int PerEpoch => _evenSteps > 0
        ? _evenSteps
        : (_rows.Count / _batchSize) + (_rows.Count % _batchSize >= Math.Max(1, _minimumRows) ? 1 : 0);

    /// <summary>Starts an epoch: shuffles.</summary>
    public void Restart()
    {
        _random.Shuffle(_order);
        _dealer.Restart(_order);
        (_next, _step) = (0, 0);
    }

    /// <summary>Passes over an epoch: draws what it would have drawn, so that the next one is as if it had been dealt out.</summary>
    public void Skip()
    {
        Restart();
        if (_augmentation is null) return;
        var unused = new float[_rows.Shape.Count];
        while (Count() is > 0 and var count)
        {
            for (var i = 0; i < count; i++) _augmentation.Apply(_dealer.Next(_scratch), unused, _rows.Shape, _chance);
            _next += count;
            _step++;
        }
    }

    /// <summary>
    /// Copies the next mini-batch into a step's buffers. The last one of an epoch may be smaller; if it is smaller than the network's
    /// <see cref="Network.MinimumBatchRows"/> it is passed over, since a batch of one has no variance to normalize by. For an ensemble all
    /// mini-batches of an epoch are of one size, as near as it goes.
    /// </summary>
    /// <returns>The rows copied; 0 at the end of the epoch.</returns>
    public int Fill(TrainingStep step)
    {
        var count = Count();
        if (count == 0) return 0;
        RowsOfStep = count;
        if (_counts is not null)
        {
            RowsOfStep = 0;
            for (var rank = 0; rank < _counts.Length; rank++) RowsOfStep += RowsIn(_step, _counts[rank]);
        }

        // With the mean over a rank's rows, and then over the ranks, each row counts as much as with the mean over all rows.
        var share = _counts is null ? 1 : (float)((double)count * _counts.Length / RowsOfStep);
        var features = step.Features.Span;
        var targets = step.Targets.Span;
        var width = (int)_rows.Shape.Count;
        for (var i = 0; i < count; i++)
        {
            var row = _order[_next + i];
            if (_next + i + Prefetch.Rows < _order.Length) _rows.ExpectTarget(_order[_next + i + Prefetch.Rows]);
            var target = features.Slice(i * width, width);
            if (_augmentation is not null) _augmentation.Apply(_dealer.Next(_scratch), target, _rows.Shape, _chance);
            else if (_dealer.Next(target) is var read && !read.Overlaps(target)) read.CopyTo(target);
            for (var member = 0; member < _members; member++)
            {
                var place = (i * _members) + member;
                _rows.Target(row).CopyTo(targets[(place * _rows.Outputs)..]);
                if (_folds is not null || _rows.WeightArray is not null || _counts is not null)
                    step.RowWeights[place] = share * Weight(row, member);
            }
        }

        _next += count;
        _step++;
        return count;
    }

    /// <inheritdoc/>
    public void Dispose() => _dealer.Dispose();

    // A member learns from the other folds alone, which count as much as all of them would.
    private float Weight(int row, int member)
    {
        var weight = (_rows.WeightArray?[row] ?? 1) * _weightScale;
        return _folds is null ? weight : _folds.Of[row] == member ? 0 : weight * _members / (_members - 1);
    }

    // The rows of the next mini-batch.
    private int Count()
    {
        if (_evenSteps > 0) return _step == _evenSteps ? 0 : RowsIn(_step, _rows.Count);
        var count = Math.Min(_batchSize, _rows.Count - _next);
        return count < Math.Max(1, _minimumRows) ? 0 : count;
    }

    // The rows of a step where so many are spread over all steps.
    private int RowsIn(int step, long count) => (int)((count * (step + 1) / _evenSteps) - (count * step / _evenSteps));
}
