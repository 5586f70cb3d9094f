using System.Collections.Concurrent;

namespace MlNetBatchNorm.Onnx.Files;

/// <summary>
/// Temporary files and folders: how they are called, which of them are in use, and what becomes of those whose process was killed. Each is
/// locked as long as it is in use; the system takes the lock off when a process ends, however it ends, so what can be locked is left over.
/// </summary>
internal static class Leftovers
{
    /// <summary>What the names of all temporary files and folders begin with.</summary>
    public const string Prefix = "mlnetbn-";

    private const string Suffix = ".tmp";

    // Between being made and being locked lies a moment in which a file, empty as yet, looks like a leftover.
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(2);

    private static readonly object Gate = new();
    private static readonly HashSet<string> InUse = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<string, bool> Cleared = new(StringComparer.Ordinal);

    /// <summary>A name for a temporary file.</summary>
    public static string NameIn(string folder) => Path.Combine(folder, $"{Prefix}{Guid.NewGuid():N}{Suffix}");

    /// <summary>Makes a temporary file, or a folder, which <see cref="RemoveAllAndStop"/> removes at the end of the process.</summary>
    public static FileStream Begin(string path, Func<FileStream> create)
    {
        lock (Gate)
        {
            InUse.Add(path);
            return create();
        }
    }

    /// <summary>Gives a temporary file its name.</summary>
    public static void Finish(string path, Action move)
    {
        lock (Gate)
        {
            move();
            InUse.Remove(path);
        }
    }

    /// <summary>
    /// Removes a temporary file or folder, if it is there. That it cannot be removed is no failure: a later run will.
    /// </summary>
    public static void Remove(string path)
    {
        lock (Gate)
        {
            Delete(path);
            InUse.Remove(path);
        }
    }

    /// <summary>Removes the temporary files and folders of killed runs from a folder.</summary>
    public static void Clear(string folder)
    {
        Cleared.TryAdd(folder, true);
        foreach (var path in Found(() => Directory.GetFileSystemEntries(folder, $"{Prefix}*")))
        {
            var locked = new FileInfo(Directory.Exists(path) ? Path.Combine(path, ScratchFolder.LockName) : path);
            if (!locked.Exists || (locked.FullName == path && path.Length != NameIn(folder).Length)) continue;
            if (locked.Length == 0 && DateTime.UtcNow - locked.LastWriteTimeUtc < Moment) continue;
            Try(() =>
            {
                using (Lock(locked.FullName, FileMode.Open))
                {
                }

                Delete(path);
            });
        }
    }

    /// <summary>The same, once, for a folder that is written to again and again.</summary>
    public static void ClearOnce(string folder)
    {
        if (Cleared.TryAdd(folder, true)) Clear(folder);
    }

    /// <summary>Opens a file that nobody else has open.</summary>
    public static FileStream Lock(string path, FileMode mode) =>
        new(path, mode, FileAccess.ReadWrite, FileShare.None, bufferSize: 1);

    /// <summary>
    /// Removes all temporary files and folders of this process, and lets nobody begin or finish another one: for the end of the process.
    /// </summary>
    public static void RemoveAllAndStop()
    {
        // Whoever holds it is stuck in the file system.
        if (!Monitor.TryEnter(Gate, Moment / 10)) return;
        foreach (var path in InUse) Delete(path);
    }

    private static string[] Found(Func<string[]> look)
    {
        try
        {
            return look();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static void Delete(string path) => Try(() =>
    {
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
        else File.Delete(path);
    });

    private static void Try(Action work)
    {
        try
        {
            work();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
        }
    }
}

/// <summary>A folder for temporary files; disposing removes it, and those of killed runs go when the next is made.</summary>
internal sealed class ScratchFolder : IDisposable
{
    /// <summary>The file in it that is locked as long as it is in use.</summary>
    public const string LockName = "mlnetbn.lock";

    private readonly FileStream _lock;

    /// <summary>Makes it.</summary>
    /// <param name="purpose">What its name is to tell, as <c>compare</c>.</param>
    /// <param name="among">The folder to make it in; null (the default) = the system's for temporary files.</param>
    public ScratchFolder(string purpose, string? among = null)
    {
        Leftovers.ClearOnce(among ?? System.IO.Path.GetTempPath());
        Path = among is null
            ? Directory.CreateTempSubdirectory($"{Leftovers.Prefix}{purpose}-").FullName
            : Directory.CreateDirectory(System.IO.Path.Combine(among, $"{Leftovers.Prefix}{purpose}-{Guid.NewGuid():N}")).FullName;
        _lock = Leftovers.Begin(Path, () =>
        {
            var locked = Leftovers.Lock(File(LockName), FileMode.CreateNew);
            locked.WriteByte((byte)'\n');
            locked.Flush();
            return locked;
        });
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>
    /// Makes one in which this process has all of its temporary files from now on, those that other libraries make, too; null where there
    /// is no place for it.
    /// </summary>
    public static ScratchFolder? ForProcess()
    {
        try
        {
            var folder = new ScratchFolder("run");
            foreach (var name in OperatingSystem.IsWindows() ? new[] { "TMP", "TEMP" } : ["TMPDIR"])
                Environment.SetEnvironmentVariable(name, folder.Path);
            return folder;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The path of a file in it.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <inheritdoc/>
    public void Dispose()
    {
        _lock.Dispose();
        Leftovers.Remove(Path);
    }
}
