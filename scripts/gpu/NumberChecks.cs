using Google.Protobuf;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Verification;
using static MlNetBatchNorm.GpuChecks.CheckList;

namespace MlNetBatchNorm.GpuChecks;

/// <summary>Scoring and training on the device give the numbers of the CPU, and run where they should.</summary>
internal static class NumberChecks
{
    // Sums of 12 products in float16, whose factors have 11 bits.
    private const double HalfTolerance = 2e-2;

    public static void Run(CheckList checks, Device device, string folder)
    {
        var expected = Expectations.Read(folder);
        foreach (var model in Expectations.Models(folder))
        {
            var tolerance = model.Contains(".Float16", StringComparison.Ordinal) ? HalfTolerance : Tolerance;
            checks.Check($"score {model}", () => Score(device, folder, model, expected, tolerance));
            if (!checks.IsGpu) continue;
            checks.Check($"score {model} as CUDA graphs", () => ScoreRecorded(device, folder, model, expected, tolerance));
        }

        foreach (var training in Expectations.Trainings)
        {
            checks.Check($"train, {training.Name}", () => RequireClose(expected[training.Name], Expectations.Train(training, device)));
            checks.Check($"where nodes run, {training.Name}", () => Places(training, device));
        }

        checks.Check("train with dropout", () =>
        {
            var training = new TrainingCase("dropout") { Layers = "dense 12; batchnorm; relu; dropout 0.5; dense 3" };
            var numbers = Expectations.Train(training, device);
            Require(numbers.All(float.IsFinite), "a number is not finite");
            return $"the first loss is {numbers[0]}";
        });
        if (!checks.IsGpu) return;
        foreach (var training in Expectations.Trainings)
        {
            checks.Check(
                $"train as CUDA graphs, {training.Name}",
                () => TrainRecorded(training, device, expected[training.Name]));
        }
    }

    // A step with an operator that CUDA does not have is refused, which is as good an answer; wrong numbers are not.
    private static string TrainRecorded(TrainingCase training, Device device, float[] expected)
    {
        try
        {
            return RequireClose(expected, Expectations.Train(training, DeviceChecks.Recording(device)));
        }
        catch (DeviceNotAvailableException exception)
        {
            Require(exception.Message.Contains("graph capture", StringComparison.Ordinal), exception.Message);
            return $"refused: {exception.Message}";
        }
    }

    private static string Score(
        Device device, string folder, string model, Dictionary<string, float[]> expected, double tolerance)
    {
        using var scorer = OnnxScorer.Load(Expectations.ModelPath(folder, model), new OnnxScorerOptions { Device = device });
        return string.Join("; ", Expectations.RowCounts.Select(rows => RequireClose(
            expected[Expectations.ScoreKey(model, rows)], scorer.ScoreBatch(Expectations.RowsFor(scorer, rows)), tolerance)));
    }

    // A run is recorded when its number of rows comes for the second time, and replayed from then on: also with other rows.
    private static string ScoreRecorded(
        Device device, string folder, string model, Dictionary<string, float[]> expected, double tolerance)
    {
        using var scorer = OnnxScorer.Load(
            Expectations.ModelPath(folder, model), new OnnxScorerOptions { Device = DeviceChecks.Recording(device) });
        foreach (var rows in Expectations.RowCounts)
            for (var i = 0; i < 4; i++) scorer.ScoreBatch(Expectations.Numbers((long)rows * scorer.RowLength, i));
        return string.Join("; ", Expectations.RowCounts.Select(rows => RequireClose(
            expected[Expectations.ScoreKey(model, rows)], scorer.ScoreBatch(Expectations.RowsFor(scorer, rows)), tolerance)));
    }

    // Not a matter of right or wrong, but of speed: a node that the provider does not know takes its tensors to the host and back.
    private static string Places(TrainingCase training, Device device)
    {
        var path = Path.GetTempFileName();
        try
        {
            // The graph that a GPU trains by: it has none of our own operators.
            using (var step = training.Create(Device.Cpu, ownOperators: false)) File.WriteAllBytes(path, step.Model.ToByteArray());
            var nodes = NodePlacement.Of(path, device);
            var host = nodes.Where(node => node.Provider == "CPUExecutionProvider")
                .GroupBy(node => node.Operator).Select(group => $"{group.Key} × {group.Count()}");
            return $"{nodes.Count} nodes; on the CPU: {string.Join(", ", host.DefaultIfEmpty("none"))}";
        }
        catch (ModelRunException exception)
        {
            // Inputs that are made up do not fit together in every step of training.
            return $"not known: {exception.Message}";
        }
        finally
        {
            File.Delete(path);
        }
    }
}
