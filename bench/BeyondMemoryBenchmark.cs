using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// Learns from a table of any size, which is made row by row as it is read, with little memory: what the process holds at most, and how
/// long it takes. Not among those that run together: it is meant for a table larger than the machine's memory, and fills its disk.
/// </summary>
internal sealed class BeyondMemoryBenchmark : Benchmark
{
    private const int Columns = 50;

    private readonly Option<int> _rows = new("--rows")
    {
        Description = $"rows of {Columns} numbers, 200 bytes each: 100,000,000 are 20 GB, for which the disk needs room more than twice",
        DefaultValueFactory = _ => 10_000_000,
    };

    private readonly Option<int> _memory = new("--memory")
    {
        Description = "how many MB of memory rows may take (RowMemory)",
        DefaultValueFactory = _ => 100,
    };

    private readonly Option<int> _epochs = new("--epochs") { Description = "how often", DefaultValueFactory = _ => 1 };

    public BeyondMemoryBenchmark()
        : base("beyond", "Beyond memory", "Learn from a table that is larger than the memory, one epoch of a small network.")
    {
        Add(_rows);
        Add(_memory);
        Add(_epochs);
    }

    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var rows = arguments.GetValue(Quick) ? 20_000 : arguments.GetValue(_rows);
        var memory = arguments.GetValue(Quick) ? 1_000_000 : arguments.GetValue(_memory) * 1_000_000L;
        var watch = new StageWatch();
        var ml = new MLContext(seed: 1);
        var schema = SchemaDefinition.Create(typeof(MadeRow));
        schema[nameof(MadeRow.Features)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, Columns);
        var figures = new EpochMetrics?[1];
        using (ml.BinaryClassification.Trainers.BatchNormNetwork(new BatchNormNetworkOptions
        {
            Preset = Preset.Fast,
            HiddenLayers = [16],
            BatchSize = 4096,
            Epochs = arguments.GetValue(_epochs),
            Optimizer = Optimizer.AdamW(1e-2f),
            Device = Device.Cpu,
            RowMemory = memory,
            CancellationToken = cancellation,
            Watch = watch,
            Progress = epoch => figures[0] = epoch.Validation,
        }).Fit(ml.Data.LoadFromEnumerable(MadeRow.Make(rows), schema)))
            watch.Stage("done");
        using var process = Process.GetCurrentProcess();
        report.Table(
            ["rows", "GB", "memory for rows, MB", "most memory, MB", "seconds", "seconds of CPU", "AUC of the rows held out"],
            [
                [
                    Text($"{rows:N0} of {Columns}"), Text($"{sizeof(float) * (double)Columns * rows / 1e9:0.0}"), Text($"{memory / 1e6:0}"),
                    Text($"{process.PeakWorkingSet64 / 1e6:0}"), Text($"{watch.Elapsed.TotalSeconds:0}"),
                    Text($"{process.TotalProcessorTime.TotalSeconds:0}"), Text($"{figures[0]?.AreaUnderRocCurve:0.0000}"),
                ],
            ],
            texts: 1);
        return Task.FromResult(ExitCode.Done);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Says when what begins, and what memory there is then.</summary>
    private sealed class StageWatch : TrainingWatch
    {
        private readonly long _start = Stopwatch.GetTimestamp();
        private int _tenths;

        public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

        public override void Stage(string what) => Report.Progress(Text(
            $"{Elapsed.TotalSeconds:0} s, {Environment.WorkingSet / 1e6:0} MB: {what}"));

        public override void Step(TrainingPosition position)
        {
            var tenths = (int)(10L * position.Step / position.Steps);
            if (tenths == _tenths) return;
            _tenths = tenths;
            Stage(Text($"epoch {position.Epoch}, step {position.Step:N0} of {position.Steps:N0}"));
        }
    }

    private sealed class MadeRow
    {
        public float[] Features { get; } = new float[Columns];

        public bool Label { get; private set; }

        public static IEnumerable<MadeRow> Make(int rows)
        {
            var (row, state) = (new MadeRow(), 1u);
            for (var i = 0; i < rows; i++)
            {
                // A linear congruential generator (Numerical Recipes): quicker than what it goes through.
                foreach (ref var value in row.Features.AsSpan())
                {
                    state = (state * 1664525) + 1013904223;
                    value = (state >> 8) * (1f / (1 << 24));
                }

                row.Label = row.Features[0] + (row.Features[1] * row.Features[2]) > 0.75f;
                yield return row;
            }
        }
    }
}
