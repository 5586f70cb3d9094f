using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MlNetBatchNorm.Onnx.Files;

/// <summary>What stands, or will stand, in a path: links are followed, and pipes, devices and open descriptors are known as such.</summary>
internal sealed partial class FileTarget
{
    // As Linux.
    private const int MostLinks = 40;

    private const ushort KindMask = 0xF000;
    private const ushort PlainKind = 0x8000;
    private const ushort FolderKind = 0x4000;

    // Whoever reads may start after us.
    private static readonly TimeSpan ReaderTime = TimeSpan.FromSeconds(10);

    private readonly Status? _old;
    private readonly int? _descriptor;

    private FileTarget(string path, Status? old, bool isPlain, int? descriptor) =>
        (Path, _old, IsPlain, _descriptor) = (path, old, isPlain, descriptor);

    /// <summary>The place itself, behind all links.</summary>
    public string Path { get; }

    /// <summary>Whether a plain file (or nothing yet, or a folder) is there, which can be replaced.</summary>
    public bool IsPlain { get; }

    /// <summary>Whether a file is there already.</summary>
    public bool IsReplaced => _old is not null;

    /// <exception cref="IOException">Links lead around in a circle.</exception>
    public static FileTarget Of(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var full = System.IO.Path.GetFullPath(path);
        if (OperatingSystem.IsWindows())
        {
            // NUL, CON, \\.\pipe\name: .NET writes all of them so. Of a link the last target.
            var isDevice = full.StartsWith(@"\\.\", StringComparison.Ordinal);
            var place = isDevice ? full : new FileInfo(full).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? full;
            return new FileTarget(place, null, !isDevice, null);
        }

        full = BehindLinks(full, path);
        if (Descriptor(full) is { } descriptor) return new FileTarget(full, null, false, descriptor);
        var old = Status.Of(full);
        var isPlain = old is { } known ? (known.Mode & KindMask) is PlainKind or FolderKind
            : !(full.StartsWith("/dev/", StringComparison.Ordinal) && File.Exists(full));
        return new FileTarget(full, old, isPlain, null);
    }

    /// <summary>Opens a pipe, device or descriptor to be written to.</summary>
    public Stream Open() => _descriptor switch
    {
        // By these all writing goes on where it has come to, whatever they lead to.
        1 => Console.OpenStandardOutput(),
        2 => Console.OpenStandardError(),
        { } other => new FileStream(new SafeFileHandle(other, ownsHandle: false), FileAccess.Write),
        null => OpenForReader(),
    };

    /// <summary>Gives a file the permissions of the one that is replaced, and its owner and group where the system lets us.</summary>
    public void GiveLooks(string file)
    {
        if (OperatingSystem.IsWindows() || _old is not { } old || Status.Of(file) is not { } made) return;
        var mode = (UnixFileMode)(old.Mode & 0xFFF);
        if ((made.User, made.Group) != (old.User, old.Group)
            && Change(file, old.User, old.Group) != 0 && Change(file, uint.MaxValue, old.Group) != 0)
        {
            // What its group was allowed, another group is not, unless everybody is.
            mode &= ~(UnixFileMode)((int)UnixFileMode.GroupRead | (int)UnixFileMode.GroupWrite | (int)UnixFileMode.GroupExecute)
                | (UnixFileMode)(((int)mode & 7) << 3);
        }

        File.SetUnixFileMode(file, mode);
    }

    // A pipe opens when somebody reads it.
    private FileStream OpenForReader()
    {
        var opening = Task.Factory.StartNew(
            () => new FileStream(Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (Task.WhenAny(opening, Task.Delay(ReaderTime)).GetAwaiter().GetResult() != opening)
            throw new IOException($"Nobody has read the pipe '{Path}' for {ReaderTime.TotalSeconds} seconds; start its reader first.");
        return opening.GetAwaiter().GetResult();
    }

    // Each part of the path by itself: what ".." means depends on where a link before it leads.
    private static string BehindLinks(string full, string given)
    {
        var left = new Stack<string>(Enumerable.Reverse(full.Split('/', StringSplitOptions.RemoveEmptyEntries)));
        var (place, links) = (string.Empty, 0);
        while (left.TryPop(out var part))
        {
            if (part is ".") continue;
            if (part is "..")
            {
                place = place[..Math.Max(0, place.LastIndexOf('/'))];
                continue;
            }

            var next = $"{place}/{part}";
            if (Descriptor(next) is not null || OfOtherProcess(next) || new FileInfo(next).LinkTarget is not { } target)
            {
                place = next;
                continue;
            }

            if (++links > MostLinks) throw new IOException($"'{given}' is a link that leads nowhere: more than {MostLinks} links in turn.");
            if (target.StartsWith('/')) place = string.Empty;
            foreach (var step in Enumerable.Reverse(target.Split('/', StringSplitOptions.RemoveEmptyEntries))) left.Push(step);
        }

        return place.Length == 0 ? "/" : place;
    }

    // What /dev/stdout and /dev/fd/N lead to.
    private static int? Descriptor(string path)
    {
        var parts = path.Split('/');
        return parts is ["", "proc", var process, .., "fd", var number] && parts.Length is 5 or 7
            && (process == "self" || process == Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
            && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var descriptor) ? descriptor : null;
    }

    // Those are no links that could be followed by their text.
    private static bool OfOtherProcess(string path) =>
        path.Split('/') is ["", "proc", var process, .., "fd", _] && int.TryParse(process, CultureInfo.InvariantCulture, out _);

    [LibraryImport("libc", EntryPoint = "chown", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Change(string path, uint user, uint group);

    /// <summary>What the system knows of a file: of what kind it is, and whose. On Linux only; elsewhere nothing is known.</summary>
    private readonly partial record struct Status(ushort Mode, uint User, uint Group)
    {
        private const int CurrentFolder = -100;
        private const uint KindModeAndOwner = 0x1B;

        public static Status? Of(string path)
        {
            if (!OperatingSystem.IsLinux()) return null;
            try
            {
                return Ask(CurrentFolder, path, 0, KindModeAndOwner, out var answer) == 0
                    ? new Status(answer.Mode, answer.User, answer.Group)
                    : null;
            }
            catch (EntryPointNotFoundException)
            {
                // A C library from before 2018.
                return null;
            }
        }

        [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
        private static partial int Ask(int folder, string path, int flags, uint wanted, out Answer answer);

        [StructLayout(LayoutKind.Explicit, Size = 256)]
        private struct Answer
        {
            [FieldOffset(20)]
            public uint User;

            [FieldOffset(24)]
            public uint Group;

            [FieldOffset(28)]
            public ushort Mode;
        }
    }
}
