using PuppeteerSharp;

namespace MlNetBatchNorm.Pages.Tests;

/// <summary>A browser of the Chromium family, without a window: Debian's, or whichever is installed.</summary>
internal static class Chromium
{
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome", "chrome", "msedge"];

    /// <summary>Where it is; null = there is none.</summary>
    public static string? Path { get; } =
        (from folder in (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(System.IO.Path.PathSeparator)
         from name in Names
         let path = System.IO.Path.Combine(folder, OperatingSystem.IsWindows() ? $"{name}.exe" : name)
         where folder.Length > 0 && File.Exists(path)
         select path).FirstOrDefault();

    /// <summary>Starts it. Root may not have a sandbox; nothing but our own pages is opened.</summary>
    public static Task<IBrowser> StartAsync() => Puppeteer.LaunchAsync(new LaunchOptions
    {
        Headless = true,
        ExecutablePath = Path ?? throw new InvalidOperationException("No browser of the Chromium family is in the path."),
        Args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"],
        Timeout = 60_000,
    });
}

/// <summary>A test that opens pages. Without a browser it is skipped, but never in CI, which has to have one.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PageTheoryAttribute : TheoryAttribute
{
    public PageTheoryAttribute()
    {
        if (Chromium.Path is null && Environment.GetEnvironmentVariable("CI") is null)
            Skip = "No browser of the Chromium family is in the path (Debian: apt-get install chromium).";
    }
}
