using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Verification;
using static MlNetBatchNorm.GpuChecks.CheckList;

namespace MlNetBatchNorm.GpuChecks;

/// <summary>What docs/gpu.md says of devices: where the provider comes from, tensors kept there, limits, refusals, ways out.</summary>
internal static class DeviceChecks
{
    private const int Rows = 64;
    private const int NoSuchGpu = 99;

    // Any model would do; this one has a convolution and a batch normalization.
    private const string Model = "conv2d.unfolded";

    public static void Run(CheckList checks, Device device, string folder)
    {
        var path = Expectations.ModelPath(folder, Model);
        checks.Check("devices", () => Survey(device));
        checks.Check("where the provider comes from", () => Source(path, device));
        checks.Check("rows that stay on the device", () => Kept(path, device));
        checks.Check("a strict device that is not there", () => Strict(path));
        checks.Check("a device with a way out", () => FallsBack(path));
        checks.Check("ONNX Runtime's own words for CUDA by name", () => ByName(path));
        checks.Check("ONNX Runtime's own choice, PREFER_GPU", () => ByPolicy(path));
        if (!checks.IsGpu) return;
        checks.Check("tensors kept, buffers pinned", () => Memory(path, device));
        checks.Check("rows that stay on the device, as CUDA graphs", () => Kept(path, Recording(device)));
        checks.Check("many threads", () => Threads(path, device));
        checks.Check("many threads, as CUDA graphs", () => Threads(path, Recording(device)));
        checks.Check("a limit of memory that suffices", () => Limited(path, device, 256L << 20));
        checks.Check("a limit of memory that does not suffice", () => TooLimited(path, device));
        checks.Check("the best device there is", () =>
        {
            using var scorer = OnnxScorer.Load(path, new OnnxScorerOptions { Device = Device.Auto });
            Require(
                device.Library is not null || scorer.Device.Kind == DeviceKind.Cuda, $"auto is {scorer.Device}: {scorer.DeviceReport}");
            return scorer.DeviceReport.ToString();
        });
    }

    /// <summary>The same device, recording its runs.</summary>
    public static Device Recording(Device device) => Device.Cuda(Options(device) with { Graph = true });

    private static CudaOptions Options(Device device) => new() { Index = device.Index, Library = device.Library };

    private static string Survey(Device device)
    {
        var survey = DeviceSurvey.Take();
        var found = survey.Devices.First(status => status.Device.Kind == device.Kind);

        // The survey looks in the usual places only.
        Require(found.IsAvailable || device.Library is not null, $"{found.Device} is not available: {string.Join("; ", found.Attempts)}");
        return $"ONNX Runtime {survey.RuntimeVersion}; {string.Join("; ", survey.Hardware)}; {found.Device}: {found.Memory}";
    }

    private static string Source(string path, Device device)
    {
        using var scorer = OnnxScorer.Load(path, new OnnxScorerOptions { Device = device });
        Require(scorer.Device.Kind == device.Kind, $"it is {scorer.Device}: {scorer.DeviceReport}");
        var attempts = scorer.DeviceReport.Attempts;
        return attempts.Count == 0 ? scorer.DeviceReport.ToString() : string.Join("; ", attempts);
    }

    private static string Memory(string path, Device device)
    {
        using var scorer = OnnxScorer.Load(path, new OnnxScorerOptions { Device = device });
        Require(scorer.Memory.Route == TensorRoute.Kept, scorer.Memory.ToString());
        Require(scorer.Memory.IsPinned, scorer.Memory.ToString());
        using var block = scorer.CreateBlock(Rows);
        Require(block.Input<float>(0).IsPinned, "a block's buffer is not pinned");
        return scorer.Memory.ToString();
    }

    private static string Kept(string path, Device device)
    {
        using var cpu = OnnxScorer.Load(path);
        using var scorer = OnnxScorer.Load(path, new OnnxScorerOptions { Device = device });
        using var run = scorer.CreateDeviceRun(Rows);
        var isOnDevice = run.Input(scorer.Inputs[0].Name).IsOnDevice;
        Require(isOnDevice == (device.Kind != DeviceKind.Cpu), $"the tensors are {(isOnDevice ? string.Empty : "not ")}on the device");
        var actual = new float[Rows * scorer.ResultLength];
        var seen = string.Empty;
        for (var i = 0; i < 5; i++)
        {
            var rows = Expectations.Numbers((long)Rows * scorer.RowLength, i);
            run.Upload(rows);
            run.Run();
            run.Download(actual);
            seen = RequireClose(cpu.ScoreBatch(rows), actual);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++) run.Run();
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Require(bytes == 0, $"20 runs allocated {bytes} bytes");
        return seen;
    }

    private static string Threads(string path, Device device)
    {
        using var cpu = OnnxScorer.Load(path);
        using var scorer = OnnxScorer.Load(path, new OnnxScorerOptions { Device = device });
        Parallel.For(0, 4, thread =>
        {
            for (var i = 0; i < 20; i++)
            {
                var rows = Expectations.Numbers((1 + (i % 3)) * (long)scorer.RowLength, (100 * thread) + i);
                RequireClose(cpu.ScoreBatch(rows), scorer.ScoreBatch(rows));
            }
        });
        return "4 threads, 20 calls each";
    }

    private static string Limited(string path, Device device, long bytes)
    {
        using var cpu = OnnxScorer.Load(path);
        var limited = Device.Cuda(Options(device) with { MemoryLimit = bytes });
        using var scorer = OnnxScorer.Load(path, new OnnxScorerOptions { Device = limited });
        var rows = Expectations.Numbers(Rows * (long)scorer.RowLength, 1);
        return RequireClose(cpu.ScoreBatch(rows), scorer.ScoreBatch(rows));
    }

    private static string TooLimited(string path, Device device)
    {
        try
        {
            Limited(path, device, 1 << 10);
        }
        catch (Exception exception) when (exception is DeviceNotAvailableException or ModelRunException)
        {
            return OneLine(exception);
        }

        throw new CheckFailedException("1 KiB was enough");
    }

    private static string Strict(string path)
    {
        try
        {
            using var scorer = OnnxScorer.Load(path, new OnnxScorerOptions { Device = Device.Cuda(NoSuchGpu) });
        }
        catch (DeviceNotAvailableException exception)
        {
            return OneLine(exception);
        }

        throw new CheckFailedException($"there is a GPU {NoSuchGpu}");
    }

    private static string FallsBack(string path)
    {
        using var scorer = OnnxScorer.Load(path, new OnnxScorerOptions { Device = Device.Cuda(NoSuchGpu).OrCpu() });
        Require(scorer.DeviceReport is { FellBack: true, IsSurprising: true }, scorer.DeviceReport.ToString());
        return scorer.DeviceReport.ToString();
    }

    // Not what Device.Cuda does; here to see what becomes of those who do.
    private static string ByName(string path)
    {
        try
        {
            var device = Device.Custom(options => options.AppendExecutionProvider("CUDA"));
            using var scorer = OnnxScorer.Load(path, new OnnxScorerOptions { Device = device });
            return "it is known by that name";
        }
        catch (DeviceNotAvailableException exception)
        {
            return OneLine(exception);
        }
    }

    private static string ByPolicy(string path)
    {
        var device = Device.Custom(options => options.SetEpSelectionPolicy(ExecutionProviderDevicePolicy.PREFER_GPU));
        var providers = NodePlacement.Of(path, device).Select(node => node.Provider).Distinct();
        return $"the nodes run on {string.Join(", ", providers)}";
    }

    private static string OneLine(Exception exception)
    {
        Require(!exception.Message.Contains('\n', StringComparison.Ordinal), $"more than one line: {exception.Message}");
        return exception.Message;
    }
}
