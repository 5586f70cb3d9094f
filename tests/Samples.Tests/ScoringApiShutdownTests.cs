using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace MlNetBatchNorm.Samples.Tests;

public sealed class ScoringApiShutdownTests
{
    [Fact]
    public async Task Stop_WithARequestOnTheWay_AnswersItFirst()
    {
        await using var service = await RunningService.StartAsync();
        const string Body = """{ "features": [1, 10, 100] }""";
        using var connection = new TcpClient();
        await connection.ConnectAsync(service.Address.Host, service.Address.Port);
        await using var stream = connection.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {Body.Length}\r\nExpect: "
                + "100-continue\r\nConnection: close\r\n\r\n"));
        // The service says this when it begins to read the body: from here on the request is on its way.
        var buffer = new byte[4096];
        var read = await stream.ReadAsync(buffer);
        Assert.StartsWith("HTTP/1.1 100", Encoding.ASCII.GetString(buffer, 0, read), StringComparison.Ordinal);

        var stopping = service.App.StopAsync();
        await Task.Delay(100);
        Assert.False(stopping.IsCompleted);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(Body));
        using var reader = new StreamReader(stream);
        var answer = await reader.ReadToEndAsync();
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Contains("\"sum\":[321]", answer, StringComparison.Ordinal);
        await stopping;
    }

    [UnixFact]
    public async Task Program_AskedToTerminate_EndsWell()
    {
        using var folder = new TemporaryFolder();
        WeightedSum.Write(folder.File("model.onnx"), factor: 1);
        using var process = SampleProgram.Start("ScoringApi", folder.Path, RunningService.Arguments(folder));
        try
        {
            string? address = null;
            while (address is null && await process.StandardOutput.ReadLineAsync() is { } line)
            {
                if (Regex.Match(line, @"Now listening on: (\S+)") is { Success: true } match) address = match.Groups[1].Value;
            }

            Assert.NotNull(address);
            using var client = new HttpClient { BaseAddress = new Uri(address) };
            Assert.Contains("Healthy", await client.GetStringAsync(new Uri("/health", UriKind.Relative)), StringComparison.Ordinal);
            using (var kill = Process.Start("kill", ["-TERM", $"{process.Id}"])) await kill.WaitForExitAsync();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            await process.WaitForExitAsync(patience.Token);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    [Fact]
    public async Task Program_WithoutAModel_SaysWhatIsMissing()
    {
        using var folder = new TemporaryFolder();
        using var process = SampleProgram.Start("ScoringApi", folder.Path, RunningService.Arguments(folder));
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.NotEqual(0, process.ExitCode);
        Assert.Contains($"ModelPath is '{folder.File("model.onnx")}', but there is no such file.", await error, StringComparison.Ordinal);
    }
}
