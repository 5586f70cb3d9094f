using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.Loader;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Tables;
using nietras.SeparatedValues;

namespace MlNetBatchNorm.Bench;

/// <summary>Reading CSV files and scoring them, beside Sep with the numbers parsed, and beside an earlier build of the tool.</summary>
internal sealed class TablesBenchmark : Benchmark
{
    private const int Columns = 51, TextColumns = 10, ScoredColumns = 50;

    private static readonly string[] Texts = ["north", "south", "east", "west", "Zürich", "a rather long name of a place"];

    private readonly Option<string?> _beside = new("--beside")
    {
        Description = "also an earlier build of the tool: its mlnetbn.dll, with what it needs beside it",
        HelpName = "DLL",
    };

    public TablesBenchmark()
        : base("tables", "Tables", "Read CSV files of 51 columns, beside Sep; score 1,000,000 rows of 50, and learn from as many.") =>
        Add(_beside);

    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var quick = arguments.GetValue(Quick);
        var folder = Directory.CreateTempSubdirectory("mlnetbn-bench-");
        try
        {
            var earlier = arguments.GetValue(_beside) is { } dll ? new EarlierBuild(dll) : null;

            // Scoring first: memory that others have left behind would blur its figures.
            var scored = Score(folder.FullName, quick, earlier, cancellation);
            var fitted = Fit(quick, cancellation);
            var read = new List<string[]>();
            foreach (var texts in new[] { 0, TextColumns })
            {
                var path = Path.Combine(folder.FullName, $"{texts}.csv");
                Write(path, quick ? 2_000 : 100_000, texts);
                read.AddRange(Read(path, texts, quick, earlier, cancellation));
            }

            report.Table(["file", "reader", "MB/s", "of Sep + parse"], read, texts: 2);
            report.Table(["scored", "build", "rows a second", "largest working set, MB"], scored, texts: 2);
            report.Table(["learned from", "rows are", "seconds", "working set grows by, MB", "a score"], fitted, texts: 2);
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        return Task.FromResult(ExitCode.Done);
    }

    // In turn, the best of many: what each can do when nothing else wants the machine.
    private static List<string[]> Read(string path, int texts, bool quick, EarlierBuild? earlier, CancellationToken cancellation)
    {
        List<(string Name, Action Read)> readers =
        [
            ("Sep + parse", () => BySep(path, texts, parallel: false)),
            ("Sep + parse, all cores", () => BySep(path, texts, parallel: true)),
            ("mlnetbn", () => CsvTable.Read(path)),
        ];
        if (earlier is not null) readers.Add(("mlnetbn, earlier build", () => earlier.Read(path)));
        var best = readers.ConvertAll(_ => TimeSpan.MaxValue);
        for (var turn = 0; turn < (quick ? 1 : 15); turn++)
        {
            Report.Progress($"tables, {texts} columns of text, turn {turn + 1}");
            for (var i = 0; i < readers.Count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (turn > 2 && readers[i].Name.EndsWith("earlier build", StringComparison.Ordinal)) continue;
                GC.Collect();
                var start = Stopwatch.GetTimestamp();
                readers[i].Read();
                if (Stopwatch.GetElapsedTime(start) is var time && time < best[i]) best[i] = time;
            }
        }

        var sep = Math.Min(best[0].Ticks, best[1].Ticks);
        var size = new FileInfo(path).Length / 1e6;
        return [.. readers.Select((reader, i) => new[]
        {
            $"{Columns - texts} columns of numbers, {texts} of texts", reader.Name,
            (size / best[i].TotalSeconds).ToString("0", CultureInfo.InvariantCulture),
            ((double)sep / best[i].Ticks).ToString("0.00", CultureInfo.InvariantCulture),
        })];
    }

    // What a program would keep: numbers in arrays, of texts each different one once.
    private static void BySep(string path, int texts, bool parallel)
    {
        var names = new Dictionary<string, int>[texts];
        for (var i = 0; i < texts; i++) names[i] = [];
        var columns = new List<float>[Columns];
        for (var i = 0; i < Columns; i++) columns[i] = [];
        using var reader = Sep.Reader(options => options with { CreateToString = SepToString.PoolPerColThreadSafe() }).FromFile(path);
        if (parallel)
        {
            foreach (var (numbers, strings) in reader.ParallelEnumerate(row =>
            {
                var read = (Numbers: new float[Columns - texts], Strings: new string[texts]);
                for (var i = 0; i < texts; i++) read.Strings[i] = row[i].ToString();
                for (var i = texts; i < Columns; i++) read.Numbers[i - texts] = row[i].Parse<float>();
                return read;
            }))
            {
                for (var i = 0; i < texts; i++) columns[i].Add(CodeOf(i, strings[i]));
                for (var i = texts; i < Columns; i++) columns[i].Add(numbers[i - texts]);
            }

            return;
        }

        foreach (var row in reader)
        {
            for (var i = 0; i < texts; i++) columns[i].Add(CodeOf(i, row[i].ToString()));
            for (var i = texts; i < Columns; i++) columns[i].Add(row[i].Parse<float>());
        }

        int CodeOf(int column, string text)
        {
            if (!names[column].TryGetValue(text, out var code)) names[column].Add(text, code = names[column].Count);
            return code;
        }
    }

    private static List<string[]> Score(string folder, bool quick, EarlierBuild? earlier, CancellationToken cancellation)
    {
        var (table, model, scored) = (Path.Combine(folder, "train.csv"), Path.Combine(folder, "model"), Path.Combine(folder, "rows.csv"));
        Write(table, 2_000, 0);
        var (training, test) = TableSplit.Every(CsvTable.Read(table), 0.2);
        using (var trained = TableTrainer.Train(training, test, new TableTrainingOptions
        {
            Label = "c0",
            Task = LearningTask.Regression,
            Network = new BatchNormNetworkOptions { Epochs = 1 },
        }))
            trained.Save(model);
        Write(scored, quick ? 20_000 : 1_000_000, 0, first: Columns - ScoredColumns);
        List<(string Name, Func<string, long> Score)> builds = [("mlnetbn", Ours)];
        if (earlier is not null) builds.Add(("mlnetbn, earlier build", to => earlier.Score(Path.Combine(model, "model.onnx"), scored, to)));
        var rows = new List<string[]>();
        foreach (var (name, score) in builds)
        {
            var best = 0.0;
            var peak = new Peak();
            for (var turn = 0; turn < (quick || name != builds[0].Name ? 1 : 5); turn++)
            {
                Report.Progress($"tables, scoring by {name}, turn {turn + 1}");
                cancellation.ThrowIfCancellationRequested();
                var start = Stopwatch.GetTimestamp();
                var count = score(Path.Combine(folder, "scores.csv"));
                best = Math.Max(best, count / Stopwatch.GetElapsedTime(start).TotalSeconds);
            }

            rows.Add([
                $"{new FileInfo(scored).Length / 1e6:0} MB", name, best.ToString("N0", CultureInfo.InvariantCulture),
                peak.Stop().ToString("0", CultureInfo.InvariantCulture),
            ]);
        }

        return rows;

        long Ours(string to)
        {
            using var scorer = TableScorer.Open(Path.Combine(model, "model.onnx"));
            using var reader = scorer.Read(CsvSource.OfFile(scored));
            return PredictionTable.Write(to, scorer.Score(reader));
        }
    }

    // Two epochs of a small network on rows that are made as they are read, so that all that grows is what learning needs.
    private static List<string[]> Fit(bool quick, CancellationToken cancellation)
    {
        const int budget = 25_000_000;
        var (rows, result) = (quick ? 50_000 : 1_000_000, new List<string[]>());
        var size = sizeof(float) * (double)rows * ScoredColumns;
        Fit(1000, null, cancellation);
        foreach (var memory in new long?[] { quick ? budget / 10 : budget, null })
        {
            var (best, grown, score) = (TimeSpan.MaxValue, double.MaxValue, 0f);
            for (var turn = 0; turn < (quick ? 1 : 3); turn++)
            {
                Report.Progress($"tables, learning{(memory is null ? string.Empty : " from a file")}, turn {turn + 1}");
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                var before = Environment.WorkingSet / 1e6;
                var peak = new Peak();
                var start = Stopwatch.GetTimestamp();
                score = Fit(rows, memory, cancellation);
                if (Stopwatch.GetElapsedTime(start) is var time && time < best) best = time;
                grown = Math.Min(grown, peak.Stop() - before);
            }

            result.Add([
                FormattableString.Invariant($"{rows:N0} rows of {ScoredColumns}, {size / 1e6:0} MB"),
                memory is null ? "in memory" : FormattableString.Invariant($"in a file, of {memory / 1e6:0} MB of memory"),
                best.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture), grown.ToString("0", CultureInfo.InvariantCulture),
                score.ToString("R", CultureInfo.InvariantCulture),
            ]);
        }

        return result;
    }

    private static float Fit(int rows, long? memory, CancellationToken cancellation)
    {
        var ml = new MLContext(seed: 1);
        var schema = SchemaDefinition.Create(typeof(MadeRow));
        schema[nameof(MadeRow.Features)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, ScoredColumns);
        using var model = ml.BinaryClassification.Trainers.BatchNormNetwork(new BatchNormNetworkOptions
        {
            Preset = Preset.Fast,
            Epochs = 2,
            Device = Device.Cpu,
            RowMemory = memory,
            CancellationToken = cancellation,
        }).Fit(ml.Data.LoadFromEnumerable(MadeRow.Make(rows), schema));
        return model.Transform(ml.Data.LoadFromEnumerable(MadeRow.Make(1), schema)).GetColumn<float>("Score").First();
    }

    private sealed class MadeRow
    {
        public float[] Features { get; } = new float[ScoredColumns];

        public bool Label { get; private set; }

        public static IEnumerable<MadeRow> Make(int rows)
        {
            var (row, random) = (new MadeRow(), new Random(1));
            for (var i = 0; i < rows; i++)
            {
                foreach (ref var value in row.Features.AsSpan()) value = random.NextSingle();
                row.Label = row.Features[0] + (row.Features[1] * row.Features[2]) > 0.75f;
                yield return row;
            }
        }
    }

    private static void Write(string path, int rows, int texts, int first = 0)
    {
        var random = new Random(1);
        using var file = new StreamWriter(path);
        file.WriteLine(string.Join(',', Enumerable.Range(first, Columns - first).Select(i => $"c{i}")));
        for (var row = 0; row < rows; row++)
        {
            for (var i = first; i < Columns; i++)
            {
                if (i > first) file.Write(',');
                if (i < texts) file.Write(Texts[random.Next(Texts.Length)]);
                else file.Write(Normal(random).ToString("F6", CultureInfo.InvariantCulture));
            }

            file.Write('\n');
        }

        static double Normal(Random random) =>
            Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }

    /// <summary>The most memory that the process had.</summary>
    private sealed class Peak
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task<long> _watch;

        public Peak()
        {
            GC.Collect();
            _watch = Task.Run(async () =>
            {
                var most = 0L;
                while (!_stop.IsCancellationRequested)
                {
                    most = Math.Max(most, Environment.WorkingSet);
                    await Task.Delay(20);
                }

                return most;
            });
        }

        public double Stop()
        {
            _stop.Cancel();
            return _watch.Result / 1e6;
        }
    }

    /// <summary>The tool as it was when it kept the texts of all cells, from its files.</summary>
    private sealed class EarlierBuild
    {
        private readonly MethodInfo _read, _score, _write;

        public EarlierBuild(string dll)
        {
            var resolver = new AssemblyDependencyResolver(Path.GetFullPath(dll));
            var context = new AssemblyLoadContext("earlier");
            context.Resolving += (from, name) =>
                resolver.ResolveAssemblyToPath(name) is { } path ? from.LoadFromAssemblyPath(path) : null;
            var tool = context.LoadFromAssemblyPath(Path.GetFullPath(dll));
            const BindingFlags any = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
            _read = tool.GetType("MlNetBatchNorm.Cli.Tables.CsvTable", true)!.GetMethod("Read", any)!;
            _score = tool.GetType("MlNetBatchNorm.Cli.Tables.TableScorer", true)!.GetMethods(any).First(method => method is
            {
                Name: "Score", IsPublic: true,
            });
            _write = tool.GetType("MlNetBatchNorm.Cli.Reporting.PredictionTable", true)!.GetMethod("Write", any)!;
        }

        public object Read(string path) => _read.Invoke(null, [path])!;

        public long Score(string model, string table, string to)
        {
            dynamic predictions = _score.Invoke(null, [model, Read(table), null])!;
            _write.Invoke(null, [to, predictions]);
            return (int)predictions.GetType().GetProperty("RowCount").GetValue(predictions);
        }
    }
}
