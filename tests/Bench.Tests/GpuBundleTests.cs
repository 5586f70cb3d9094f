using System.Diagnostics;
using System.Text.Json;

namespace MlNetBatchNorm.Bench.Tests;

/// <summary>
/// What is taken to a machine with a GPU must not fail there for the first time: the checks run on the CPU, the script on a small bundle.
/// </summary>
public sealed class GpuBundleTests(GpuBundleTests.Recorded recorded) : IClassFixture<GpuBundleTests.Recorded>
{
    private const int Fine = 0, Failed = 1, Damaged = 2, NoGpu = 4;

    // The program of a bundle: it writes down what it is asked, and answers as the environment says.
    private const string Program = """
        #!/bin/sh
        case "$1" in
          driver) echo driver; exit "$FAKE_DRIVER" ;;
          *) echo "asked: ${0##*/} $*"; case "$*" in *"--section $FAKE_FAILURE"*) exit 1 ;; esac ;;
        esac
        """;

    [Fact]
    public void Checks_OnTheCpu_AllPassAndAreWrittenDown()
    {
        using var folder = new TemporaryFolder();

        var result = Checks("run", recorded.Folder, folder.File("gpu.json"), "--device", "cpu", "--section", "cpu");

        Assert.True(result.ExitCode == Fine, result.Output);
        using var json = JsonDocument.Parse(File.ReadAllText(folder.File("gpu.json")));
        var section = json.RootElement.GetProperty("cpu");
        Assert.Equal(0, section.GetProperty("failed").GetInt32());
        var names = section.GetProperty("checks").EnumerateArray().Select(check => check.GetProperty("name").GetString()!).ToList();
        Assert.Equal(section.GetProperty("passed").GetInt32(), names.Count);
        string[] some = ["devices", "score dense.Float16", "score conv1d.folded", "train, loss: huber", "train, layer: batchnorm frozen"];
        Assert.All(some, name => Assert.Contains(name, names));
    }

    [Fact]
    public void Checks_AnotherExpectedNumber_Fail()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("expected"));
        foreach (var file in Directory.GetFiles(recorded.Folder)) File.Copy(file, folder.File($"expected/{Path.GetFileName(file)}"));
        var path = folder.File("expected/expected.json");
        var numbers = JsonSerializer.Deserialize<Dictionary<string, float[]>>(File.ReadAllText(path))!;
        numbers["loss: huber"][0] += 0.01f;
        File.WriteAllText(path, JsonSerializer.Serialize(numbers));

        var result = Checks("run", folder.File("expected"), folder.File("gpu.json"), "--device", "cpu");

        Assert.Equal(Failed, result.ExitCode);
        var line = Assert.Single(result.Output.Split('\n'), line => line.StartsWith("FAILED", StringComparison.Ordinal));
        Assert.StartsWith("FAILED train, loss: huber: ", line, StringComparison.Ordinal);
        Assert.Contains(", more than 0.0001", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Times_OnTheCpu_HaveEveryNetwork()
    {
        using var folder = new TemporaryFolder();

        Assert.Equal(Fine, Checks("time", folder.File("gpu.json"), "--device", "cpu", "--seconds", "0.001", "--section", "times").ExitCode);

        using var json = JsonDocument.Parse(File.ReadAllText(folder.File("gpu.json")));
        var times = json.RootElement.GetProperty("times").EnumerateArray().ToList();
        Assert.Equal(20, times.Count);
        Assert.All(times, time => Assert.True(time.GetProperty("microseconds").GetDouble() > 0));
    }

    [UnixTheory]
    [InlineData(NoGpu, "none", NoGpu, "no GPU: all that can be checked without one is fine")]
    [InlineData(NoGpu, "cpu", Failed, "no GPU, and what can be checked without one failed")]
    [InlineData(0, "none", Fine, "all is fine")]
    [InlineData(0, "registered", Failed, "FAILED the provider registered: exit code 1")]
    public void CheckScript_Bundle_EndsWithWhatItFound(int driver, string failure, int expected, string said)
    {
        using var bundle = Bundle();

        var result = Check(bundle, driver, failure);

        Assert.True(result.ExitCode == expected, result.Output);
        Assert.Contains(said, result.Output, StringComparison.Ordinal);
        Assert.Equal(result.Output, File.ReadAllText(bundle.File("out/gpu.txt")));
        var asked = result.Output.Split('\n').Where(line => line.StartsWith("asked: ", StringComparison.Ordinal)).ToList();
        Assert.Equal(driver == 0 ? 5 : 2, asked.Count);
        Assert.Contains("--device cpu --section cpu", asked[0], StringComparison.Ordinal);
        if (driver == 0) Assert.Matches("--library /.*/inside/libonnxruntime_providers_cuda.so --section registered", asked[3]);
    }

    [UnixTheory]
    [InlineData("app.tar.xz.01", null, "app.tar.xz.01 is missing")]
    [InlineData("cuda.sha256", null, "cuda.sha256 is missing")]
    [InlineData("app.tar.xz.00", "not what was packed", "app is damaged")]
    public void CheckScript_BundleWithAFault_NamesIt(string file, string? content, string said)
    {
        using var bundle = Bundle();
        if (content is null) File.Delete(bundle.File(file));
        else File.WriteAllText(bundle.File(file), content);

        var result = Check(bundle, driver: 0, "none");

        Assert.True(result.ExitCode == Damaged, result.Output);
        Assert.Contains(said, result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("asked: ", result.Output, StringComparison.Ordinal);
    }

    // Two archives as bundle.sh makes them, of programs that are scripts; in several parts.
    private static TemporaryFolder Bundle()
    {
        var bundle = new TemporaryFolder();
        File.Copy(Path.Combine(AppContext.BaseDirectory, "check.sh"), bundle.File("check.sh"));
        foreach (var folder in new[] { "app", "cuda/inside", "cuda/registered" }) Directory.CreateDirectory(bundle.File($"tree/{folder}"));
        foreach (var name in new[] { "gpu-checks", "mlnetbn" }) bundle.Write($"tree/app/{name}", Program);
        foreach (var way in new[] { "inside", "registered" }) bundle.Write($"tree/cuda/{way}/libonnxruntime.so", way);
        var made = Run(bundle.Path, "bash", ["-c", """
            for archive in cuda app; do
              tar -C tree/$archive -cf - . | xz -c | split -b 200 -d -a 2 - $archive.tar.xz. &&
                sha256sum $archive.tar.xz.* >$archive.sha256 || exit 1
            done
            """]);
        Assert.True(made.ExitCode == 0, made.Error);
        Directory.Delete(bundle.File("tree"), recursive: true);
        return bundle;
    }

    private static ToolResult Check(TemporaryFolder bundle, int driver, string failure) => Run(
        bundle.Path, "bash", ["check.sh", "out", "0"], ("FAKE_DRIVER", $"{driver}"), ("FAKE_FAILURE", failure));

    private static ToolResult Checks(params string[] arguments) =>
        Run(AppContext.BaseDirectory, "dotnet", [Path.Combine(AppContext.BaseDirectory, "gpu-checks.dll"), .. arguments]);

    private static ToolResult Run(string folder, string program, string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(4)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', arguments)} did not end within 4 minutes.");
        }

        return new ToolResult(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>What the checks compare with, recorded once.</summary>
    public sealed class Recorded : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public Recorded() => Assert.Equal(Fine, Checks("record", Folder).ExitCode);

        internal string Folder => _folder.File("expected");

        public void Dispose() => _folder.Dispose();
    }
}
