using System.Text.Json;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Cli;

/// <summary>Failures become one line on stderr and an exit code; never a stack trace.</summary>
internal static class Failure
{
    public static async Task<int> Guard(Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (ModelVerificationException exception)
        {
            return Report(exception.Message, ExitCode.VerificationFailed);
        }
        catch (UsageException exception)
        {
            return Report(exception.Message, ExitCode.Usage);
        }
        catch (OutOfMemoryException exception) when (exception is not InsufficientMemoryException)
        {
            return Report(
                $"there is not enough memory: the process may take {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20:N0} MiB, and more "
                + "was needed. Give it more, or fewer rows and columns, or a smaller --batch.",
                ExitCode.Failed);
        }
        catch (OtherRankException exception)
        {
            Ranks.Fail(exception.Message, ExitCode.Failed, isOfAnother: true);
            return ExitCode.Failed;
        }
        catch (Exception exception) when (IsExpected(exception))
        {
            return Report(Text(exception), ExitCode.Failed);
        }
        catch (Exception exception)
        {
            // A mistake of ours: the type helps whoever mends it, and the trace is there for who asks.
            if (Environment.GetEnvironmentVariable("MLNETBN_TRACE") is { Length: > 0 })
                await Console.Error.WriteLineAsync(exception.ToString());
            return Report(
                $"this should not have happened ({exception.GetType().Name}): {exception.Message} Set MLNETBN_TRACE=1 to see where.",
                ExitCode.Failed);
        }
    }

    /// <summary>
    /// What an exception says, on one line and without the names of parameters, which mean nothing outside of the source.
    /// </summary>
    public static string Text(Exception exception)
    {
        var text = exception.Message.ReplaceLineEndings(" ");
        var parameter = exception is ArgumentException { ParamName.Length: > 0 }
            ? text.IndexOf(" (Parameter '", StringComparison.Ordinal)
            : -1;
        return parameter < 0 ? text : text[..parameter];
    }

    private static int Report(string message, int code)
    {
        message = message.ReplaceLineEndings(" ");
        if (!Ranks.Fail(message, code, isOfAnother: false)) Console.Error.WriteLine($"mlnetbn: {message}");
        return code;
    }

    // What bad input, a full disk or a missing device look like.
    private static bool IsExpected(Exception exception) => exception
        is TableException or InvalidModelException or ModelRunException or DeviceNotAvailableException or NativeRuntimeException
        or TrainingDivergedException or InvalidDataException or FormatException or IOException or UnauthorizedAccessException
        or JsonException or NotSupportedException or ArgumentException or InsufficientMemoryException or DllNotFoundException;
}

/// <summary>An option cannot be what it was given, which was found out only beside the data.</summary>
internal sealed class UsageException(string message, Exception? innerException = null) : Exception(message, innerException);
