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
    private int _next;

    /// <param name="rows">The rows, as they go into the first layer.</param>
    /// <param name="batchSize">The most rows in a mini-batch.</param>
    /// <param name="random">Draws the order.</param>
    /// <param name="minimumRows">The fewest rows in a mini-batch.</param>
    /// <param name="augmentation">Changes each row as it is dealt out; null = nothing does.</param>
    /// <param name="chance">Draws those changes; null = <paramref name="random"/>.</param>
    /// <param name="members">The members of the network's ensemble, each of which learns every row; 1 = there is none.</param>
    /// <param name="folds">The rows that each member does not learn; null = each learns all.</param>
    public MiniBatches(
        TrainingData rows,
        int batchSize,
        Random random,
        int minimumRows,
        Augmentation? augmentation = null,
        Random? chance = null,
        int members = 1,
        Folds? folds = null)
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

        // Weights are brought to a mean of 1, so that the learning rate means the same whatever unit they are in.
        _weightScale = rows.WeightArray is null ? 1 : (float)(rows.Count / rows.WeightArray.Sum(weight => (double)weight));
    }

    /// <summary>The steps in an epoch.</summary>
    public int PerEpoch => (_rows.Count / _batchSize) + (_rows.Count % _batchSize >= Math.Max(1, _minimumRows) ? 1 : 0);

    /// <summary>Starts an epoch: shuffles.</summary>
    public void Restart()
    {
        _random.Shuffle(_order);
        _dealer.Restart(_order);
        _next = 0;
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
        }
    }

    /// <summary>
    /// Copies the next mini-batch into a step's buffers. The last one of an epoch may be smaller; if it is smaller than the network's
    /// <see cref="Network.MinimumBatchRows"/> it is passed over, since a batch of one has no variance to normalize by.
    /// </summary>
    /// <returns>The rows copied; 0 at the end of the epoch.</returns>
    public int Fill(TrainingStep step)
    {
        var count = Count();
        if (count == 0) return 0;
        var features = step.Features.Span;
        var targets = step.Targets.Span;
        var width = (int)_rows.Shape.Count;
        for (var i = 0; i < count; i++)
        {
            var row = _order[_next + i];
            var target = features.Slice(i * width, width);
            if (_augmentation is not null) _augmentation.Apply(_dealer.Next(_scratch), target, _rows.Shape, _chance);
            else if (_dealer.Next(target) is var read && !read.Overlaps(target)) read.CopyTo(target);
            for (var member = 0; member < _members; member++)
            {
                var place = (i * _members) + member;
                _rows.Target(row).CopyTo(targets[(place * _rows.Outputs)..]);
                if (_folds is not null || _rows.WeightArray is not null) step.RowWeights[place] = Weight(row, member);
            }
        }

        _next += count;
        return count;
    }

    /// <inheritdoc/>
    public void Dispose() => _dealer.Dispose();

    // A member learns from the other folds alone, which count as much as all of them would.
    private float Weight(int row, int member)
    {
        var weight = _rows.WeightArray is null ? 1 : _rows.WeightArray[row] * _weightScale;
        return _folds is null ? weight : _folds.Of[row] == member ? 0 : weight * _members / (_members - 1);
    }

    // The rows of the next mini-batch.
    private int Count()
    {
        var count = Math.Min(_batchSize, _rows.Count - _next);
        return count < Math.Max(1, _minimumRows) ? 0 : count;
    }
}
