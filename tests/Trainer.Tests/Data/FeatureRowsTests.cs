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
    [InlineData(0.05, false)]
    [InlineData(0.9, false)]
    [InlineData(0.9, true)]
    public void SelectAndStandardize_SomeRows_GiveWhatTheArrayWouldGive(double share, bool isInFile)
    {
        var (rows, all) = Rows(50, share, givenSparse: true, isInFile);
        int[] order = [.. Enumerable.Range(0, 50).Reverse().Where(row => row % 3 > 0)];

        var selected = rows.Select(order).Select([5, 4, 0, 20]);
        var standardized = selected.Standardize(Shift());

        int[] chosen = [order[5], order[4], order[0], order[20]];
        float[] expected = [.. chosen.SelectMany(row => all[(row * Width)..((row + 1) * Width)])];
        float[] shifted = [.. expected.Select((value, i) => 2 * (Math.Clamp(3 * value, -1, 1) - (i % Width)))];
        Assert.Equal(expected, selected.ToArray());
        Assert.Equal(shifted, standardized.ToArray());
        Assert.Equal(shifted, standardized.Arranged().ToArray());
        Assert.Equal(rows.IsSparse, standardized.IsSparse);
        Assert.Equal(isInFile, standardized.File is not null);

        // What was standardized can be selected again, where it has no value of its own, too.
        Assert.Equal(shifted[Width..], standardized.Select([1, 2, 3]).ToArray());
        if (rows.IsSparse)
            Assert.Equal(shifted.Where((_, i) => i % Width is 1 or 2 or 9), standardized.Keep([1, 2, 9]).ToArray());
    }

    [Theory]
    [InlineData(0.05, false)]
    [InlineData(0.9, false)]
    [InlineData(0.9, true)]
    public void Visit_SomeRows_EachOnceAsItWasGivenInTheOrderOfTheTable(double share, bool isInFile)
    {
        var (rows, all) = Rows(50, share, givenSparse: true, isInFile);
        var (visited, sum) = (0, new double[Width]);

        rows.Select([30, 2, 49, 3]).Standardize(Shift()).Visit((row, values, slots) =>
        {
            Assert.Equal(visited++, row);
            for (var i = 0; i < values.Length; i++) sum[slots.IsEmpty ? i : slots[i]] += (row + 1) * values[i];
        });

        Assert.Equal(4, visited);
        for (var slot = 0; slot < Width; slot++)
            Assert.Equal((1.0 * At(2, slot)) + (2.0 * At(3, slot)) + (3.0 * At(30, slot)) + (4.0 * At(49, slot)), sum[slot], 6);

        float At(int row, int slot) => all[(row * Width) + slot];
    }

    [Theory]
    [InlineData(400)]
    [InlineData(4_000)]
    [InlineData(1 << 20)]
    public void Deal_RowsOfAFile_AreThoseInMemoryInTheSameOrder(long budget)
    {
        var (inMemory, _) = Rows(777, 0.9, givenSparse: false);
        var (inFile, _) = Rows(777, 0.9, givenSparse: false, isInFile: true, budget);
        int[] part = [.. Enumerable.Range(0, 777).Where(row => row % 5 > 0)];
        var random = new Random(3);
        random.Shuffle(part);
        using var one = new RowDealer(inMemory.Select(part).Standardize(Shift()));
        using var other = new RowDealer(inFile.Select(part).Standardize(Shift()));
        int[] order = [.. Enumerable.Range(0, part.Length)];
        var (expected, given) = (new float[Width], new float[Width]);

        for (var epoch = 0; epoch < 3; epoch++)
        {
            random.Shuffle(order);
            one.Restart(order);
            other.Restart(order);

            // An epoch need not be dealt out to its end.
            for (var row = 0; row < order.Length - (200 * epoch); row++) Assert.Equal(one.Next(expected), other.Next(given));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData((1 << 20) + 3)]
    [InlineData((3 << 20) + 1)]
    public void Copy_InLargePagesOrNot_IsWhatWasGiven(int length)
    {
        var values = Enumerable.Range(0, length).Select(i => i * 0.5f).ToArray();

        var copy = LargePages.Copy(values);

        Assert.True(length == 0 || !ReferenceEquals(values, copy));
        Assert.Equal(values, copy);
    }

    [Fact]
    public void Deal_RowsOfOneWindow_AllocatesNothing()
    {
        var (rows, _) = Rows(777, 0.9, givenSparse: false, isInFile: true, budget: 1 << 14);
        using var dealer = new RowDealer(rows);
        dealer.Restart([.. Enumerable.Range(0, 777).Reverse()]);
        var row = new float[Width];
        dealer.Next(row);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++) dealer.Next(row);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Arranged_AFewOfManyRowsOfAFile_AreThoseInTheirOrder()
    {
        var (rows, expected) = Rows(3000, 0.9, givenSparse: false, isInFile: true);

        var few = rows.Select([2999, 0, 1500]).Arranged();

        Assert.Equal(3L * Width * sizeof(float), few.File!.Length);
        Assert.Equal([.. Row(2999), .. Row(0), .. Row(1500)], few.ToArray());

        float[] Row(int row) => expected[(row * Width)..((row + 1) * Width)];
    }

    [Fact]
    public void Build_MoreThanTheBudget_LeavesNothingBehind()
    {
        string[] before = Directory.GetFiles(Path.GetTempPath(), "mlnetbn-*.tmp");
        var (rows, expected) = Rows(200, 0.9, givenSparse: false, isInFile: true);

        if (!OperatingSystem.IsWindows())
            Assert.DoesNotContain(Directory.GetFiles(Path.GetTempPath(), "mlnetbn-*.tmp").Except(before), Ours);
        Assert.Equal(expected.Length * sizeof(float), rows.File!.Length);
        Assert.Equal(expected, rows.ToArray());
        rows.File.Dispose();
        Assert.DoesNotContain(Directory.GetFiles(Path.GetTempPath(), "mlnetbn-*.tmp").Except(before), Ours);

        // Tests beside this one have files of other sizes.
        bool Ours(string path) => new FileInfo(path) is { Exists: true } file && file.Length == expected.Length * sizeof(float);
    }

    [Fact]
    public void Build_MoreThanTheDisk_SaysSoAtTheFirstBlock()
    {
        var builder = new FeatureRows.Builder(Width, int.MaxValue * 1_000_000L, blockValues: BlockValues, budget: 1000);

        var exception = Assert.Throws<InsufficientMemoryException>(() =>
        {
            for (var row = 0; row < 100; row++) builder.Add([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [], isDense: true);
        });

        Assert.StartsWith("2,147,483,647,000,000 rows × 10 features need 85899345.9 GB", exception.Message, StringComparison.Ordinal);
        Assert.Contains(Path.GetTempPath(), exception.Message, StringComparison.Ordinal);
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
        var builder = new FeatureRows.Builder(100, 1_000_000, availableBytes: 7_000_000, 700);
        var added = 0;

        var exception = Assert.Throws<InsufficientMemoryException>(() =>
        {
            for (; added < 1_000_000; added++) builder.Add([1], [7], isDense: false);
        });

        Assert.InRange(added, 0, 10);
        Assert.StartsWith(
            "1,000,000 rows × 100 features need 0.0 GB of memory, zeros not counted, but there are 0.0 GB.",
            exception.Message,
            StringComparison.Ordinal);
    }

    // Twice (three times the value, between -1 and 1, less its slot).
    private static ChannelMap Shift() => new(
        1,
        [.. Enumerable.Repeat(3f, Width)],
        [.. Enumerable.Repeat(-1f, Width)],
        [.. Enumerable.Repeat(1f, Width)],
        [.. Enumerable.Range(0, Width).Select(slot => (float)slot)],
        [.. Enumerable.Repeat(2f, Width)]);

    private static (FeatureRows Rows, float[] Expected) Rows(
        int count, double share, bool givenSparse, bool isInFile = false, long budget = 1000)
    {
        var random = new Random(2);
        var expected = new float[count * Width];
        for (var i = 0; i < expected.Length; i++)
            if (random.NextDouble() < share) expected[i] = random.NextSingle() - 0.5f;
        var builder = new FeatureRows.Builder(
            Width, givenSparse ? null : isInFile ? 1 << 20 : count, blockValues: BlockValues, budget: isInFile ? budget : 1 << 20);
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
