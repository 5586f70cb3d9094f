namespace MlNetBatchNorm.Cli.Timing;

/// <summary>One way of scoring the same rows.</summary>
internal abstract class Contender : IDisposable
{
    /// <summary>How long its idle threads go on looking for work after a run, and so take the time of whoever is next.</summary>
    public virtual TimeSpan Spinning => TimeSpan.FromMilliseconds(3);

    /// <summary>Random numbers for rows, always the same.</summary>
    internal static float[] RandomRows(int numbers)
    {
        var random = new Random(1);
        var rows = new float[numbers];
        foreach (ref var value in rows.AsSpan()) value = (random.NextSingle() * 2) - 1;
        return rows;
    }

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
