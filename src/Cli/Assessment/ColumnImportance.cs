using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Cli.Assessment;

/// <summary>What a column of the table is to a network.</summary>
/// <param name="Column">The column.</param>
/// <param name="Loss">By how much the loss figure grows without it.</param>
/// <param name="Figure">
/// By how much the first figure of the task gets worse without it: what a share falls by, or an error grows by.
/// </param>
internal sealed record ColumnImportance(string Column, Interval Loss, Interval Figure);

/// <summary>
/// Which columns matter: permutation importance (Breiman 2001). The values of one column are dealt out anew among test rows, all features
/// that are made of it together, and what that costs is measured; the network stays as it is.
/// </summary>
/// <remarks>
/// A row's cost is the mean over the dealings, and the interval is that of the mean over rows, so that it holds for other rows, too. Of
/// many columns those that matter most by a first, cheap look are measured in full. Of thousands that look is at groups of columns
/// that are dealt out together; the groups that cost most are halved until single columns are left.
/// </remarks>
internal sealed class ColumnImportances
{
    private const int Dealings = 3;

    // More rows narrow the intervals by little.
    private const int MostRows = 4000;
    private const int FewestRows = 200;

    // Of the network's multiplications, for all that is scored together: some seconds on a slow core.
    private const double MostProducts = 4e9;

    // Beyond that many columns there is a first look, by so many rows.
    private const int MeasuredColumns = 40;
    private const int LookedAtRows = 256;

    // Multiplications of that look: beyond them columns are looked at in groups, of which the best are divided further.
    private const double MostLookedAt = 2e10;

    // Fewer rows take as long: all weights go by once.
    private const int RowsOfAPass = 16;

    private readonly OnnxScorer _scorer;
    private readonly FeatureRows _rows;
    private readonly float[] _features;
    private readonly Random _random;
    private readonly float[] _results;

    private ColumnImportances(OnnxScorer scorer, TrainingData rows, int allRows, Metric figure, Metric loss, int seed)
    {
        (_scorer, _rows, Rows, AllRows, Figure, Loss) = (scorer, rows.FeatureRows, rows.Count, allRows, figure, loss);
        _random = new Random(seed);
        _features = new float[rows.Count * _rows.Width];
        _rows.CopyTo(0, rows.Count, _features);
        _results = new float[rows.Count * scorer.ResultLength];
        Columns = [];
    }

    /// <summary>The columns, the most important one first; of many columns the first of them.</summary>
    public IReadOnlyList<ColumnImportance> Columns { get; private set; }

    /// <summary>The first three columns, as far as they surely matter.</summary>
    public IEnumerable<ColumnImportance> First => Columns.Where(column => column.Loss.IsAbove(0)).Take(3);

    /// <summary>How many columns were left out after a first look.</summary>
    public int LeftOut { get; private set; }

    /// <summary>The test rows that were looked at.</summary>
    public int Rows { get; }

    /// <summary>All test rows.</summary>
    public int AllRows { get; }

    /// <summary>The first figure of the task.</summary>
    public Metric Figure { get; }

    /// <summary>The figure by which columns are put in order: log-loss, or RMSE for numbers.</summary>
    public Metric Loss { get; }

    // Whether columns are too many to be looked at one by one.
    private bool IsWide { get; init; }

    /// <summary>How often each column was dealt out anew.</summary>
    public static int Repeats => Dealings;

    /// <summary>Measures the columns of a table.</summary>
    /// <param name="trained">The network, with its test rows.</param>
    /// <param name="clusters">For each test row what it belongs to; empty = nothing.</param>
    /// <param name="seed">The seed of the dealings.</param>
    /// <param name="advance">Told after each column, of how many.</param>
    public static ColumnImportances Of(TrainedTable trained, int[] clusters, int seed, Action<int, int>? advance = null)
    {
        var sources = trained.Schema.Features.PlacesBySource.ToArray();
        var measured = Math.Min(sources.Length, MeasuredColumns);
        var passes = (Dealings * measured) + (sources.Length > measured ? 1 : 0);
        var (tested, allowed) = (trained.Tested.Rows, MostProducts / trained.Network.Model.Network.ParameterCount / passes);
        var count = (int)Math.Min(tested.Count, Math.Clamp(allowed, FewestRows, MostRows));
        count = Math.Min(count, FeatureRows.RowsAtOnce(MostRows, tested.FeatureRows.Width));

        // Evenly from all of them, each group and time with its share; where all are taken, as they are.
        int[] drawn = [.. Enumerable.Range(0, count).Select(row => (int)((long)row * tested.Count / count))];
        var rows = count == tested.Count ? tested : tested.Select(drawn);
        if (clusters.Length > 0) clusters = [.. drawn.Select(row => clusters[row])];
        using var scorer = trained.Network.CreateScorer(
            new() { Outputs = trained.Network.Measured.Outputs, Engine = ScoringEngine.OnnxRuntime });
        var figures = trained.TestMetrics.Select(figure => figure.Metric).ToArray();
        var importances = new ColumnImportances(
            scorer, rows, tested.Count, figures[0], trained.BaseRate.Alone.Metric, seed)
        {
            IsWide = (double)sources.Length * Math.Clamp(count, RowsOfAPass, LookedAtRows) * trained.Network.Model.Network.ParameterCount
                > MostLookedAt,
        };
        importances.Measure(sources, rows, clusters, advance);
        return importances;
    }

    private void Measure(
        (string Source, IReadOnlyList<int> Places)[] sources, TrainingData rows, int[] clusters, Action<int, int>? advance)
    {
        var weights = rows.WeightArray.AsSpan();
        var whole = ByRow(Score(Rows, rows), rows);
        var chosen = sources;
        if (sources.Length > MeasuredColumns)
        {
            chosen = Chosen(sources, rows.First(LookedAtRows));
            LeftOut = sources.Length - chosen.Length;
        }

        var columns = new List<ColumnImportance>();
        foreach (var (source, places) in chosen)
        {
            var (loss, figure) = (new double[rows.Count], new double[rows.Count]);
            for (var dealing = 0; dealing < Dealings; dealing++)
            {
                var dealt = ByRow(Dealt(places, rows), rows);
                for (var row = 0; row < loss.Length; row++)
                {
                    loss[row] += (dealt.Loss[row] - whole.Loss[row]) / Dealings;
                    figure[row] += (Figure.HigherIsBetter ? -1 : 1) * (dealt.Figure[row] - whole.Figure[row]) / Dealings;
                }
            }

            columns.Add(new ColumnImportance(
                source, Interval.OfMean(loss, weights, clusters), Interval.OfMean(figure, weights, clusters)));
            advance?.Invoke(columns.Count, chosen.Length);
        }

        Columns = [.. columns.OrderByDescending(column => column.Loss.Value)];
    }

    // The columns that cost most, in the order of the table.
    private (string Source, IReadOnlyList<int> Places)[] Chosen((string Source, IReadOnlyList<int> Places)[] sources, TrainingData few) =>
    [
        // What any of them costs is the loss less that of the rows as they are, so that the loss says which costs most.
        .. Costliest(
            sources.Length, IsWide ? MeasuredColumns : sources.Length, MeasuredColumns,
            (first, count) => Loss.Compute(Predicted(Dealt(
                [.. sources.Skip(first).Take(count).SelectMany(source => source.Places)], few), few)))
            .Select(i => sources[i]),
    ];

    /// <summary>Those of many things that cost most, in order, found by what neighbours cost together.</summary>
    /// <param name="count">How many there are.</param>
    /// <param name="groups">How many groups of neighbours are looked at first; <paramref name="count"/> = each by itself.</param>
    /// <param name="wanted">How many are to be found.</param>
    /// <param name="cost">What those from one on, so many of them, cost together.</param>
    internal static int[] Costliest(int count, int groups, int wanted, Func<int, int, double> cost)
    {
        var size = (count + groups - 1) / groups;
        (int First, int Count)[] open =
            [.. Enumerable.Range(0, (count + size - 1) / size).Select(i => (i * size, Math.Min(size, count - (i * size))))];
        while (true)
        {
            var costs = Array.ConvertAll(open, group => cost(group.First, group.Count));
            (int First, int Count)[] best =
                [.. Enumerable.Range(0, open.Length).OrderByDescending(i => costs[i]).Take(wanted).Order().Select(i => open[i])];
            if (Array.TrueForAll(best, group => group.Count == 1)) return [.. best.Select(group => group.First)];
            open = [.. best.SelectMany(Halves)];
        }

        static (int First, int Count)[] Halves((int First, int Count) group) => group.Count == 1
            ? [group]
            : [(group.First, group.Count / 2), (group.First + (group.Count / 2), group.Count - (group.Count / 2))];
    }

    private (double[] Loss, double[] Figure) ByRow(float[] predictions, TrainingData rows)
    {
        var predicted = Predicted(predictions, rows);
        var loss = Loss.ByRow(predicted);
        return (loss, Figure == Loss ? loss : Figure.ByRow(predicted));
    }

    private static PredictedRows Predicted(float[] predictions, TrainingData rows) =>
        new(predictions, rows.TargetArray, rows.Outputs, rows.WeightArray);

    // What the network says where some features of the rows are those of other rows; they are put back.
    private float[] Dealt(IReadOnlyList<int> places, TrainingData rows)
    {
        var (width, count) = (_rows.Width, rows.Count);
        int[] order = [.. Enumerable.Range(0, count)];
        _random.Shuffle(order);
        var own = new float[count * places.Count];
        for (var row = 0; row < count; row++)
            for (var i = 0; i < places.Count; i++) own[(row * places.Count) + i] = _features[(row * width) + places[i]];
        for (var row = 0; row < count; row++)
            for (var i = 0; i < places.Count; i++) _features[(row * width) + places[i]] = own[(order[row] * places.Count) + i];
        var predictions = Score(count, rows);
        for (var row = 0; row < count; row++)
            for (var i = 0; i < places.Count; i++) _features[(row * width) + places[i]] = own[(row * places.Count) + i];
        return predictions;
    }

    // The last output is the one that was tested.
    private float[] Score(int count, TrainingData rows)
    {
        var results = _results.AsSpan(0, count * _scorer.ResultLength);
        _scorer.ScoreBatch(_features.AsSpan(0, count * _rows.Width), count, results);
        return results[^rows.TargetArray.Length..].ToArray();
    }
}
