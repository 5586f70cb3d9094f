namespace MlNetBatchNorm.Cli.Benchmarks;

/// <summary>One way of scoring the same rows.</summary>
internal abstract class Contender : IDisposable
{
    /// <summary>How long its idle threads go on looking for work after a run, and so take the time of whoever is next.</summary>
    public virtual TimeSpan Spinning => TimeSpan.FromMilliseconds(3);

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
