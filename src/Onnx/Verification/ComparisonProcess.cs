using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Onnx;

/// <summary>
/// A process in which models are compared in ONNX Runtime, so that a model that makes it crash, hang or take all memory costs an answer and
/// not the process that asks. Any process that runs <c>mlnetbn compare-models REQUEST.json</c> will do.
/// </summary>
public sealed record ComparisonProcess
{
    private const string NoDevice = "noDevice";
    private const string Failed = "failed";

    /// <summary>The program: the path of the tool <c>mlnetbn</c>, or of <c>dotnet</c>.</summary>
    public required string FileName { get; init; }

    /// <summary>
    /// What comes before the tool's own arguments, as the path of <c>mlnetbn.dll</c> for <c>dotnet</c>. Default: nothing.
    /// </summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The longest that a comparison may take. Default: ten minutes.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The most memory that the process may take, in bytes. Default: nine tenths of what this process may take.</summary>
    public long MemoryLimit { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 10 * 9;

    /// <summary>Answers a request, in the process that was started for it.</summary>
    /// <param name="requestPath">The request.</param>
    /// <returns>The answer, for stdout.</returns>
    internal static string Answer(string requestPath)
    {
        var request = JsonNode.Parse(File.ReadAllText(requestPath))!.AsObject();
        var inputs = request["inputs"]?.GetValue<string>() is { } folder
            ? InputFiles.Read(folder, [.. request["names"]!.AsArray().Select(name => name!.GetValue<string>())])
            : null;
        try
        {
            return ServedComparison.Of(
                Model("reference"), Model("candidate"), inputs, Device.Parse(Text("device")), request["tolerance"]!.GetValue<double>())
                .ToJson().ToJsonString();
        }
        catch (Exception exception) when (exception is DeviceNotAvailableException or ModelRunException)
        {
            return new JsonObject { [exception is ModelRunException ? Failed : NoDevice] = exception.Message }.ToJsonString();
        }

        string Text(string name) => request[name]!.GetValue<string>();

        ComparedFile Model(string name) => new(Text(name), Text($"{name}Name"));
    }

    /// <summary>Compares in a process of its own; see <see cref="ServedComparison.Of"/>.</summary>
    internal ServedComparison Compare(
        ComparedFile reference,
        ComparedFile candidate,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs,
        Device device,
        double tolerance,
        CancellationToken cancellationToken = default)
    {
        using var folder = new ScratchFolder("compare");
        var request = new JsonObject
        {
            ["reference"] = Path.GetFullPath(reference.Path),
            ["referenceName"] = reference.Name,
            ["candidate"] = Path.GetFullPath(candidate.Path),
            ["candidateName"] = candidate.Name,
            ["device"] = device.ToString(),
            ["tolerance"] = tolerance,
        };
        if (inputs is not null)
        {
            request["inputs"] = Write(inputs, Directory.CreateDirectory(folder.File("inputs")));
            request["names"] = new JsonArray([.. inputs[0].Keys.Select(name => JsonValue.Create(name))]);
        }

        var path = folder.File("request.json");
        File.WriteAllText(path, request.ToJsonString());
        return Run(path, reference.Name, cancellationToken);
    }

    // A set a folder, as in ONNX's test data.
    private static string Write(IReadOnlyList<IReadOnlyDictionary<string, HostTensor>> inputs, DirectoryInfo sets)
    {
        for (var set = 0; set < inputs.Count; set++)
        {
            // In the order of their names, which is that of texts.
            var data = sets.CreateSubdirectory(set.ToString("D9", CultureInfo.InvariantCulture));
            foreach (var (index, (name, tensor)) in inputs[set].Index())
            {
                using var file = File.Create(Path.Combine(data.FullName, $"input_{index}.pb"));
                TensorData.FromArray(name, tensor.Type, tensor.Data, tensor.Shape).WriteTo(file);
            }
        }

        return sets.FullName;
    }

    private ServedComparison Run(string request, string model, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(FileName)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
        };
        foreach (var argument in Arguments) start.ArgumentList.Add(argument);
        start.ArgumentList.Add("compare-models");
        start.ArgumentList.Add(request);
        using var process = Start(start);
        try
        {
            // Stdin stays open as long as this process lives: its end is how the other knows.
            var (output, error) = (process.StandardOutput.ReadToEndAsync(cancellation), process.StandardError.ReadToEndAsync(cancellation));
            var watch = Stopwatch.StartNew();
            while (!process.WaitForExit(50))
            {
                cancellation.ThrowIfCancellationRequested();
                process.Refresh();
                if (watch.Elapsed > TimeLimit)
                    return Stopped(process, string.Create(
                        CultureInfo.InvariantCulture, $"ONNX Runtime was not done with {model} after {TimeLimit.TotalSeconds} seconds"));
                if (!process.HasExited && Memory(process) > MemoryLimit)
                    return Stopped(process, string.Create(
                        CultureInfo.InvariantCulture, $"ONNX Runtime took more than {MemoryLimit >> 20:N0} MiB of memory for {model}"));
            }

            process.WaitForExit();
            if (process.ExitCode != 0 || Answered(output.Result) is not { } answer)
                return new ServedComparison { WhyNot = Crash(process.ExitCode, model, error.Result) };
            if (answer[NoDevice]?.GetValue<string>() is { } device) throw new DeviceNotAvailableException(device);
            if (answer[Failed]?.GetValue<string>() is { } failure) throw new ModelRunException(failure);
            return ServedComparison.From(answer);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception exception)
        {
            throw new IOException(
                $"'{start.FileName}', in which models are to be compared, cannot be started: {exception.Message}", exception);
        }
    }

    private static long Memory(Process process)
    {
        try
        {
            return process.WorkingSet64;
        }
        catch (InvalidOperationException)
        {
            // It has ended in this moment.
            return 0;
        }
    }

    private static ServedComparison Stopped(Process process, string why)
    {
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
        return new ServedComparison { WhyNot = $"{why} and was stopped" };
    }

    private static JsonObject? Answered(string output)
    {
        try
        {
            return JsonNode.Parse(output) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // What the tool itself says on its way out counts; of what a crash prints, nothing does.
    private static string Crash(int exitCode, string model, string error)
    {
        const string own = "mlnetbn: ";
        var said = error.Split('\n').FirstOrDefault(line => line.StartsWith(own, StringComparison.Ordinal));
        return said is not null && exitCode is > 0 and < 64
            ? said[own.Length..].TrimEnd('.', '\r')
            : $"ONNX Runtime crashed while it ran {model} (exit code {exitCode})";
    }
}
