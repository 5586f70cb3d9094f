using System.Text.RegularExpressions;
using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>ONNX Runtime's error messages on one line, without source locations and stack traces of its own.</summary>
internal static partial class RuntimeMessage
{
    public static string OneLine(OnnxRuntimeException exception) => OneLine(exception.Message);

    public static string OneLine(string message)
    {
        var text = StackTrace().Split(message, 2)[0];
        text = SourceLocation().Replace(text, " ");
        return WhiteSpace().Replace(text, " ").Trim();
    }

    [GeneratedRegex(@"\s*Stacktrace:", RegexOptions.IgnoreCase)]
    private static partial Regex StackTrace();

    // ".../core/providers/cpu/x.cc:123 Type& onnxruntime::Function(args) [ONNXRuntimeError] : 1 : FAIL : " as it puts in front of its
    // words.
    [GeneratedRegex(@"\S*\.(cc|h|hpp|cpp):\d+ ([\w:<>&*]+ ){0,3}(\S+::)?[\w~<>]+\([^)]*\)( const)?( \[.*?\])?\s*(: \d+ : [A-Z_]+ : )?")]
    private static partial Regex SourceLocation();

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();
}
