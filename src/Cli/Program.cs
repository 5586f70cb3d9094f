using System.CommandLine;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Commands;

// Only the command that is called is made, with its options; all of them where none is, for --help.
(string Name, Func<Command> Create)[] commands =
[
    ("demo", DemoCommand.Create), ("train", TrainCommand.Create), ("score", ScoreCommand.Create), ("fold", FoldCommand.Create),
    ("compare-models", FoldCommand.CreateComparison), ("inspect", InspectCommand.Create), ("devices", DevicesCommand.Create),
    ("reproduce", ReproduceCommand.Create),
];
var called = commands.Where(command => args is [var first, ..] && first == command.Name).ToArray();
var root = new RootCommand("Train batch-normalised networks, fold them into plain ONNX, and score tables with them.");
foreach (var command in called.Length > 0 ? called : commands) root.Add(command.Create());
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
