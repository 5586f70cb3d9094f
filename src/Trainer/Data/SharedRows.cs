using System.Runtime.InteropServices;

namespace MlNetBatchNorm.Trainer.Data;

/// <summary>
/// What every rank has to know of the rows of all: rows drawn evenly from them, the same on each rank and in the same order. As long as
/// they are no more than are asked for, that is all of them, and what is learned of them is what one process alone would learn.
/// </summary>
/// <param name="ranks">The ranks.</param>
/// <param name="rows">The rows of this one.</param>
internal sealed class SharedRows(Communicator ranks, TrainingData rows)
{
    private readonly long[] _counts = ranks.Numbers(rows.Count);

    /// <summary>The number of the first row of this rank among those of all.</summary>
    public long First => _counts.Take(ranks.Rank).Sum();

    /// <summary>The rows of each rank.</summary>
    public IReadOnlyList<long> Counts => _counts;

    /// <summary>Rows with their features.</summary>
    /// <param name="most">How many at most, nearly.</param>
    public TrainingData Sample(int most)
    {
        var own = rows.Select(Drawn(most));
        var (values, slots, lengths) = (new List<float>(), new List<int>(), new List<int>());
        own.FeatureRows.Visit((_, kept, places) =>
        {
            values.AddRange(kept);
            slots.AddRange(places);
            lengths.Add(places.IsEmpty ? -kept.Length : kept.Length);
        });
        var allValues = ranks.AllGather<float>(CollectionsMarshal.AsSpan(values));
        var allSlots = ranks.AllGather<int>(CollectionsMarshal.AsSpan(slots));
        var allLengths = ranks.AllGather<int>(CollectionsMarshal.AsSpan(lengths));
        var features = new FeatureRows.Builder(rows.FeatureRows.Width, allLengths.Sum(part => part.Length));
        for (var rank = 0; rank < ranks.Size; rank++)
        {
            var (value, slot) = (0, 0);
            foreach (var length in allLengths[rank])
            {
                var count = Math.Abs(length);
                var isDense = count == rows.FeatureRows.Width && length <= 0;
                features.Add(
                    allValues[rank].AsSpan(value, count), isDense ? [] : allSlots[rank].AsSpan(slot, count), isDense);
                value += count;
                if (!isDense) slot += count;
            }
        }

        var (targets, weights) = Answers(own);
        return new TrainingData(rows.Shape, rows.Outputs, features.Build(), targets, weights, rows.TargetOffset);
    }

    /// <summary>Rows with their targets and weights, and without features.</summary>
    /// <param name="most">How many at most, nearly.</param>
    public TrainingData Targets(int most = int.MaxValue)
    {
        var (targets, weights) = Answers(rows.Select(Drawn(most)));
        return new TrainingData(
            new SampleShape(1),
            rows.Outputs,
            FeatureRows.Of(new float[targets.Length / rows.Outputs], 1),
            targets,
            weights,
            rows.TargetOffset);
    }

    // Weights are there on all ranks or on none: otherwise those that have none have the weight 1.
    private (float[] Targets, float[]? Weights) Answers(TrainingData own)
    {
        var targets = ranks.AllGather<float>(own.TargetArray).SelectMany(part => part).ToArray();
        if (ranks.Largest(own.WeightArray is null ? 0 : 1) == 0) return (targets, null);
        var weights = own.WeightArray ?? [.. Enumerable.Repeat(1f, own.Count)];
        return (targets, ranks.AllGather<float>(weights).SelectMany(part => part).ToArray());
    }

    private int[] Drawn(int most)
    {
        var step = Math.Max(1, (_counts.Sum() + most - 1) / most);
        var drawn = new List<int>();
        for (var row = (step - (First % step)) % step; row < rows.Count; row += step) drawn.Add((int)row);
        return [.. drawn];
    }
}
