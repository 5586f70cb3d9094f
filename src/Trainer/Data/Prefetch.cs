using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace MlNetBatchNorm.Trainer.Data;

/// <summary>
/// Asks the processor for memory that will be read soon: what is read in an order drawn by chance would be waited for one by one. Where
/// the processor cannot be asked, nothing is done.
/// </summary>
internal static class Prefetch
{
    /// <summary>So many rows further on, memory has come when it is their turn.</summary>
    public const int Rows = 8;

    /// <summary>The line of the cache that a value is in.</summary>
    public static unsafe void LineOf<T>(ref readonly T value)
    {
        if (Sse.IsSupported) Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.AsRef(in value)));
    }
}
