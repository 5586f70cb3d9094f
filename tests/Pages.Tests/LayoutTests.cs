using System.Collections.Concurrent;
using MlNetBatchNorm.Cli.Tests;
using PuppeteerSharp;

namespace MlNetBatchNorm.Pages.Tests;

/// <summary>
/// Every page that the tool writes, in a browser: on a telephone and on a screen, light, dark and printed. Nothing is loaded, no error is
/// reported, and <c>layout.js</c>, which sees what a reader sees, finds nothing cut, covered, too small or too faint. With
/// <c>MLNETBN_SCREENSHOTS=FOLDER</c> each page also becomes a picture there.
/// </summary>
public sealed class LayoutTests(LayoutTests.Pages pages) : IClassFixture<LayoutTests.Pages>
{
    private const int Telephone = 390;
    private const int Screen = 1280;

    // A4 within its margins, in the pixels of style sheets.
    private const int Paper = 718;

    public static TheoryData<string> Names => [.. ToolPage.All.Select(page => page.Name)];

    [PageTheory]
    [MemberData(nameof(Names))]
    public Task Page_OnATelephone_IsWhole(string name) => RequireWhole(name, Telephone, "light");

    [PageTheory]
    [MemberData(nameof(Names))]
    public Task Page_OnADarkTelephone_IsWhole(string name) => RequireWhole(name, Telephone, "dark");

    [PageTheory]
    [MemberData(nameof(Names))]
    public Task Page_OnAScreen_IsWhole(string name) => RequireWhole(name, Screen, "light");

    [PageTheory]
    [MemberData(nameof(Names))]
    public Task Page_OnADarkScreen_IsWhole(string name) => RequireWhole(name, Screen, "dark");

    // Who reads dark pages has white paper all the same.
    [PageTheory]
    [MemberData(nameof(Names))]
    public Task Page_Printed_IsWhole(string name) => RequireWhole(name, Paper, "dark", isPrinted: true);

    // A check that finds nothing is as good as none: each fault that it is there for.
    [PageTheory]
    [InlineData("<p style='width: 500px'>A line that is wider than the telephone, as one can see.</p>", "px wide in a window of 390")]
    [InlineData("<p style='position: absolute; left: -30px; width: 300px'>Its beginning is outside.</p>", "runs off the page")]
    [InlineData("<div style='width: 60px; overflow: hidden'><p style='width: 300px'>Somebody cut this off.</p></div>", "is cut")]
    [InlineData("<p style='height: 0; margin: 0'>Two texts in one place.</p><p style='margin: 0'>Two others in it.</p>", "covers")]
    [InlineData("<p style='width: 1em; overflow-wrap: anywhere'>Squeezed.</p>", "is squeezed")]
    [InlineData("<p style='width: 5em; overflow-wrap: anywhere'>Incomprehensibilities.</p>", "is broken")]
    [InlineData("<p style='color: #aaa; background: #fff'>Hardly to be seen.</p>", "is too faint")]
    [InlineData("<p><svg viewBox='0 0 900 90'><text y='40' font-size='12'>Small.</text></svg></p>", "is too small")]
    [InlineData("<p><svg viewBox='0 0 300 90'><text y='40' x='260' font-size='16'>Beyond the edge.</text></svg></p>", "is cut")]
    [InlineData("<p><svg class='chart' viewBox='0 0 300 90'><text class='axis' y='40' font-size='16'>epoch</text></svg></p>", "no unit")]
    [InlineData("<p><svg class='chart' viewBox='0 0 300 90'></svg></p>", "0 axes")]
    [InlineData("<script>console.error('Oh.')</script>", "Oh.")]
    [InlineData("<script>nothing.of.the.kind()</script>", "nothing is not defined")]
    [InlineData("<img src='http://localhost:9/x.png' alt=''>", "http://localhost:9/x.png")]
    public async Task Look_FaultyPage_SaysWhatIsWrong(string body, string expected)
    {
        using var folder = new TemporaryFolder();
        folder.Write(
            "page.html",
            $"<!DOCTYPE html><html lang='en'><head><meta name='viewport' content='width=device-width'></head><body>{body}</body></html>");
        var problems = await Look(folder.File("page.html"), Telephone, "light");
        Assert.Contains(problems, problem => problem.Contains(expected, StringComparison.Ordinal));
    }

    private async Task RequireWhole(string name, int width, string scheme, bool isPrinted = false)
    {
        var picture = $"{name.Replace(' ', '-')}-{(isPrinted ? "paper" : $"{width}-{scheme}")}.png";
        var problems = await Look(pages.Find(name), width, scheme, isPrinted, picture);
        Assert.True(problems.Count == 0, string.Join('\n', problems));
    }

    private async Task<List<string>> Look(string path, int width, string scheme, bool isPrinted = false, string? picture = null)
    {
        var problems = new ConcurrentQueue<string>();
        await using var page = await pages.Browser.NewPageAsync();
        var address = new Uri(path).AbsoluteUri;
        page.Console += (_, e) => problems.Enqueue($"console: {e.Message.Type}: {e.Message.Text}");
        page.PageError += (_, e) => problems.Enqueue($"error: {e.Message}");
        page.Request += (_, e) =>
        {
            if (e.Request.Url != address) problems.Enqueue($"it loads {e.Request.Url}");
        };
        await page.SetViewportAsync(new ViewPortOptions { Width = width, Height = 844, DeviceScaleFactor = 2 });
        // Both at once: one asked for alone would undo the other.
        var media = isPrinted ? "print" : "screen";
        await page.Client.SendAsync(
            "Emulation.setEmulatedMedia", new { media, features = new[] { new { name = "prefers-color-scheme", value = scheme } } });
        await page.GoToAsync(address);
        Assert.True(await page.EvaluateExpressionAsync<bool>($"matchMedia('{media} and (prefers-color-scheme: {scheme})').matches"));
        if (picture is not null && Environment.GetEnvironmentVariable("MLNETBN_SCREENSHOTS") is { Length: > 0 } folder)
            await page.ScreenshotAsync(Path.Combine(folder, picture), new ScreenshotOptions { FullPage = true });
        return [.. problems, .. await page.EvaluateExpressionAsync<string[]>(pages.Script)];
    }

    /// <summary>The pages, each made when it is first asked for, and the browser.</summary>
    public sealed class Pages : IAsyncLifetime
    {
        private readonly Dictionary<string, string> _made = [];
        private readonly List<TemporaryFolder> _folders = [];
        private IBrowser? _browser;

        internal IBrowser Browser => _browser!;

        internal string Script { get; private set; } = string.Empty;

        internal string Find(string name)
        {
            if (_made.TryGetValue(name, out var path)) return path;
            _folders.Add(new TemporaryFolder());
            return _made[name] = ToolPage.All.Single(page => page.Name == name).Make(_folders[^1]);
        }

        public async Task InitializeAsync()
        {
            using var script = new StreamReader(typeof(Pages).Assembly.GetManifestResourceStream("layout.js")!);
            Script = await script.ReadToEndAsync();
            _browser = await Chromium.StartAsync();
        }

        public async Task DisposeAsync()
        {
            if (_browser is not null) await _browser.DisposeAsync();
            foreach (var folder in _folders) folder.Dispose();
        }
    }
}
