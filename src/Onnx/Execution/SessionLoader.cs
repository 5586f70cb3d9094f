using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Execution.Devices;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>Opens a model on the first device that takes it.</summary>
internal static class SessionLoader
{
    // Left alone, ONNX Runtime's threads spin for some 50 ms after a run, and take the cores from whoever is next. Known from version 1.26 on.
    private const string SpinMicroseconds = "1000";

    /// <param name="open">Opens the model with options.</param>
    /// <param name="settings">How it is to be run.</param>
    /// <param name="what">What to call it where the settings give it no name.</param>
    public static OnnxSession Load(Func<SessionOptions, InferenceSession> open, SessionSettings settings, string what)
    {
        var name = settings.Name ?? what;
        var search = new DeviceSearch(settings.Device);
        OnnxRuntimeException? failure = null;
        foreach (var device in search.Candidates())
        {
            using var options = NewOptions(settings);
            if (!search.TryAppend(options, device)) continue;
            try
            {
                return new OnnxSession(open(options), name, search.Report(device));
            }
            catch (OnnxRuntimeException exception) when (device.Kind != DeviceKind.Cpu)
            {
                // The provider is there but its device does not answer (a driver that is too old, say), or it is the model that is at fault.
                search.Refused(device, exception);
                failure = exception;
            }
            catch (OnnxRuntimeException exception)
            {
                throw Invalid(name, exception);
            }
        }

        if (failure is not null) RequireLoadsOnCpu(open, settings, name);
        throw search.Failure(failure);
    }

    // Tells a device that fails from a model that nothing can load.
    private static void RequireLoadsOnCpu(Func<SessionOptions, InferenceSession> open, SessionSettings settings, string name)
    {
        using var options = NewOptions(settings);
        try
        {
            open(options).Dispose();
        }
        catch (OnnxRuntimeException exception)
        {
            throw Invalid(name, exception);
        }
    }

    private static InvalidModelException Invalid(string name, OnnxRuntimeException exception) =>
        new($"ONNX Runtime cannot load {name}: {RuntimeMessage.OneLine(exception)}", exception);

    private static SessionOptions NewOptions(SessionSettings settings)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(settings.Threads, nameof(settings));
        var options = new SessionOptions
        {
            // Not ONNX Runtime's own 0: that pins its threads to cores, where they wait whenever anything else runs there, and sees no container's limit.
            IntraOpNumThreads = settings.Threads == 0 ? Environment.ProcessorCount : settings.Threads,
            InterOpNumThreads = 1,
            EnableCpuMemArena = settings.MemoryArena,
            GraphOptimizationLevel = settings.Optimization switch
            {
                GraphOptimization.None => GraphOptimizationLevel.ORT_DISABLE_ALL,
                GraphOptimization.Basic => GraphOptimizationLevel.ORT_ENABLE_BASIC,
                GraphOptimization.Extended => GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
                GraphOptimization.All => GraphOptimizationLevel.ORT_ENABLE_ALL,
                _ => throw new ArgumentOutOfRangeException(nameof(settings), settings.Optimization, "Unknown optimization level."),
            },
            // Errors reach the caller as exceptions; without this ONNX Runtime also prints them to stderr.
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
        };
        if (settings.ProfilePrefix is { } prefix)
        {
            options.ProfileOutputPathPrefix = prefix;
            options.EnableProfiling = true;
        }

        options.AddSessionConfigEntry("session.intra_op.allow_spinning", settings.Spinning ? "1" : "0");
        options.AddSessionConfigEntry("session.intra_op.spin_duration_us", SpinMicroseconds);
        return options;
    }
}
