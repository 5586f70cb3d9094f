using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Commands;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// The two presets on the tables that they were chosen on, beside ML.NET's own trainers and scikit-learn's HistGradientBoosting, all with
/// their defaults: the figures of <c>docs/defaults.md</c>.
/// </summary>
internal sealed class DefaultsBenchmark : Benchmark
{
    private const string HistGradientBoosting = "HistGradientBoosting";
    private const int RowsInBatch = 512;

    // Of code that is warm: the first training of a process pays for the just-in-time compiler.
    private const int RowsToWarmWith = 1000;

    private const int SmallRows = 300;

    // What is as good: within the differences that another seed makes.
    private const double CloseAuc = 0.002, CloseAccuracy = 0.003, CloseLoss = 0.01;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    private static readonly Preset[] Presets = [Preset.Fast, Preset.Accurate];
    private static readonly string[] SmallTables = ["attrition", "concrete", "vehicle"];

    private static readonly string[] Stock = [StockTrainers.Linear, StockTrainers.FastTree, StockTrainers.LightGbm];

    // The order of the columns.
    private static readonly string[] Entrants =
    [
        .. Stock, HistGradientBoosting, nameof(Preset.Fast), nameof(Preset.Accurate),
    ];

    private readonly Option<int> _seeds = new("--seeds")
    {
        Description = "trainings of ours on each table, whose means count; the others are trained once",
        DefaultValueFactory = _ => 1,
    };

    private readonly Option<string[]> _tables = new("--tables")
    {
        Description = "only these, with commas between them",
        HelpName = "NAMES",
        CustomParser = result => result.Tokens.SelectMany(token => token.Value.Split(',')).ToArray(),
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<bool> _small = new("--small")
    {
        Description = $"instead: learn from {SmallRows} rows of {string.Join(", ", SmallTables)}, drawn again and again",
    };

    private readonly Option<bool> _ours = new("--ours") { Description = "train the two presets only, and nothing beside them" };
    private readonly Option<int> _draws = new("--draws") { Description = "with --small: how often", DefaultValueFactory = _ => 20 };
    private readonly Option<string?> _json = new("--json") { Description = "also write the figures to a file", HelpName = "FILE" };

    public DefaultsBenchmark()
        : base("defaults", "Defaults", "Train both presets, ML.NET's trainers and scikit-learn's trees on twelve tables; docs/defaults.md.")
    {
        _seeds.RequireRange(1, 100);
        _draws.RequireRange(1, 1000);
        _tables.Validators.Add(result =>
        {
            foreach (var name in result.GetValueOrDefault<string[]>() ?? [])
                if (DevelopmentTable.All.All(table => table.Name != name))
                    result.AddError($"--tables: there is no '{name}'; there are {Names(DevelopmentTable.All)}.");
        });
        foreach (var option in new Option[] { _seeds, _tables, _ours, _small, _draws, _json }) Add(option);
    }

    public override async Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var (quick, small) = (arguments.GetValue(Quick), arguments.GetValue(_small));
        var names = arguments.GetValue(_tables) is { Length: > 0 } given ? given : small ? SmallTables : null;
        var tables = DevelopmentTable.All.Where(table => names is null ? !quick || table.IsSample : names.Contains(table.Name)).ToList();

        // A table that is not there is known before the first training.
        foreach (var table in tables) table.Read();
        var figures = new JsonArray();
        foreach (var node in small ? MeasureSmall(report, tables, quick ? 1 : arguments.GetValue(_draws), quick, cancellation) : [])
            figures.Add(node);
        if (!small)
            await MeasureAsync(report, tables, arguments.GetValue(_seeds), quick, !arguments.GetValue(_ours), figures, cancellation);
        if (arguments.GetValue(_json) is { } path)
            AtomicFile.WriteText(path, new JsonObject { ["defaults"] = figures }.ToJsonString(Indented) + "\n");
        return ExitCode.Done;
    }

    private static async Task MeasureAsync(
        Report report,
        IReadOnlyList<DevelopmentTable> tables,
        int seeds,
        bool quick,
        bool peers,
        JsonArray figures,
        CancellationToken cancellation)
    {
        var (results, warm) = (new List<TableFigures>(), new HashSet<LearningTask>());
        foreach (var table in tables)
        {
            var (training, test) = table.Read();
            if (!quick && warm.Add(table.Task)) Warm(table, training, test, peers);
            var measured = new TableFigures(table, training.RowCount);
            results.Add(measured);
            Measure(measured, training, test, seeds, quick, peers, cancellation);
            if (peers && await TreesAsync(table, cancellation) is { } trees) measured.Add(HistGradientBoosting, trees);
            figures.Add(measured.ToJson());
        }

        Show(report, results, seeds);
    }

    private static void Measure(
        TableFigures measured, CsvTable training, CsvTable test, int seeds, bool quick, bool peers, CancellationToken cancellation)
    {
        var table = measured.Table;
        var trained = new List<TrainedTable>();
        try
        {
            foreach (var preset in Presets)
            {
                for (var seed = 0; seed < seeds; seed++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var watch = TrainingCost.Start();
                    var ours = Train(table, training, test, preset, seed, quick);
                    measured.Add(preset.ToString(), new Entry(table, ours.TestMetrics, watch.Elapsed()));
                    if (seed == 0) trained.Add(ours);
                    else ours.Dispose();
                }
            }

            foreach (var peer in StockTrainers.Measure(training, test, trained[0], peers ? Stock : [], quick))
            {
                cancellation.ThrowIfCancellationRequested();
                measured.Add(peer.Kind, new Entry(table, peer.Figures, peer.Cost));
            }

            var contenders = trained
                .SelectMany(ours => new[] { 1, RowsInBatch }.Select(rows => (Contender)new ScorerContender(
                    ours.Network.Export.Folded.Proto, rows, Device.Cpu)))
                .ToList();
            try
            {
                var times = Turns.Measure(contenders, TimeSpan.FromSeconds(quick ? 0.02 : 1), cancellation);
                foreach (var (i, preset) in Presets.Index())
                    measured.Latencies[preset.ToString()] = (times[2 * i], times[(2 * i) + 1] / RowsInBatch);
            }
            finally
            {
                contenders.ForEach(contender => contender.Dispose());
            }
        }
        finally
        {
            trained.ForEach(ours => ours.Dispose());
        }
    }

    private static void Warm(DevelopmentTable table, CsvTable training, CsvTable test, bool peers)
    {
        Report.Progress($"defaults: warming up with rows of {table.Name}");
        var rows = training.Select([.. Enumerable.Range(0, Math.Min(RowsToWarmWith, training.RowCount))]);
        foreach (var preset in Presets)
        {
            using var ours = Train(table, rows, test, preset, seed: 0, quick: true);
            foreach (var _ in StockTrainers.Measure(rows, test, ours, peers ? Stock : [], quick: true)) { }
        }
    }

    // One thread: several would be counted while they wait for each other.
    private static TrainedTable Train(DevelopmentTable table, CsvTable training, CsvTable test, Preset preset, int seed, bool quick)
    {
        var network = new BatchNormNetworkOptions { Preset = preset, Device = Device.Cpu, Seed = seed, Threads = 1 };
        if (quick) network = network with { Epochs = 1 };
        return TableTrainer.Train(
            training, test, new TableTrainingOptions { Label = table.Label, Task = table.Task, Network = network });
    }

    private static async Task<Entry?> TreesAsync(DevelopmentTable table, CancellationToken cancellation)
    {
        var (output, problem) = await PeerTimes.RunAsync(
            Repository.PathOf("bench", "peers", "trees.py"), [table.Path, table.Label, TableTask.Of(table.Task).Name], cancellation);
        if (output is null)
        {
            Report.Progress($"no figures of {HistGradientBoosting}: {problem}");
            return null;
        }

        using var document = JsonDocument.Parse(output);
        var root = document.RootElement;
        return new Entry(
            root.GetProperty("first").GetDouble(), root.GetProperty("second").GetDouble(), root.GetProperty("cpuSeconds").GetDouble());
    }

    private static void Show(Report report, IReadOnlyList<TableFigures> results, int seeds)
    {
        var trainings = seeds == 1 ? "seed 0" : $"means of {seeds} trainings, seeds 0 to {seeds - 1}";
        report.Paragraph(
            $"Figures on every fifth row, which nobody learned from; ours, the last two columns, are {trainings}. ML.NET's trainers "
            + "have the same rows and features as ours; HistGradientBoosting is the better of its two ways with categories. Classes: AUC "
            + "or accuracy, and log-loss; numbers: RMSE and MAE.");
        report.Table(
            ["table", "rows", "measures", .. Entrants],
            results.Select(result => (IReadOnlyList<string>)
            [
                result.Table.Name,
                Count(result.Rows),
                string.Join(" / ", result.Table.Measures),
                .. Entrants.Select(result.Text),
            ]),
            texts: 1);
        report.Paragraph(
            "CPU seconds of a training by the same process (HistGradientBoosting: by its own), ours on one thread with export, folding and "
            + $"proof; then microseconds that our folded network takes for a row: alone, and in a batch of {RowsInBatch}.");
        report.Table(
            ["table", .. Entrants, "Fast: 1 row", "Accurate: 1 row", $"Fast: of {RowsInBatch}", $"Accurate: of {RowsInBatch}"],
            results.Select(result => (IReadOnlyList<string>)
            [
                result.Table.Name,
                .. Entrants.Select(entrant => Number(result.Mean(entrant)?.CpuSeconds)),
                .. Presets.Select(preset => Number(result.Latencies[preset.ToString()].OneRow)),
                .. Presets.Select(preset => Number(result.Latencies[preset.ToString()].RowOfBatch)),
            ]),
            texts: 1);
        report.Paragraph(string.Create(
            CultureInfo.InvariantCulture,
            $"Accurate is at least as good (AUC within {CloseAuc}, accuracy within {CloseAccuracy}, all else within {CloseLoss:P0}):"));
        report.Table(
            ["beside", "by AUC, accuracy or RMSE", "by log-loss or MAE", "not on"],
            Entrants[..^1].Where(peer => results.Any(result => result.Mean(peer) is not null)).Select(peer => Standing(peer, results)),
            texts: 1);
    }

    private static IReadOnlyList<string> Standing(string peer, IReadOnlyList<TableFigures> results)
    {
        var both = results.Where(result => result.Mean(peer) is not null).ToList();
        var behind = both.Where(result => !result.IsAsGood(peer, 0)).ToList();
        return
        [
            peer,
            $"{both.Count - behind.Count} of {both.Count}",
            $"{both.Count(result => result.IsAsGood(peer, 1))} of {both.Count}",
            behind.Count == 0 ? "–" : Names(behind.Select(result => result.Table)),
        ];
    }

    // So few rows that chance decides much: what counts is the mean, and that nothing goes astray.
    private static List<JsonObject> MeasureSmall(
        Report report, IReadOnlyList<DevelopmentTable> tables, int draws, bool quick, CancellationToken cancellation)
    {
        string[] entrants = [StockTrainers.Linear, StockTrainers.LightGbm, nameof(Preset.Fast), nameof(Preset.Accurate)];
        var (rows, figures) = (new List<IReadOnlyList<string>>(), new List<JsonObject>());
        foreach (var table in tables)
        {
            Report.Progress($"defaults with {SmallRows} rows of {table.Name}");
            var (training, test) = table.Read();
            var measured = new TableFigures(table, SmallRows);
            for (var draw = 0; draw < draws; draw++)
            {
                cancellation.ThrowIfCancellationRequested();
                int[] order = [.. Enumerable.Range(0, training.RowCount)];
                new Random(draw).Shuffle(order);
                var drawn = training.Select(order.AsSpan(0, Math.Min(SmallRows, order.Length)));
                foreach (var preset in Presets)
                {
                    var watch = TrainingCost.Start();
                    using var ours = Train(table, drawn, test, preset, draw, quick);
                    measured.Add(preset.ToString(), new Entry(table, ours.TestMetrics, watch.Elapsed()), quietly: true);
                    if (preset != Preset.Fast) continue;
                    foreach (var peer in StockTrainers.Measure(drawn, test, ours, [StockTrainers.Linear, StockTrainers.LightGbm], quick))
                        measured.Add(peer.Kind, new Entry(table, peer.Figures, peer.Cost), quietly: true);
                }
            }

            figures.Add(measured.ToJson());
            rows.AddRange(entrants.Select(entrant => (IReadOnlyList<string>)
            [
                table.Name,
                string.Join(" / ", table.Measures),
                entrant,
                measured.Text(entrant),
                measured.Worst(entrant),
            ]));
        }

        report.Paragraph(
            $"Learned from {SmallRows} rows, {draws} times others; all on the same test rows, every fifth of the table. The mean of the "
            + "draws, and the worst of them by each measure.");
        report.Table(["table", "measures", "trainer", "mean", "worst"], rows, texts: 3);
        return figures;
    }

    private static string Names(IEnumerable<DevelopmentTable> tables) => string.Join(", ", tables.Select(table => table.Name));

    private static string Count(int rows) => rows.ToString("N0", CultureInfo.InvariantCulture);

    private static string Number(double? value) =>
        value?.ToString(value < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture) ?? "–";

    /// <summary>What a trainer came to: its two measures on the test rows, and the CPU seconds of the training.</summary>
    private sealed record Entry(double First, double Second, double CpuSeconds)
    {
        public Entry(DevelopmentTable table, MetricValues figures, TrainingCost cost)
            : this(figures[table.Measures[0]]!.Value, figures[table.Measures[1]]!.Value, cost.Cpu.TotalSeconds)
        {
        }
    }

    /// <summary>What all came to on a table.</summary>
    private sealed class TableFigures(DevelopmentTable table, int rows)
    {
        private readonly Dictionary<string, List<Entry>> _entries = [];

        public DevelopmentTable Table => table;

        public int Rows => rows;

        public Dictionary<string, (double OneRow, double RowOfBatch)> Latencies { get; } = [];

        public void Add(string entrant, Entry entry, bool quietly = false)
        {
            if (!_entries.TryGetValue(entrant, out var entries)) _entries[entrant] = entries = [];
            entries.Add(entry);
            if (!quietly) Report.Progress($"defaults with {table.Name}: {entrant} {Text(entry.First, entry.Second)}");
        }

        public Entry? Mean(string entrant) => _entries.TryGetValue(entrant, out var entries)
            ? new Entry(
                entries.Average(entry => entry.First), entries.Average(entry => entry.Second), entries.Average(entry => entry.CpuSeconds))
            : null;

        // By AUC and accuracy a difference counts, by all else a ratio.
        public bool IsAsGood(string peer, int measure)
        {
            var (ours, theirs) = (Mean(nameof(Preset.Accurate))!, Mean(peer)!);
            if (measure == 1) return ours.Second <= theirs.Second * (1 + CloseLoss);
            return table.Task switch
            {
                LearningTask.Binary => ours.First >= theirs.First - CloseAuc,
                LearningTask.Multiclass => ours.First >= theirs.First - CloseAccuracy,
                _ => ours.First <= theirs.First * (1 + CloseLoss),
            };
        }

        public string Text(string entrant) => Mean(entrant) is { } mean ? Text(mean.First, mean.Second) : "–";

        public string Worst(string entrant)
        {
            var entries = _entries[entrant];
            return Text(
                table.Measures[0].HigherIsBetter ? entries.Min(entry => entry.First) : entries.Max(entry => entry.First),
                entries.Max(entry => entry.Second));
        }

        public JsonObject ToJson()
        {
            var trainers = new JsonObject();
            foreach (var (entrant, entries) in _entries)
            {
                var trainer = new JsonObject
                {
                    [table.Measures[0].Key] = new JsonArray([.. entries.Select(entry => (JsonNode)entry.First)]),
                    [table.Measures[1].Key] = new JsonArray([.. entries.Select(entry => (JsonNode)entry.Second)]),
                    ["cpuSeconds"] = new JsonArray([.. entries.Select(entry => (JsonNode)entry.CpuSeconds)]),
                };
                if (Latencies.TryGetValue(entrant, out var latency))
                {
                    trainer["oneRowMicroseconds"] = latency.OneRow;
                    trainer[$"rowOf{RowsInBatch}Microseconds"] = latency.RowOfBatch;
                }

                trainers[entrant] = trainer;
            }

            return new JsonObject { ["table"] = table.Name, ["rows"] = rows, ["trainers"] = trainers };
        }

        private string Text(double first, double second) => $"{Text(table.Measures[0], first)} / {Text(table.Measures[1], second)}";

        private static string Text(Metric measure, double value) => measure.Unit switch
        {
            MetricUnit.OfLabel => value.ToString(value >= 1000 ? "N0" : "G4", CultureInfo.InvariantCulture),
            _ => measure.Format(value),
        };
    }
}
