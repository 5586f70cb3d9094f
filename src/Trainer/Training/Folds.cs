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
        var (of, order, block) = (new int[rows], new int[count], -1L);
        for (var row = 0; row < rows; row++)
        {
            var (at, place) = Math.DivRem(first + row, count);
            if (at != block)
            {
                block = at;
                for (var i = 0; i < count; i++) order[i] = i;
                new Random(unchecked((int)(seed ^ (at * 0x9E3779B1)))).Shuffle(order);
            }

            of[row] = order[place];
        }

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
