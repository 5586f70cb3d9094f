using System.Diagnostics;
using System.Globalization;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>
/// Processes that are killed (SIGKILL, which nobody can answer) at moments spread over all that they do, again and again until one comes
/// through: nothing is ever half-written, a training loses at most an epoch, the end is bit for bit that of a run that nobody disturbed,
/// and nothing is left over. Ten kills, or as many as <c>MLNETBN_KILLS</c> says; what the run did goes to <c>MLNETBN_KILLS_LOG</c>, if it
/// is set.
/// </summary>
public sealed class KillTests : IDisposable
{
    private const int FewKills = 10;

    private readonly TemporaryFolder _folder = new();

    public KillTests()
    {
        _folder.Write("data.csv", ChurnTables.First(800));
        Directory.CreateDirectory(_folder.File("tmp"));
    }

    public void Dispose() => _folder.Dispose();

    [UnixTheory]
    [InlineData("train")]
    [InlineData("save")]
    [InlineData("fold")]
    [InlineData("score")]
    public void Command_KilledAtAnyMoment_LosesNothing(string what)
    {
        var work = Work.Of(what, _folder);
        var kills = int.TryParse(Environment.GetEnvironmentVariable("MLNETBN_KILLS"), CultureInfo.InvariantCulture, out var many)
            ? many
            : FewKills;
        kills = (kills / Work.Names.Length) + (Array.IndexOf(Work.Names, what) < kills % Work.Names.Length ? 1 : 0);
        work.Prepare();
        var watch = Stopwatch.StartNew();
        work.Run(work.Arguments("whole"));
        var length = watch.Elapsed;
        var random = new Random(20261128);
        var (killed, through, seen) = (0, 0, 0);
        while (killed < kills)
        {
            work.Begin();
            while (true)
            {
                // The later moments, when files are written, more often than they take time.
                var moment = length * (work.From + ((1 - work.From) * random.NextDouble()));
                watch.Restart();
                using var process = work.Start(work.Arguments("out"));
                if (process.WaitForExit(killed < kills ? moment : TimeSpan.FromMinutes(4)))
                {
                    Assert.Equal(0, process.ExitCode);
                    through++;

                    // The machine has more or less else to do than before; and who goes on is done earlier.
                    length = (length + watch.Elapsed) / 2;
                    break;
                }

                process.Kill();
                process.WaitForExit();
                killed++;
                seen = work.RequireWhole(seen);
            }

            seen = 0;
            work.RequireSame();
        }

        if (Environment.GetEnvironmentVariable("MLNETBN_KILLS_LOG") is { } log)
            File.AppendAllText(log, $"{what}: {killed} kills, {through} runs came through, each with the files of the undisturbed run\n");
        Assert.Equal(kills, killed);
    }

    // What is killed, and what must be true afterwards.
    private abstract class Work(TemporaryFolder folder)
    {
        public static readonly string[] Names = ["train", "save", "fold", "score"];

        protected TemporaryFolder Folder => folder;

        /// <summary>The part of the run behind which it is killed.</summary>
        public virtual double From => 0;

        /// <summary>The files that the work makes in its folder, which are the same in each run.</summary>
        protected abstract string[] Files { get; }

        public static Work Of(string name, TemporaryFolder folder) => name switch
        {
            "train" => new Training(folder, 0),
            "save" => new Training(folder, 0.6),
            "fold" => new Folding(folder),
            _ => new Scoring(folder),
        };

        public abstract string[] Arguments(string output);

        public virtual void Prepare() => Directory.CreateDirectory(folder.File("whole"));

        public void Begin()
        {
            if (Directory.Exists(folder.File("out"))) Directory.Delete(folder.File("out"), recursive: true);
            Directory.CreateDirectory(folder.File("out"));
        }

        public Process Start(string[] arguments)
        {
            const string Line = "exec dotnet \"$0\" \"$@\" >/dev/null 2>\"$TMPDIR/../errors\"";
            var start = new ProcessStartInfo("sh", ["-c", Line, Tool.Path, .. arguments])
            {
                WorkingDirectory = folder.Path,
                Environment = { ["TMPDIR"] = folder.File("tmp") },
            };
            return Process.Start(start)!;
        }

        public void Run(string[] arguments)
        {
            using var process = Start(arguments);
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, File.ReadAllText(folder.File("errors")));
        }

        /// <summary>After a kill: what has its name is whole. Returns how far the work had come, which never falls.</summary>
        public virtual int RequireWhole(int seen)
        {
            foreach (var file in Files.Where(file => File.Exists(folder.File($"out/{file}")))) RequireSame(file);
            return seen;
        }

        /// <summary>When one has come through: all is there, and nothing else.</summary>
        public virtual void RequireSame()
        {
            foreach (var file in Files) RequireSame(file);
            // Those of the last run that was killed as well. An empty file is taken for one that is just being made, for two seconds: then
            // it is the next run that clears it.
            string[] places = [folder.File("out"), folder.File("tmp")];
            if (places.SelectMany(place => Directory.GetFiles(place, "mlnetbn-*")).Any(file => new FileInfo(file).Length == 0))
            {
                Thread.Sleep(TimeSpan.FromSeconds(2.1));
                Run(Arguments("out"));
            }

            foreach (var place in places) Assert.Empty(Directory.GetFileSystemEntries(place, "mlnetbn-*"));
        }

        private void RequireSame(string file) =>
            Assert.Equal(File.ReadAllBytes(folder.File($"whole/{file}")), File.ReadAllBytes(folder.File($"out/{file}")));
    }

    private sealed class Training(TemporaryFolder folder, double from) : Work(folder)
    {
        public override double From => from;

        protected override string[] Files => ["model.onnx", "model.batchnorm.onnx"];

        public override string[] Arguments(string output) =>
        [
            "train", "data.csv", "--label", "churn", "--batch", "8", "--epochs", "8", "--patience", "0", "--preset", "fast",
            "--whole-pipeline", "--no-explain", "--resume", "--out", output,
        ];

        // An epoch that was finished is there, whatever comes.
        public override int RequireWhole(int seen)
        {
            base.RequireWhole(seen);
            var results = Folder.File("out/report.html");
            var checkpoint = Folder.File("out/training.checkpoint");
            if (!File.Exists(checkpoint))
            {
                // None is done as yet; or all is, and written.
                Assert.True(seen == 0 || File.Exists(results), "The checkpoint is gone, and the results are not there.");
                return File.Exists(results) ? 0 : seen;
            }

            var epochs = Trainer.Training.TrainingCheckpoint.Read(checkpoint).History.Count;
            var said = File.ReadLines(Folder.File("errors")).Count(line => line.StartsWith("epoch", StringComparison.Ordinal));
            Assert.True(epochs >= seen + said, $"{epochs} epochs are kept; before there were {seen}, and {said} were reported.");
            foreach (var zip in Directory.GetFiles(Folder.File("out"), "*.zip"))
            {
                using var pipeline = System.IO.Compression.ZipFile.OpenRead(zip);
                Assert.NotEmpty(pipeline.Entries);
            }

            return epochs;
        }

        public override void RequireSame()
        {
            base.RequireSame();
            Assert.Equal(
                [
                    "metrics.json", "model.batchnorm.onnx", "model.onnx", "model.zip", "pipeline.onnx", "report.html",
                ],
                Directory.GetFiles(Folder.File("out")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        }
    }

    private sealed class Folding(TemporaryFolder folder) : Work(folder)
    {
        protected override string[] Files => ["folded.onnx"];

        public override string[] Arguments(string output) => ["fold", "given/model.batchnorm.onnx", $"{output}/folded.onnx"];

        public override void Prepare()
        {
            base.Prepare();
            Run(["train", "data.csv", "--label", "churn", "--epochs", "1", "--preset", "fast", "--out", "given"]);
        }
    }

    private sealed class Scoring(TemporaryFolder folder) : Work(folder)
    {
        protected override string[] Files => ["predictions.csv"];

        public override string[] Arguments(string output) => ["score", "given/model.zip", "data.csv", "--out", $"{output}/predictions.csv"];

        public override void Prepare()
        {
            base.Prepare();
            Run(["train", "data.csv", "--label", "churn", "--epochs", "1", "--preset", "fast", "--out", "given"]);
        }
    }
}
