namespace MlNetBatchNorm.Trainer.Data;

/// <summary>A share of rows drawn at random, with as much of each class in it as there is of it in all of them.</summary>
internal static class StratifiedSample
{
    /// <summary>Draws rows.</summary>
    /// <param name="classes">For each row the number of its class, from 0.</param>
    /// <param name="share">The share of the rows that are drawn, from 0 to below 1.</param>
    /// <param name="random">Which ones.</param>
    /// <returns>
    /// Both parts, shuffled. Of each class at least one row is kept; of a class whose share is less than a row there may be none drawn.
    /// </returns>
    public static (int[] Kept, int[] Drawn) Draw(int[] classes, double share, Random random)
    {
        var (kept, count, drawn) = Draw(classes.Length, row => classes[row], share, random);
        return (kept[..count], drawn);
    }

    /// <summary>The same of rows that are so many that a further number for each would be felt.</summary>
    /// <param name="rows">How many rows.</param>
    /// <param name="classOf">The number of a row's class, from 0.</param>
    /// <param name="share">The share of the rows that are drawn, from 0 to below 1.</param>
    /// <param name="random">Which ones.</param>
    /// <returns>The rows that are kept, how many they are (behind them is what does not count), and those that are drawn.</returns>
    public static (int[] Kept, int Count, int[] Drawn) Draw(int rows, Func<int, int> classOf, double share, Random random)
    {
        var order = new int[rows];
        for (var row = 0; row < order.Length; row++) order[row] = row;
        random.Shuffle(order);
        var left = Sizes(rows, classOf, share);
        var drawn = new int[left.Sum()];
        var (drawnRows, keptRows) = (0, 0);
        foreach (var row in order)
        {
            if (left[classOf(row)]-- > 0) drawn[drawnRows++] = row;
            else order[keptRows++] = row;
        }

        return (order, keptRows, drawn);
    }

    // Whole rows of each class, by largest remainder: together as many as the share of all rows.
    private static int[] Sizes(int rows, Func<int, int> classOf, double share)
    {
        var counts = new List<int>();
        for (var row = 0; row < rows; row++)
        {
            var number = classOf(row);
            while (counts.Count <= number) counts.Add(0);
            counts[number]++;
        }

        var wanted = counts.ConvertAll(count => count * share);
        int[] sizes = [.. wanted.Select((most, number) => Math.Min((int)most, Math.Max(0, counts[number] - 1)))];
        var total = Math.Min((int)Math.Round(rows * share), counts.Sum(count => Math.Max(0, count - 1)));
        var missing = total - sizes.Sum();
        while (missing > 0)
        {
            foreach (var number in Enumerable.Range(0, sizes.Length).OrderByDescending(number => wanted[number] - sizes[number]))
            {
                if (missing == 0) break;
                if (sizes[number] >= counts[number] - 1) continue;
                sizes[number]++;
                missing--;
            }
        }

        return sizes;
    }
}
