using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Cli;

/// <summary>
/// Ctrl+C, and what a container is stopped by: the process ends at once, whatever it does, since much of that (a run of ONNX Runtime, the
/// reading of a large table) looks at no token. Files that were being written are removed; the others are whole.
/// </summary>
internal static class Interruption
{
    // A full pipe takes no message; then there is none.
    private static readonly TimeSpan MessageTime = TimeSpan.FromMilliseconds(700);

    private static readonly List<PosixSignalRegistration> Watched = [];
    private static int _signals;

    /// <summary>How the user goes on, as a sentence.</summary>
    public static Func<string> GoOn { get; set; } = () => "nothing was written. The same command begins anew.";

    /// <summary>Where what was begun so that it can be seen is cleared away, as the line of a terminal that moves.</summary>
    public static Action Clear { get; set; } = () => { };

    /// <summary>Who hears of the exit code, behind the message.</summary>
    public static Action<int> Ended { get; set; } = _ => { };

    /// <summary>From now on the signals end the process with their exit codes.</summary>
    public static void Watch()
    {
        Watch(PosixSignal.SIGINT, ExitCode.Interrupted);
        Watch(PosixSignal.SIGTERM, ExitCode.Terminated);
    }

    /// <summary>Ends the process without asking threads in native code, which may not answer.</summary>
    public static void Exit(int code)
    {
        if (!OperatingSystem.IsWindows()) EndProcess(code);
        Environment.Exit(code);
    }

    private static void Watch(PosixSignal signal, int code) => Watched.Add(PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _signals) > 1) return;
        Leftovers.RemoveAllAndStop();
        var message = new Thread(() =>
        {
            Clear();
            Console.Error.WriteLine($"mlnetbn: stopped; {GoOn()}");
            Ended(code);
        });
        message.Start();
        message.Join(MessageTime);
        Exit(code);
    }));

    [DllImport("libc", EntryPoint = "_exit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern void EndProcess(int code);
}
