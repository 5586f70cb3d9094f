namespace MlNetBatchNorm.Trainer.Training;

/// <summary>
/// The rows divided among the members of an ensemble: member i does not learn from fold i. Each class is divided evenly.
/// </summary>
internal sealed class Folds
{
    private Folds(int[] of, int count)
    {
        Of = of;
        RowsOf = [.. Enumerable.Range(0, count).Select(fold => Enumerable.Range(0, of.Length).Where(row => of[row] == fold).ToArray())];
    }

    /// <summary>The fold of each row, from 0.</summary>
    public int[] Of { get; }

    /// <summary>The rows of each fold, ascending.</summary>
    public int[][] RowsOf { get; }

    /// <summary>
    /// Deals out the rows of a rank: of as many rows of all ranks behind each other as there are folds, each gets one. Which one does not
    /// depend on how many ranks there are.
    /// </summary>
    /// <param name="first">The number of its first row among those of all ranks.</param>
    /// <param name="rows">How many it has.</param>
    /// <param name="count">The number of folds.</param>
    /// <param name="seed">Which row comes where.</param>
    public static Folds DrawOfRank(long first, int rows, int count, int seed)
    {
        var (of, dealer) = (new int[rows], new FoldDealer(count, seed));
        for (var row = 0; row < rows; row++) of[row] = dealer.FoldOf(first + row);
        return new Folds(of, count);
    }

    /// <summary>Deals out the rows.</summary>
    /// <param name="classes">For each row the number of its class; all 0 where there are none.</param>
    /// <param name="count">The number of folds.</param>
    /// <param name="random">Which row comes where.</param>
    public static Folds Draw(ReadOnlySpan<int> classes, int count, Random random)
    {
        var order = new int[classes.Length];
        for (var row = 0; row < order.Length; row++) order[row] = row;
        random.Shuffle(order);
        var keys = new int[order.Length];
        for (var i = 0; i < keys.Length; i++) keys[i] = classes[order[i]];
        var fold = new int[order.Length];
        var next = 0;

        // One class after the other, so that each is as even as all of them together.
        foreach (var i in Enumerable.Range(0, order.Length).OrderBy(i => keys[i])) fold[order[i]] = next++ % count;
        return new Folds(fold, count);
    }
}

/// <summary>Says of each row of many its fold: of as many rows behind each other as there are folds, each gets one.</summary>
/// <param name="count">The number of folds.</param>
/// <param name="seed">Which row comes where.</param>
internal sealed class FoldDealer(int count, int seed)
{
    private readonly int[] _order = new int[count];
    private long _block = -1;

    /// <summary>The fold of a row, from 0; quickest in the order of the rows.</summary>
    public int FoldOf(long row)
    {
        var (block, place) = Math.DivRem(row, count);
        if (block != _block)
        {
            _block = block;
            for (var i = 0; i < count; i++) _order[i] = i;
            new Random(unchecked((int)(seed ^ (block * 0x9E3779B1)))).Shuffle(_order);
        }

        return _order[place];
    }
}

/// <summary>
/// Holds back a share of many rows, drawn at random; which ones does not depend on who has how many of them.
/// </summary>
internal sealed class HeldRows
{
    private const int MostFolds = 200;
    private const double NearEnough = 0.002;

    private readonly FoldDealer _folds;
    private readonly int _taken;

    /// <param name="share">The share, above 0 and below 1.</param>
    /// <param name="seed">Which rows.</param>
    public HeldRows(double share, int seed)
    {
        // As few folds as come near the share, so that a few rows behind each other hold some.
        var count = Enumerable.Range(2, MostFolds).First(
            folds => folds > MostFolds
                || (Taken(folds) is > 0 and var some && some < folds && Math.Abs(((double)some / folds) - share) < NearEnough));
        (_folds, _taken) = (new FoldDealer(count, seed), Math.Clamp(Taken(count), 1, count - 1));

        int Taken(int folds) => (int)Math.Round(share * folds);
    }

    /// <summary>Whether a row is held back.</summary>
    public bool Has(long row) => _folds.FoldOf(row) < _taken;
}
