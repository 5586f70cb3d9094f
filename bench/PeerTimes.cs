using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace MlNetBatchNorm.Bench;

/// <summary>The times of a peer, which a program of its own measures (<c>bench/peers</c>) and prints as JSON.</summary>
internal sealed class PeerTimes
{
    // Debian's packages belong to Debian's Python, which need not be the first one in the path.
    private static readonly string Python = File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

    private readonly Dictionary<(string Network, int Rows), double> _microseconds = [];

    private PeerTimes(string name) => Name = name;

    /// <summary>The peers that there are.</summary>
    public static IReadOnlyList<string> All { get; } = ["PyTorch", "TorchSharp"];

    /// <summary>Its name, with its version where it answered.</summary>
    public string Name { get; private set; }

    /// <summary>The microseconds of a network (of a number of rows, or of a training step: 0); null where the peer has none.</summary>
    public double? this[string network, int rows = 0] => _microseconds.TryGetValue((network, rows), out var time) ? time : null;

    /// <summary>The option that chooses among them.</summary>
    public static Option<string[]> Option()
    {
        var option = new Option<string[]>("--peers")
        {
            Description = "what to measure beside us: PyTorch, TorchSharp, none",
            DefaultValueFactory = _ => [.. All],
            AllowMultipleArgumentsPerToken = true,
        };
        option.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, [.. All, "none"]);
        return option;
    }

    /// <summary>Runs each of all peers that is wanted; one that does not run has no times, and stderr says why.</summary>
    /// <param name="wanted">The names of those that are wanted.</param>
    /// <param name="work"><c>score</c> or <c>train</c>.</param>
    /// <param name="seconds">How long each way, or each network, is timed.</param>
    /// <param name="rows">For scoring: the rows in a call.</param>
    /// <param name="cancellation">Ends them.</param>
    public static async Task<IReadOnlyList<PeerTimes>> MeasureAsync(
        IReadOnlyCollection<string> wanted, string work, double seconds, IReadOnlyList<int>? rows, CancellationToken cancellation)
    {
        var results = new List<PeerTimes>();
        foreach (var name in All)
        {
            var times = new PeerTimes(name);
            results.Add(times);
            if (!wanted.Contains(name, StringComparer.OrdinalIgnoreCase)) continue;
            Report.Progress($"{work} with {name}");
            if (await times.RunAsync(work, seconds, rows, cancellation) is { } problem) Report.Progress($"no times of {name}: {problem}");
        }

        return results;
    }

    /// <summary>Runs a program of a peer, in Debian's Python or in .NET.</summary>
    /// <returns>What it printed, or the reason why it did not run to its end.</returns>
    public static async Task<(string? Output, string? Problem)> RunAsync(
        string program, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        var host = Path.GetExtension(program) == ".py" ? Python : "dotnet";
        var start = new ProcessStartInfo(host, [program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            await using var killed = cancellation.Register(() => process.Kill(entireProcessTree: true));
            var errors = process.StandardError.ReadToEndAsync(cancellation);
            var text = await process.StandardOutput.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            return process.ExitCode == 0 ? (text, null) : (null, (await errors).Trim().Split('\n')[^1]);
        }
        catch (Win32Exception exception)
        {
            return (null, exception.Message);
        }
    }

    // The reason why there are no times, or null.
    private async Task<string?> RunAsync(string work, double seconds, IReadOnlyList<int>? rows, CancellationToken cancellation)
    {
        var (program, first) = Name == "PyTorch"
            ? (Repository.PathOf("bench", "peers", $"{work}.py"), new List<string>())
            : (Repository.PathOf("bench", "peers", "TorchSharp", "bin", "Release", "net10.0", "torchsharp-peer.dll"), [work]);
        if (!File.Exists(program)) return $"build it first: dotnet build -c Release bench/peers/{Name}";
        var arguments = new List<string>([.. first, "--seconds", seconds.ToString(CultureInfo.InvariantCulture)]);
        if (rows is not null) arguments.AddRange(["--rows", string.Join(',', rows)]);
        var (output, problem) = await RunAsync(program, arguments, cancellation);
        try
        {
            if (output is not null) Read(output, work);
            return problem;
        }
        catch (JsonException exception)
        {
            return exception.Message;
        }
    }

    private void Read(string json, string work)
    {
        using var document = JsonDocument.Parse(json);
        Name = document.RootElement.GetProperty("peer").GetString()!;
        foreach (var time in document.RootElement.GetProperty(work).EnumerateArray())
        {
            var rows = time.TryGetProperty("rows", out var count) ? count.GetInt32() : 0;
            _microseconds[(time.GetProperty("network").GetString()!, rows)] = time.GetProperty("microseconds").GetDouble();
        }
    }
}
