using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace MlNetBatchNorm.GpuChecks;

/// <summary>Checks by name: each is run, timed, printed and written down; one that fails does not keep the others from running.</summary>
internal sealed class CheckList(Device device)
{
    /// <summary>By how much a number may differ from the CPU's, in relation to the largest of its kind, if that is above 1.</summary>
    public const double Tolerance = 1e-4;

    private readonly JsonArray _results = [];

    public int Passed { get; private set; }

    public int Failed { get; private set; }

    /// <summary>Whether the device is one that some checks are about; on the CPU (the self-test) those are not run.</summary>
    public bool IsGpu { get; } = device.Kind != DeviceKind.Cpu;

    /// <summary>Runs a check.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="check">Says in a few words what was seen; throws where it is not as it should be.</param>
    public void Check(string name, Func<string> check)
    {
        var watch = Stopwatch.StartNew();
        string? wrong = null, seen = null;
        try
        {
            seen = check();
        }
        catch (Exception exception)
        {
            // Whatever it is, it is what somebody has to read.
            wrong = exception is CheckFailedException ? exception.Message : $"{exception.GetType().Name}: {exception.Message}";
        }

        if (wrong is null) Passed++;
        else Failed++;
        Console.WriteLine($"{(wrong is null ? "ok    " : "FAILED")} {name}: {(wrong ?? seen)!.ReplaceLineEndings(" ")}");
        _results.Add(new JsonObject
        {
            ["name"] = name,
            ["passed"] = wrong is null,
            ["milliseconds"] = Math.Round(watch.Elapsed.TotalMilliseconds, 1),
            ["seen"] = wrong ?? seen,
        });
    }

    public JsonArray ToJson() => _results;

    /// <summary>Compares numbers with the CPU's.</summary>
    /// <returns>How far they are apart.</returns>
    /// <exception cref="CheckFailedException">Further than allowed, or not as many, or not finite.</exception>
    public static string RequireClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double tolerance = Tolerance)
    {
        Require(expected.Length == actual.Length, $"{actual.Length} numbers instead of {expected.Length}");
        double scale = 1, difference = 0;
        foreach (var value in expected) scale = Math.Max(scale, Math.Abs(value));
        for (var i = 0; i < expected.Length; i++)
        {
            Require(float.IsFinite(actual[i]), $"number {i} is {actual[i]}, not {expected[i]}");
            difference = Math.Max(difference, Math.Abs((double)expected[i] - actual[i]) / scale);
        }

        var text = string.Create(CultureInfo.InvariantCulture, $"{expected.Length} numbers, at most {difference:0.0e+0} apart");
        Require(difference <= tolerance, string.Create(CultureInfo.InvariantCulture, $"{text}, more than {tolerance}"));
        return text;
    }

    /// <summary>Fails the check with a message unless something holds.</summary>
    /// <exception cref="CheckFailedException">It does not.</exception>
    public static void Require(bool holds, string message)
    {
        if (!holds) throw new CheckFailedException(message);
    }
}

/// <summary>Something is not as a check expects it.</summary>
internal sealed class CheckFailedException(string message) : Exception(message);
