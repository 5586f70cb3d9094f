namespace MlNetBatchNorm.Cli.Benchmarks;

/// <summary>One way of scoring the same rows.</summary>
internal abstract class Contender : IDisposable
{
    /// <summary>Scores all the rows once.</summary>
    public abstract void Run();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}
