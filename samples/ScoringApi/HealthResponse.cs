using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ScoringApi;

/// <summary>The state of the service.</summary>
/// <param name="Status">
/// <c>Healthy</c>, <c>Degraded</c> (it answers, but with an older model than it was given) or <c>Unhealthy</c>.
/// </param>
/// <param name="Checks">What each check found.</param>
public sealed record HealthResponse(string Status, Dictionary<string, Dictionary<string, string>> Checks)
{
    internal static Task WriteAsync(HttpContext context, HealthReport report) => context.Response.WriteAsJsonAsync(
        new HealthResponse(report.Status.ToString(), report.Entries.ToDictionary(entry => entry.Key, entry => Describe(entry.Value))));

    private static Dictionary<string, string> Describe(HealthReportEntry entry)
    {
        var lines = entry.Data.ToDictionary(data => data.Key, data => data.Value switch
        {
            DateTimeOffset time => time.ToString("O", CultureInfo.InvariantCulture),
            var value => Convert.ToString(value, CultureInfo.InvariantCulture) ?? string.Empty,
        });
        // The description of a check says in a sentence what its data say.
        if (lines.Count == 0 && entry.Description is { } description) lines["description"] = description;
        return lines;
    }
}
