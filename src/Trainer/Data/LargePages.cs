using System.Runtime.InteropServices;

namespace MlNetBatchNorm.Trainer.Data;

/// <summary>
/// Memory in pages as large as the system has them: what is read in an order drawn by chance is looked up page by page, and of few pages
/// all are known. Where Linux leaves that to who asks (<c>/sys/kernel/mm/transparent_hugepage/enabled</c> is <c>madvise</c>), it is asked;
/// elsewhere nothing is done.
/// </summary>
internal static partial class LargePages
{
    private const int Size = 1 << 21;
    private const int Advice = 14;

    /// <summary>A copy of values, in large pages where they fill some.</summary>
    public static float[] Copy(ReadOnlySpan<float> values)
    {
        if (sizeof(float) * (long)values.Length < 2 * Size || !OperatingSystem.IsLinux()) return values.ToArray();

        // Before anything is written, since a page is as large as it was when it was first written to; and where it stays.
        var copy = GC.AllocateUninitializedArray<float>(values.Length, pinned: true);
        Ask(copy);
        values.CopyTo(copy);
        return copy;
    }

    private static void Ask(float[] array)
    {
        var start = Marshal.UnsafeAddrOfPinnedArrayElement(array, 0);
        var first = (start + Size - 1) / Size * Size;
        var end = (start + (nint)(sizeof(float) * (long)array.Length)) / Size * Size;
        try
        {
            // An answer of no is one, too.
            if (end > first) _ = Advise(first, (nuint)(end - first), Advice);
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            // A C library that has another name: then in small ones.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint start, nuint length, int advice);
}
