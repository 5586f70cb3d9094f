using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace MlNetBatchNorm.Cli.Benchmarks;

/// <summary>The times of a peer, which a script of its own measures: PyTorch, in <c>bench/peers/score.py</c>.</summary>
internal sealed class PeerTimes
{
    // Debian's packages belong to Debian's Python, which need not be the first one in the path.
    private static readonly string Python = File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

    private readonly Dictionary<(string Network, int Rows), double> _microseconds;

    private PeerTimes(Dictionary<(string Network, int Rows), double> microseconds) => _microseconds = microseconds;

    /// <summary>The time of a network and a number of rows; null where the peer has none.</summary>
    public double? this[string network, int rows] => _microseconds.TryGetValue((network, rows), out var time) ? time : null;

    /// <summary>Runs the script.</summary>
    /// <param name="script">The script, for python3.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>Its times, or none and the reason.</returns>
    public static async Task<(PeerTimes Times, string? Problem)> MeasureAsync(string script, CancellationToken cancellation)
    {
        var none = new PeerTimes([]);
        if (!File.Exists(script)) return (none, $"there is no script '{script}'");
        try
        {
            using var process = Process.Start(new ProcessStartInfo(Python, [script]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            await using var killed = cancellation.Register(() => process.Kill(entireProcessTree: true));
            var errors = process.StandardError.ReadToEndAsync(cancellation);
            var text = await process.StandardOutput.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            return process.ExitCode == 0
                ? (new PeerTimes(Parse(text)), null)
                : (none, (await errors).Trim().Split('\n')[^1]);
        }
        catch (Exception exception) when (exception is Win32Exception or JsonException)
        {
            return (none, exception.Message);
        }
    }

    private static Dictionary<(string, int), double> Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.GetProperty("score").EnumerateArray().ToDictionary(
            time => (time.GetProperty("network").GetString()!, time.GetProperty("rows").GetInt32()),
            time => time.GetProperty("microseconds").GetDouble());
    }
}
