using System.CommandLine;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Commands;

var root = new RootCommand("Train batch-normalised networks, fold them into plain ONNX, and score tables with them.")
{
    DemoCommand.Create(),
    TrainCommand.Create(),
    ScoreCommand.Create(),
    FoldCommand.Create(),
    FoldCommand.CreateComparison(),
    InspectCommand.Create(),
    DevicesCommand.Create(),
    ReproduceCommand.Create(),
};
var result = root.Parse(args);

// Wrong usage is 2, so that a script can tell it from work that failed (1).
if (result.Errors.Count > 0)
{
    foreach (var error in result.Errors) Console.Error.WriteLine($"mlnetbn: {error.Message.ReplaceLineEndings(" ").Replace('\t', ' ')}");
    Console.Error.WriteLine("mlnetbn: see --help");
    return ExitCode.Usage;
}

using var interrupt = new CancellationTokenSource();
Console.CancelKeyPress += (_, press) =>
{
    press.Cancel = true;
    interrupt.Cancel();
};

// What a container is stopped by counts as Ctrl+C.
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
{
    signal.Cancel = true;
    interrupt.Cancel();
});
return await Failure.Guard(
    () => result.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false }, interrupt.Token));
