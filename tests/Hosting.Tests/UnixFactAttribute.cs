namespace MlNetBatchNorm.Hosting.Tests;

internal sealed class UnixFactAttribute : FactAttribute
{
    public UnixFactAttribute()
    {
        if (OperatingSystem.IsWindows()) Skip = "Windows lets only administrators make links, and knows no signals.";
    }
}
