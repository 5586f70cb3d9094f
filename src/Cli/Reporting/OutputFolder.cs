using System.Security.Cryptography;
using System.Text;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>The folder of <c>--out</c>: tried before the work, and written to by one run at a time.</summary>
internal static class OutputFolder
{
    /// <summary>
    /// Called before the work, not after it: tries whether results can be written there, and clears what killed runs left. The folder
    /// itself is made at the end: a training that fails leaves nothing behind.
    /// </summary>
    /// <param name="folder">The folder, which need not be there.</param>
    /// <param name="files">The names of the files that will be written.</param>
    /// <exception cref="IOException">Nothing can be written there; the message says why.</exception>
    public static void Require(string folder, params IReadOnlyList<string> files)
    {
        if (File.Exists(folder)) throw new IOException($"'{folder}' is a file; --out needs a folder, which is made if it is not there.");
        if (Directory.Exists(folder))
        {
            if (files.FirstOrDefault(file => Directory.Exists(Path.Combine(folder, file))) is { } taken)
                throw new IOException($"'{Path.Combine(folder, taken)}' is a folder, and a file of that name is to be written; remove it.");
            AtomicFile.RequireWritable(Path.Combine(folder, files[0]));
            return;
        }

        // The same in small: where the folder is to be, one can be made.
        var above = Path.GetDirectoryName(Path.GetFullPath(folder))!;
        while (!Path.Exists(above)) above = Path.GetDirectoryName(above)!;
        if (File.Exists(above)) throw new IOException($"'{folder}' cannot be made: '{above}' is a file.");
        try
        {
            using var tried = new ScratchFolder("out", above);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The folder '{folder}' cannot be made: nothing can be written to '{above}'.", exception);
        }
    }

    /// <summary>
    /// Writes results when no other run writes to the same folder, so that those of two runs are never mixed: the later one's stay.
    /// </summary>
    public static void WriteAlone(string folder, Action write)
    {
        using var place = Place(folder, "results");
        var isMine = place is null || Enter(place, TimeSpan.Zero);
        if (!isMine) Console.Error.WriteLine($"note: another run writes its results to '{folder}'; waiting for it.");
        if (!isMine) Enter(place!, Timeout.InfiniteTimeSpan);
        try
        {
            write();
        }
        finally
        {
            place?.ReleaseMutex();
        }
    }

    /// <summary>Runs a training that keeps its state in the folder, unless another one does so already.</summary>
    /// <exception cref="IOException">Another one does.</exception>
    public static void RunAlone(string folder, Action run)
    {
        using var place = Place(folder, "checkpoint");
        if (place is not null && !Enter(place, TimeSpan.Zero))
            throw new IOException(
                $"Another run keeps its state in '{folder}' at this time; wait for its end, or give this one another folder with --out.");
        try
        {
            run();
        }
        finally
        {
            place?.ReleaseMutex();
        }
    }

    // The system gives it back when a process ends, however it ends. Other machines that share the folder know nothing of it.
    private static Mutex? Place(string folder, string what)
    {
        var path = AtomicFile.PlaceOf(folder);
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{what}\n{path}")))[..32];
        try
        {
            return new Mutex(false, $@"Global\mlnetbn-{name}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or WaitHandleCannotBeOpenedException)
        {
            // Where there is no place for it, on a disk that nobody can write to, runs do without.
            return null;
        }
    }

    private static bool Enter(Mutex place, TimeSpan patience)
    {
        try
        {
            return place.WaitOne(patience);
        }
        catch (AbandonedMutexException)
        {
            return true;
        }
    }
}
