using System.CommandLine;

namespace MlNetBatchNorm.Bench;

/// <summary>A command that measures something, and a section of <c>RESULTS.md</c>.</summary>
internal abstract class Benchmark : Command
{
    /// <param name="name">The command.</param>
    /// <param name="title">The heading of its section.</param>
    /// <param name="description">What is measured.</param>
    protected Benchmark(string name, string title, string description)
        : base(name, description)
    {
        Title = title;
        Add(Quick);
        SetAction((arguments, cancellation) => RunAsync(arguments, new Report(Console.Out), cancellation));
    }

    /// <summary>The heading of its section.</summary>
    public string Title { get; }

    /// <summary>Whether to do as little as shows that it works.</summary>
    protected Option<bool> Quick { get; } = new("--quick") { Description = "as little as shows that it works; the figures mean nothing" };

    /// <summary>Measures.</summary>
    /// <param name="arguments">The options.</param>
    /// <param name="report">What comes of it.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The exit code.</returns>
    public abstract Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation);

    /// <summary>The middle of some values; of an even number the mean of the two in the middle.</summary>
    protected static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
