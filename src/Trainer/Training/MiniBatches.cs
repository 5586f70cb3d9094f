namespace MlNetBatchNorm.Trainer.Training;

/// <summary>Deals rows out in mini-batches, in a new order each epoch.</summary>
internal sealed class MiniBatches
{
    private readonly TrainingData _rows;
    private readonly int[] _order;
    private readonly int _batchSize;
    private readonly Random _random;
    private readonly float _weightScale;
    private readonly int _minimumRows;
    private readonly Augmentation? _augmentation;
    private readonly Random _chance;
    private readonly float[] _scratch;
    private int _next;

    /// <param name="rows">The rows, as they go into the first layer.</param>
    /// <param name="batchSize">The most rows in a mini-batch.</param>
    /// <param name="random">Draws the order.</param>
    /// <param name="minimumRows">The fewest rows in a mini-batch.</param>
    /// <param name="augmentation">Changes each row as it is dealt out; null = nothing does.</param>
    /// <param name="chance">Draws those changes; null = <paramref name="random"/>.</param>
    public MiniBatches(
        TrainingData rows, int batchSize, Random random, int minimumRows, Augmentation? augmentation = null, Random? chance = null)
    {
        _augmentation = augmentation;
        _chance = chance ?? random;
        _rows = rows;
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
            for (var i = 0; i < count; i++) _augmentation.Apply(Read(_order[_next + i]), unused, _rows.Shape, _chance);
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
            if (_augmentation is null) _rows.FeatureRows.CopyTo(row, 1, target);
            else _augmentation.Apply(Read(row), target, _rows.Shape, _chance);
            _rows.Target(row).CopyTo(targets[(i * _rows.Outputs)..]);
            if (_rows.WeightArray is not null) step.RowWeights[i] = _rows.WeightArray[row] * _weightScale;
        }

        _next += count;
        return count;
    }

    private ReadOnlySpan<float> Read(int row) => _rows.FeatureRows.Read(row, _scratch);

    // The rows of the next mini-batch.
    private int Count()
    {
        var count = Math.Min(_batchSize, _rows.Count - _next);
        return count < Math.Max(1, _minimumRows) ? 0 : count;
    }
}
