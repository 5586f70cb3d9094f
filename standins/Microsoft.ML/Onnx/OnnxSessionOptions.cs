using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Transforms.Onnx;

public sealed class OnnxOptions
{
    public string ModelFile;

    public string[] InputColumns;

    public string[] OutputColumns;

    public int? GpuDeviceId;

    public bool FallbackToCpu;

    public IDictionary<string, int[]> ShapeDictionary;

    public int RecursionLimit = 100;

    public int? InterOpNumThreads;

    public int? IntraOpNumThreads;

    public OnnxOptions()
    {
    }
}

/// <summary>The session options that a stand-in for ML.NET heeds.</summary>
public sealed class OnnxSessionOptions
{
    public delegate SessionOptions CreateOnnxSessionOptions();

    public OnnxSessionOptions()
    {
    }

    public CreateOnnxSessionOptions CreateSessionOptions { get; set; }

    public bool EnableCpuMemArena { get; set; } = true;

    public bool EnableMemoryPattern { get; set; } = true;

    public int IntraOpNumThreads { get; set; }

    public int InterOpNumThreads { get; set; }

    public GraphOptimizationLevel GraphOptimizationLevel { get; set; } = GraphOptimizationLevel.ORT_ENABLE_ALL;

    public ExecutionMode ExecutionMode { get; set; } = ExecutionMode.ORT_SEQUENTIAL;

    internal void CopyTo(SessionOptions options, OnnxOptions given)
    {
        options.EnableCpuMemArena = EnableCpuMemArena;
        options.EnableMemoryPattern = EnableMemoryPattern;
        options.InterOpNumThreads = given.InterOpNumThreads ?? InterOpNumThreads;
        options.IntraOpNumThreads = given.IntraOpNumThreads ?? IntraOpNumThreads;
        options.GraphOptimizationLevel = GraphOptimizationLevel;
        options.ExecutionMode = ExecutionMode;
    }
}

public static class OnnxSessionOptionsExtensions
{
    private const string OptionName = "OnnxSessionOptions";

    public static OnnxSessionOptions GetOnnxSessionOption(this IHostEnvironment env) => ContextOf(env).GetOptionOrDefault<OnnxSessionOptions>(OptionName);

    public static void SetOnnxSessionOption(this IHostEnvironment env, OnnxSessionOptions onnxSessionOptions)
        => ContextOf(env).SetOption(OptionName, onnxSessionOptions);

    private static MLContext ContextOf(IHostEnvironment env) => env as MLContext ?? throw new ArgumentException("No Onnx Session Options", nameof(env));
}
