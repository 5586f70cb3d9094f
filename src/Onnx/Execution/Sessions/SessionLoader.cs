using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Execution.Devices;

namespace MlNetBatchNorm.Onnx.Execution.Sessions;

/// <summary>Opens a model on the first device that takes it.</summary>
internal static class SessionLoader
{
    // Left alone, ONNX Runtime's threads spin for some 50 ms after a run, and take the cores from whoever is next. Known from version 1.26
    // on.
    private const string SpinMicroseconds = "1000";

    /// <param name="model">The model.</param>
    /// <param name="options">How it is to be run.</param>
    public static OnnxSession Load(StoredModel model, ExecutionOptions options)
    {
        NativeRuntime.Require();
        var name = options.Name ?? (model.Path is null ? "the model" : $"'{model.Path}'");
        IReadOnlyList<AvoidedFault> faults = [];
        if (!options.AllowKnownWrongFusions && options.Optimization != GraphOptimization.None && model.Outline() is { } outline)
        {
            faults = RuntimeFault.In(outline, NativeRuntime.Version);
            model = model.Centered(outline);
        }

        var search = new DeviceSearch(options.Device);
        OnnxRuntimeException? failure = null;
        foreach (var device in search.Candidates())
        {
            using var native = NewOptions(options, faults);
            if (!search.TryAppend(native, device)) continue;
            try
            {
                var session = Open(model, native, options);
                return new OnnxSession(session, name, search.Report(device)) { Avoided = faults, Operators = options.Operators };
            }
            catch (OnnxRuntimeException exception) when (device.Kind != DeviceKind.Cpu)
            {
                // The provider is there but its device does not answer (a driver that is too old, say), or it is the model that is at
                // fault.
                search.Refused(device, exception);
                failure = exception;
            }
            catch (OnnxRuntimeException exception)
            {
                throw Invalid(name, exception);
            }
        }

        if (failure is not null) RequireLoadsOnCpu(model, options, faults, name);
        throw search.Failure(failure);
    }

    private static InferenceSession Open(StoredModel model, SessionOptions native, ExecutionOptions options) =>
        options.Operators is { } operators ? operators.Introduce(() => model.Open(native)) : model.Open(native);

    // Tells a device that fails from a model that nothing can load.
    private static void RequireLoadsOnCpu(
        StoredModel model, ExecutionOptions options, IReadOnlyList<AvoidedFault> faults, string name)
    {
        using var native = NewOptions(options, faults);
        try
        {
            Open(model, native, options).Dispose();
        }
        catch (OnnxRuntimeException exception)
        {
            throw Invalid(name, exception);
        }
    }

    private static InvalidModelException Invalid(string name, OnnxRuntimeException exception) =>
        new($"ONNX Runtime cannot load {name}: {RuntimeMessage.OneLine(exception)}", exception);

    private static SessionOptions NewOptions(ExecutionOptions options, IReadOnlyList<AvoidedFault> faults)
    {
        var threads = options.Threads ?? 1;
        ArgumentOutOfRangeException.ThrowIfNegative(threads, nameof(options));
        var native = new SessionOptions
        {
            // Not ONNX Runtime's own 0: that pins its threads to cores, where they wait whenever anything else runs there, and sees no
            // container's limit.
            IntraOpNumThreads = threads == ExecutionOptions.AllCores ? Environment.ProcessorCount : threads,
            InterOpNumThreads = 1,
            EnableCpuMemArena = options.MemoryArena,
            GraphOptimizationLevel = options.Optimization switch
            {
                GraphOptimization.None => GraphOptimizationLevel.ORT_DISABLE_ALL,
                GraphOptimization.Basic => GraphOptimizationLevel.ORT_ENABLE_BASIC,
                GraphOptimization.Extended => GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
                GraphOptimization.All => GraphOptimizationLevel.ORT_ENABLE_ALL,
                _ => throw new ArgumentOutOfRangeException(nameof(options), options.Optimization, "Unknown optimization level."),
            },
            // Errors reach the caller as exceptions; without this ONNX Runtime also prints them to stderr.
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
        };
        options.Operators?.AddTo(native);
        if (options.ProfilePrefix is { } prefix)
        {
            native.ProfileOutputPathPrefix = prefix;
            native.EnableProfiling = true;
        }

        native.AddSessionConfigEntry("session.intra_op.allow_spinning", options.Spinning ? "1" : "0");
        native.AddSessionConfigEntry("session.intra_op.spin_duration_us", SpinMicroseconds);
        var off = options.DisabledOptimizers.Concat(faults.SelectMany(fault => fault.Fault.Optimizers)).Distinct(StringComparer.Ordinal);
        if (string.Join(';', off) is { Length: > 0 } names)
            native.AddSessionConfigEntry("optimization.disable_specified_optimizers", names);
        // Left alone, rows are rounded to 8 bits wherever weights are stored in fewer bits than they have.
        if (!options.AllowKnownWrongFusions) native.AddSessionConfigEntry("session.qdq_matmulnbits_accuracy_level", "0");
        return native;
    }
}
