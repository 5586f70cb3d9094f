namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// By how much predictions are better than others on the same rows, compared row by row (a paired test): the mean of the differences of
/// what training makes small (the log-loss of classes, the squared error of numbers), and its standard error.
/// </summary>
/// <param name="Mean">The mean; above 0 = better.</param>
/// <param name="Error">Its standard error over the rows.</param>
internal readonly record struct RowLead(double Mean, double Error)
{
    // What says nothing has a lead beyond so many standard errors in one of 40 tests.
    private const double StandardErrors = 1.96;

    // Probabilities are kept so far from 0, as in the log-loss of the figures.
    private const double LeastProbability = 1e-7;

    /// <summary>Whether it is more than chance gives.</summary>
    public bool IsBeyondChance => Mean > StandardErrors * Error;

    /// <summary>Compares.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="lossBefore">The loss of a row by the others, see <see cref="LossOf"/>.</param>
    /// <param name="loss">The same by what is judged.</param>
    public static RowLead Of(TrainingData rows, Func<int, double> lossBefore, Func<int, double> loss)
    {
        double total = 0, sum = 0, squares = 0, squaredWeights = 0;
        for (var row = 0; row < rows.Count; row++)
        {
            double weight = rows.WeightArray is null ? 1 : rows.WeightArray[row];
            var lead = lossBefore(row) - loss(row);
            total += weight;
            squaredWeights += weight * weight;
            sum += weight * lead;
            squares += weight * lead * lead;
        }

        var mean = sum / total;
        return new RowLead(mean, Math.Sqrt(Math.Max(0, (squares / total) - (mean * mean)) * squaredWeights) / total);
    }

    /// <summary>The loss of a row.</summary>
    /// <param name="tested">The rows with the predictions.</param>
    /// <param name="row">Which row.</param>
    /// <param name="task">What is predicted.</param>
    public static double LossOf(TestedRows tested, int row, LearningTask task)
    {
        var target = tested.Rows.Target(row);
        var predicted = tested.Predictions.AsSpan(row * target.Length, target.Length);
        if (task == LearningTask.Regression) return Square(target[0] - predicted[0]);
        var place = ClassOf(target);
        return OfProbability(target.Length > 1 ? predicted[place] : place == 1 ? predicted[0] : 1 - predicted[0]);
    }

    /// <summary>The class of a row of two or more.</summary>
    public static int ClassOf(ReadOnlySpan<float> target) => target.Length == 1 ? (target[0] > 0.5f ? 1 : 0) : target.IndexOf(1f);

    /// <summary>The loss of what came about, of the probability that it was given.</summary>
    public static double OfProbability(double probability) => -Math.Log(Math.Clamp(probability, LeastProbability, 1));

    /// <summary>The square of an error.</summary>
    public static double Square(double error) => error * error;
}
