using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Tests.Files;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>
/// Whatever is written fails once at every single step (making a file, each write, flushing, renaming) and runs out of space at many
/// lengths: then every file is what it was or the whole new one, nothing else is left, and with the disk mended all is as if nothing had
/// happened.
/// </summary>
public sealed class FailingWriteTests : IDisposable
{
    private static readonly BatchNormNetworkOptions Small = new() { Preset = Preset.Fast, HiddenLayers = [8], Epochs = 2 };

    private readonly TemporaryFolder _folder = new();

    public FailingWriteTests() => _folder.Write("data.csv", ChurnTables.First(300));

    public void Dispose()
    {
        AtomicFile.Layer = FileLayer.System;
        _folder.Dispose();
    }

    [Fact]
    public void Train_EachWriteFailsOnce_NothingIsHalfWrittenAndTheTrainingIsKept()
    {
        var split = TableSplit.Create(CsvTable.Read(_folder.File("data.csv")), "churn", new SplitOptions());
        var options = new TableTrainingOptions { Label = "churn", WholePipeline = true, Network = Small };
        var kept = Small with { Checkpoint = Output.Checkpoint(_folder.File("out")) };
        Execute("whole", FileLayer.System);
        var whole = Contents("whole");
        Each("out", Execute, (after, _) =>
        {
            foreach (var (name, bytes) in after)
            {
                // A checkpoint is of an epoch; models are those of the undisturbed run, to the last byte.
                if (name.EndsWith(".onnx", StringComparison.Ordinal)) Assert.Equal(whole[name], bytes);
                if (name == "training.checkpoint") Trainer.Training.TrainingCheckpoint.Read(_folder.File($"out/{name}"));
            }
        });
        Assert.Equal(whole.Keys, Contents("out").Keys);

        // What is found out of the model, which takes a while, is written by the same step as without.
        void Execute(string output, FileLayer layer) => Layered(layer, () => TrainingRun.Execute(
            split,
            output == "whole" ? options : options with { Network = kept },
            _folder.File(output),
            new AssessmentOptions { Explains = false }));
    }

    [Fact]
    public void Fold_EachWriteFailsOnce_TheOldFileStays()
    {
        Train();
        var model = _folder.File("given/model.batchnorm.onnx");
        Each("out", (output, layer) => Layered(layer, () => BatchNormFolder.FoldFile(model, In(output, "folded.onnx"))), StaysOrIsWhole);
        Assert.Equal(0, OnnxModel.Load(In("out", "folded.onnx")).BatchNormCount);
    }

    [Fact]
    public void Score_EachWriteFailsOnce_TheOldFileStays()
    {
        Train();
        using var scorer = TableScorer.Open(_folder.File("given/model.onnx"));
        var predictions = scorer.Score(CsvTable.Read(_folder.File("data.csv")));
        Each("out", (output, layer) => Layered(layer, () => PredictionTable.Write(In(output, "p.csv"), [predictions])), StaysOrIsWhole);
        Assert.Equal(301, File.ReadAllLines(In("out", "p.csv")).Length);
    }

    private static void StaysOrIsWhole(Dictionary<string, byte[]> after, Dictionary<string, byte[]> before) => Assert.Equal(before, after);

    private void Each(string output, Action<string, FileLayer> work, Action<Dictionary<string, byte[]>, Dictionary<string, byte[]>> check)
    {
        Directory.CreateDirectory(_folder.File(output));
        for (var failAt = 1; ; failAt++)
        {
            if (Survives(new FailingLayer(failAt))) break;
            Assert.True(failAt < 10_000, "It never comes through.");
        }

        // Space for so many bytes, ever more.
        Empty(output);
        for (var room = 0L; ; room += 1 + room)
            if (Survives(new FailingLayer(room: room))) break;

        bool Survives(FileLayer layer)
        {
            var before = Contents(output);
            try
            {
                work(output, layer);
                return true;
            }
            catch (IOException exception)
            {
                Assert.DoesNotContain("mlnetbn-", exception.Message, StringComparison.Ordinal);
            }

            var after = Contents(output);
            Assert.DoesNotContain(after.Keys, name => name.StartsWith("mlnetbn-", StringComparison.Ordinal));
            check(after, before);
            return false;
        }
    }

    private void Train() => TrainingRun.Execute(
        TableSplit.Create(CsvTable.Read(_folder.File("data.csv")), "churn", new SplitOptions()),
        new TableTrainingOptions { Label = "churn", Network = Small },
        _folder.File("given"));

    private static void Layered(FileLayer layer, Action work)
    {
        AtomicFile.Layer = layer;
        try
        {
            work();
        }
        finally
        {
            AtomicFile.Layer = FileLayer.System;
        }
    }

    private string In(string folder, string file) => _folder.File(Path.Combine(folder, file));

    private void Empty(string folder)
    {
        Directory.Delete(_folder.File(folder), recursive: true);
        Directory.CreateDirectory(_folder.File(folder));
    }

    private Dictionary<string, byte[]> Contents(string folder) => Directory.GetFiles(_folder.File(folder))
        .Order(StringComparer.Ordinal).ToDictionary(path => Path.GetFileName(path), File.ReadAllBytes, StringComparer.Ordinal);
}
