namespace MlNetBatchNorm.Onnx.Files;

/// <summary>
/// Files that appear whole or not at all, in the place that a link leads to, with the permissions and the owner of the file that they
/// replace. Pipes and devices are written to, never replaced.
/// </summary>
internal static class AtomicFile
{
    // Creating a file works on a full disk; these bytes do not.
    private const int TriedBytes = 4096;

    private static readonly AsyncLocal<FileLayer?> Chosen = new();

    /// <summary>What files are made by in this flow of control; the system's own where nothing else was set.</summary>
    public static FileLayer Layer
    {
        get => Chosen.Value ?? FileLayer.System;
        set => Chosen.Value = value;
    }

    /// <summary>Writes to a temporary file in the same folder, flushes it to disk, and renames it over <paramref name="path"/>.</summary>
    /// <param name="path">The file to create or replace; a pipe or device is written to as it is.</param>
    /// <param name="write">Writes the content; when it throws, nothing is left behind and an older file stays as it was.</param>
    /// <exception cref="IOException">It cannot be written; the message says why.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        var target = FileTarget.Of(path);
        if (!target.IsPlain)
        {
            using var through = target.Open();
            write(through);
            through.Flush();
            return;
        }

        Leftovers.ClearOnce(Path.GetDirectoryName(target.Path)!);
        WriteBeside(path, target, (stream, temporary) =>
        {
            write(Layer.Contents(stream));
            Layer.Flush(stream);
            target.GiveLooks(temporary);
            // Windows renames no open file; elsewhere it stays locked until it has its name, so that nobody takes it for a leftover.
            if (OperatingSystem.IsWindows()) stream.Dispose();
            Leftovers.Finish(temporary, () => Layer.Move(temporary, target.Path));
        });
    }

    /// <summary>As <see cref="Write"/>, for text (UTF-8, no byte order mark).</summary>
    public static void WriteText(string path, string content) =>
        Write(path, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true);
            writer.Write(content);
        });

    /// <summary>Where a path leads to, behind all links.</summary>
    public static string PlaceOf(string path) => FileTarget.Of(path).Path;

    /// <summary>Whether a path is, or will be, a file, and no pipe or device.</summary>
    public static bool IsPlain(string path) => FileTarget.Of(path).IsPlain;

    /// <summary>
    /// Called before the work, not after it: tries what <see cref="Write"/> will do, and clears what killed runs left in the folder.
    /// Pipes and devices are left alone: to open one is to use it.
    /// </summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="IOException">The file cannot be written; the message says why.</exception>
    public static void RequireWritable(string path)
    {
        var target = FileTarget.Of(path);
        if (!target.IsPlain) return;
        var folder = Path.GetDirectoryName(target.Path)!;
        if (Directory.Exists(target.Path)) throw new IOException($"'{path}' is a folder; give the name of a file.");
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no folder '{folder}' to write '{Path.GetFileName(path)}' to.");
        Leftovers.Clear(folder);
        WriteBeside(path, target, (stream, temporary) =>
        {
            Layer.Contents(stream).Write(new byte[TriedBytes]);
            Layer.Flush(stream);
            stream.Dispose();
            Leftovers.Remove(temporary);
        });
    }

    private static void WriteBeside(string path, FileTarget target, Action<FileStream, string> write)
    {
        var temporary = Leftovers.NameIn(Path.GetDirectoryName(target.Path)!);
        try
        {
            using var stream = Leftovers.Begin(temporary, () => Layer.Create(temporary, target.IsReplaced));
            write(stream, temporary);
        }
        catch (Exception exception)
        {
            Leftovers.Remove(temporary);
            if (exception is not (IOException or UnauthorizedAccessException)
                || !exception.Message.Contains(temporary, StringComparison.Ordinal)) throw;
            // The name that it was to have says more than the one that it had, and the system's words end in it.
            var reason = exception.Message.Split(" : '")[0].Replace(temporary, path, StringComparison.Ordinal);
            throw new IOException($"'{path}' cannot be written: {reason}", exception);
        }
    }
}

/// <summary>The steps in which a file comes to be: the system's own, and in tests ones that fail.</summary>
internal class FileLayer
{
    /// <summary>The steps of the system.</summary>
    public static FileLayer System { get; } = new();

    /// <summary>Makes a file and locks it, so that it is known to be in use.</summary>
    /// <param name="path">The file, which must not be there.</param>
    /// <param name="isPrivate">Whether nobody else may read it before it gets its permissions.</param>
    public virtual FileStream Create(string path, bool isPrivate)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
        if (isPrivate && !OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return new FileStream(path, options);
    }

    /// <summary>What its content is written to.</summary>
    public virtual Stream Contents(FileStream file) => file;

    /// <summary>Brings it to the disk.</summary>
    public virtual void Flush(FileStream file) => file.Flush(flushToDisk: true);

    /// <summary>Gives it its name.</summary>
    public virtual void Move(string from, string to) => File.Move(from, to, overwrite: true);
}
