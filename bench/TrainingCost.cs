using System.Diagnostics;

namespace MlNetBatchNorm.Bench;

/// <summary>What a training took.</summary>
/// <param name="Time">By the clock.</param>
/// <param name="Cpu">Of this process on all cores: what it costs whoever shares the machine, and about the same on a busy one.</param>
internal sealed record TrainingCost(TimeSpan Time, TimeSpan Cpu)
{
    /// <summary>Begins to count.</summary>
    public static Watch Start() => new(Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);

    /// <summary>Counts.</summary>
    internal readonly record struct Watch(long Started, TimeSpan Cpu)
    {
        /// <summary>What it has taken until now.</summary>
        public TrainingCost Elapsed() => new(Stopwatch.GetElapsedTime(Started), Environment.CpuUsage.TotalTime - Cpu);
    }
}
