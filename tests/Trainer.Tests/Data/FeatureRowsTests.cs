using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Trainer.Tests.Data;

/// <summary>Judged by the same rows as one array.</summary>
public class FeatureRowsTests
{
    private const int Width = 10;

    // Small blocks, so that a few rows are several of them.
    private const int BlockValues = 70;

    [Theory]
    [InlineData(0.05, true)]
    [InlineData(0.05, false)]
    [InlineData(0.9, true)]
    [InlineData(0.9, false)]
    public void Build_RowsOfAnyDensityGivenInAnyForm_AreTheRows(double share, bool givenSparse)
    {
        var (rows, expected) = Rows(50, share, givenSparse);

        Assert.Equal(share < 0.5, rows.IsSparse);
        Assert.Equal(50, rows.Count);
        Assert.Equal(expected, rows.ToArray());
        var scratch = new float[Width];
        for (var row = 0; row < 50; row++) Assert.Equal(expected.AsSpan(row * Width, Width), rows.Read(row, scratch));
    }

    [Theory]
    [InlineData(0.05)]
    [InlineData(0.9)]
    public void SelectAndMap_SomeRows_GiveWhatTheArrayWouldGive(double share)
    {
        var (rows, all) = Rows(50, share, givenSparse: true);
        int[] order = [.. Enumerable.Range(0, 50).Reverse().Where(row => row % 3 > 0)];

        var selected = rows.Select(order).Select([5, 4, 0, 20]);
        var mapped = selected.Map((slot, value) => value + slot);

        int[] chosen = [order[5], order[4], order[0], order[20]];
        float[] expected = [.. chosen.SelectMany(row => all[(row * Width)..((row + 1) * Width)])];
        Assert.Equal(expected, selected.ToArray());
        Assert.Equal(expected.Select((value, i) => value + (i % Width)), mapped.ToArray());
        Assert.Equal(rows.IsSparse, mapped.IsSparse);

        Assert.Equal(
            expected.Select((value, i) => value + (i % Width)).Where((_, i) => i % Width is 1 or 2 or 9), mapped.Keep([1, 2, 9]).ToArray());

        // What was mapped can be mapped and selected again, where it has no value of its own, too.
        Assert.Equal(
            expected[Width..].Select((value, i) => 2 * (value + (i % Width))),
            mapped.Map((_, value) => 2 * value).Select([1, 2, 3]).ToArray());
    }

    [Theory]
    [InlineData(0.05)]
    [InlineData(0.9)]
    public void CopyTo_AMiniBatch_AllocatesNothing(double share)
    {
        var (rows, expected) = Rows(50, share, givenSparse: true);
        var batch = new float[20 * Width];
        rows.CopyTo(7, 20, batch);

        var before = GC.GetAllocatedBytesForCurrentThread();
        rows.CopyTo(7, 20, batch);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(expected[(7 * Width)..(27 * Width)], batch);
    }

    [Fact]
    public void Build_LessThanAQuarterOfABlock_IsKeptWhole()
    {
        var rows = new FeatureRows.Builder(Width);
        for (var row = 0; row < 50; row++) rows.Add([1], [row % Width], isDense: false);

        Assert.False(rows.Build().IsSparse);
    }

    [Fact]
    public void Build_MoreThanAnArrayCanHold_TakesTheMemoryOfWhatIsNotZero()
    {
        const int Slots = 1 << 20;
        var before = GC.GetAllocatedBytesForCurrentThread();
        var builder = new FeatureRows.Builder(Slots, 4000);
        for (var row = 0; row < 4000; row++) builder.Add([1, 2], [row, Slots - 1], isDense: false);
        var rows = builder.Build();

        Assert.True(rows.IsSparse);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
        var last = rows.Read(3999, new float[Slots]);
        Assert.Equal((1f, 2f, 0f), (last[3999], last[^1], last[0]));
        Assert.Contains("4,000 rows of 1,048,576", Assert.Throws<InvalidOperationException>(rows.ToArray).Message);
    }

    [Fact]
    public void Add_MoreThanTheMemory_SaysSoAfterTheFirstBlock()
    {
        var builder = new FeatureRows.Builder(Width, 1_000_000, availableBytes: 70_000_000, BlockValues);
        var added = 0;

        var exception = Assert.Throws<InsufficientMemoryException>(() =>
        {
            for (; added < 1_000_000; added++) builder.Add([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [], isDense: true);
        });

        Assert.InRange(added, 0, 10);
        Assert.StartsWith(
            "1,000,000 rows × 10 features need 0.1 GB of memory (once as they are, once standardized), but there are 0.1 GB.",
            exception.Message,
            StringComparison.Ordinal);
    }

    private static (FeatureRows Rows, float[] Expected) Rows(int count, double share, bool givenSparse)
    {
        var random = new Random(2);
        var expected = new float[count * Width];
        for (var i = 0; i < expected.Length; i++)
            if (random.NextDouble() < share) expected[i] = random.NextSingle() - 0.5f;
        var builder = new FeatureRows.Builder(Width, givenSparse ? null : count, blockValues: BlockValues);
        for (var row = 0; row < count; row++)
        {
            var values = expected.AsSpan(row * Width, Width);
            int[] slots = [.. Enumerable.Range(0, Width).Where(slot => expected[(row * Width) + slot] != 0)];
            if (givenSparse) builder.Add([.. slots.Select(slot => expected[(row * Width) + slot])], slots, isDense: false);
            else builder.Add(values, [], isDense: true);
        }

        return (builder.Build(), expected);
    }
}
