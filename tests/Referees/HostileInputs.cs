using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace MlNetBatchNorm.Tests.Referees;

/// <summary>
/// Gives something one made-up input after the other, most of them broken, and requires of each that it is read, or refused by an exception
/// that is documented. <c>MLNETBN_HOSTILE_INPUTS=500000</c> makes each such test a run of so many inputs, and <c>MLNETBN_HOSTILE_FIRST</c>
/// is the number of the first, to see one again or to go on behind an earlier run; <c>MLNETBN_HOSTILE_LOG</c> is a file that gets a line
/// for each test (scripts/longrun.sh).
/// </summary>
/// <param name="seed">What the inputs are made of: input number i is the same in each run.</param>
internal sealed class HostileInputs(int seed)
{
    // Long enough for the slowest machine under the heaviest load: it is endless work that is looked for.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    // What no input below a megabyte should take; how many take longer is counted, since that may be another program's doing.
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(2);

    // What allocation is held to, all of it, whatever is let go in between: small inputs may take what is always free (WorkBudget).
    private const long FreeBytes = 64L << 20;
    private const long BytesPerByte = 50;

    private static readonly byte[] Odd = [0, 1, 0x7F, 0x80, 0xFF, (byte)'\n', (byte)'"', (byte)'-', (byte)'9', 0x1B];

    /// <summary>Whether memory is bounded by the input. Default: true; ML.NET's own reader allocates what a damaged length says.</summary>
    public bool BoundsMemory { get; init; } = true;

    /// <summary>Runs the inputs.</summary>
    /// <param name="count">How many, where nothing else is asked for.</param>
    /// <param name="create">Makes an input.</param>
    /// <param name="read">Reads it.</param>
    /// <param name="isDocumented">Whether an exception is one that may come.</param>
    /// <param name="test">The test, for the log.</param>
    /// <returns>What happened, for the log.</returns>
    public string Run(
        int count,
        Func<Random, byte[]> create,
        Action<byte[]> read,
        Func<Exception, bool> isDocumented,
        [CallerMemberName] string test = "")
    {
        count = Number("MLNETBN_HOSTILE_INPUTS", count);
        var first = Number("MLNETBN_HOSTILE_FIRST", 0);
        var (refused, late, slowest, most, largest) = (0, 0, TimeSpan.Zero, 0L, 0);
        var others = 0;
        var failures = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = first; i < first + count; i++)
        {
            var input = create(new Random(HashCode.Of(seed, i)));
            var (watch, before) = (Stopwatch.StartNew(), GC.GetAllocatedBytesForCurrentThread());
            try
            {
                read(input);
            }
            catch (Exception exception) when (isDocumented(exception))
            {
                refused++;
                Assert.DoesNotContain("   at ", exception.Message, StringComparison.Ordinal);
            }
            catch (Exception exception)
            {
                others++;
                // One of each kind, so that one run shows them all.
                var place = exception.StackTrace?.Split('\n')
                    .FirstOrDefault(line => line.Contains("MlNetBatchNorm", StringComparison.Ordinal));
                failures.TryAdd($"{exception.GetType()}{place}", $"input {i} of seed {seed} ({input.Length} bytes): {exception}");
            }

            var (elapsed, allocated) = (watch.Elapsed, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.True(elapsed < Longest, $"Input {i} of seed {seed} ({input.Length} bytes) took {elapsed}.");
            Assert.True(
                !BoundsMemory || allocated < FreeBytes + (BytesPerByte * input.Length),
                $"Input {i} of seed {seed} ({input.Length} bytes) took {allocated:N0} bytes of memory.");
            if (elapsed > Long) late++;
            (slowest, most, largest) =
                (elapsed > slowest ? elapsed : slowest, Math.Max(most, allocated), Math.Max(largest, input.Length));
        }

        if (Environment.GetEnvironmentVariable("MLNETBN_HOSTILE_LOG") is { Length: > 0 } log)
        {
            File.AppendAllText(
                log,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{test}\t{first}\t{count}\t{refused}\t{others}\t{late}\t{slowest.TotalMilliseconds:0}\t{most}\t{largest}\n"));
        }

        Assert.True(failures.Count == 0, $"{failures.Count} kinds of undocumented exceptions:\n{string.Join("\n\n", failures.Values)}");
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{count:N0} inputs of at most {largest:N0} bytes, {refused:N0} refused as documented; the slowest took "
            + $"{slowest.TotalMilliseconds:N0} ms, the hungriest allocated {most:N0} bytes");
    }

    private static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>Bytes with some of them changed, moved, doubled or gone.</summary>
    public static byte[] Mutated(byte[] bytes, Random random)
    {
        var result = bytes.ToList();
        for (var change = random.Next(1, 6); change > 0 && result.Count > 0; change--)
        {
            var at = random.Next(result.Count);
            var length = Math.Min(random.Next(1, 1 << random.Next(1, 9)), result.Count - at);
            switch (random.Next(8))
            {
                case 0: result[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: result[at] = (byte)random.Next(256); break;
                case 2: result[at] = Odd[random.Next(Odd.Length)]; break;
                case 3: result.RemoveRange(at, length); break;
                case 4: result.InsertRange(at, result.GetRange(at, length)); break;
                case 5: result.InsertRange(random.Next(result.Count), result.GetRange(at, length)); break;
                case 6: result.InsertRange(at, Enumerable.Repeat(Odd[random.Next(Odd.Length)], random.Next(1, 12))); break;
                default:
                    if (random.Next(4) == 0) result.RemoveRange(at, result.Count - at);
                    break;
            }
        }

        return [.. result];
    }

    private static class HashCode
    {
        // Not System.HashCode, which is another in each process.
        public static int Of(int seed, int index) => unchecked((seed * 1_000_003) ^ (index * 2_654_435));
    }
}
