using System.CommandLine;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Commands;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Onnx.Files;

Interruption.Watch();
Ranks.Silence();
var help = Console.Out;
TerminalText.CleanConsole();

// Only the command that is called is made, with its options; all of them where none is, for --help.
(string Name, Func<Command> Create)[] commands =
[
    ("demo", DemoCommand.Create), ("train", TrainCommand.Create), ("tune", TuneCommand.Create), ("score", ScoreCommand.Create),
    ("fold", FoldCommand.Create), ("compare-models", FoldCommand.CreateComparison), ("inspect", InspectCommand.Create),
    ("devices", DevicesCommand.Create), ("reproduce", ReproduceCommand.Create),
];
var called = commands.Where(command => args is [var first, ..] && first == command.Name).ToArray();
var root = new RootCommand("Train batch-normalised networks, fold them into plain ONNX, and score tables with them.");
foreach (var command in called.Length > 0 ? called : commands) root.Add(command.Create());
CommonOptions.AddTo(root);
var result = root.Parse(args);
ProgressDisplay.Use(CommonOptions.FormOf(result), CommonOptions.NameOf(result));

// Wrong usage is 2, so that a script can tell it from work that failed (1).
if (result.Errors.Count > 0)
{
    foreach (var error in result.Errors) Console.Error.WriteLine($"mlnetbn: {error.Message}");
    Console.Error.WriteLine("mlnetbn: see --help");
    ProgressDisplay.Current.Done(ExitCode.Usage);
    return ExitCode.Usage;
}

using var temporary = ScratchFolder.ForProcess();

// Signals are ours (Interruption), and so are failures.
var code = await Failure.Guard(() => result.InvokeAsync(
    new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = help }));
ProgressDisplay.Current.Done(code);
return code;
