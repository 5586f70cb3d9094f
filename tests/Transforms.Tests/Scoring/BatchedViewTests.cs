using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests.Scoring;

/// <summary>What a view must keep to while it reads ahead and scores in batches. The model adds up a row's features.</summary>
public sealed class BatchedViewTests
{
    private const int Width = 5;

    private readonly MLContext _ml = new(seed: 1);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(17)]
    [InlineData(1024)]
    [InlineData(5003)]
    public void Cursor_AnyNumberOfRows_GivesEachRowItsScoreIdAndBatch(int rows)
    {
        using var model = Model();
        var scored = model.Transform(new RecordingView(rows, Width));
        using var cursor = scored.GetRowCursor(scored.Schema);
        Assert.Equal(rows, Check(cursor).Count);
        Assert.Equal(rows, scored.GetRowCount());
    }

    [Fact]
    public void Cursor_Ended_StaysEndedAndHasNoValues()
    {
        using var model = Model();
        var scored = model.Transform(new RecordingView(3, Width));
        using var cursor = scored.GetRowCursor(scored.Schema);
        var getSum = cursor.GetGetter<float>(scored.Schema["sum"]);
        var sum = 0f;
        Assert.Throws<InvalidOperationException>(() => getSum(ref sum));
        Assert.Equal(3, Check(cursor).Count);
        Assert.False(cursor.MoveNext());
        Assert.Equal(-1, cursor.Position);
        Assert.Throws<InvalidOperationException>(() => getSum(ref sum));
    }

    [Fact]
    public void Cursor_NoScoreAskedFor_RunsNothingAndReadsNoFeatures()
    {
        var model = Model();
        var view = new RecordingView(100, Width);
        var scored = model.Transform(view);

        // A released model cannot run.
        model.Dispose();
        Assert.Equal(Enumerable.Range(0, 100).Select(row => (long)row), scored.GetColumn<long>("Number"));
        Assert.Equal(["Number"], view.Asked);
        Assert.Throws<ObjectDisposedException>(() => scored.GetColumn<float>("sum").First());
    }

    [Fact]
    public void Cursor_Score_ReadsOnlyTheColumnsThatItNeeds()
    {
        using var model = Model();
        var view = new RecordingView(100, Width);
        Assert.Equal(100, model.Transform(view).GetColumn<float>("sum").Count());
        Assert.Equal(["Features"], view.Asked);
    }

    [Fact]
    public void Cursor_StoppedEarly_HasReadFewRowsMore()
    {
        using var model = Model();
        var view = new RecordingView(100_000, Width);
        Assert.Equal(3, model.Transform(view).GetColumn<float>("sum").Take(3).Count());
        Assert.InRange(view.Read, 3, 16);
    }

    [Fact]
    public void Transform_Alone_ReadsNoRow()
    {
        using var model = Model();
        var view = new RecordingView(10, Width);
        _ = model.Transform(view).Schema;
        Assert.Equal(0, view.Read);
    }

    [Fact]
    public void Cursor_LargeRows_ReadsOnlyAFewAhead()
    {
        // 1.6 MB a row, in and out: a thousand of them would be 1.6 GB.
        const int Large = 200_000;
        using var model = Model(Large);
        var view = new RecordingView(30, Large);
        var scored = model.Transform(view);
        using var cursor = scored.GetRowCursor([scored.Schema["sum"]]);
        var ahead = 0;
        for (var row = 1; cursor.MoveNext(); row++) ahead = Math.Max(ahead, view.Read - row);
        Assert.InRange(ahead, 1, 8);
    }

    [Fact]
    public void Cursor_Shuffled_KeepsRowsTogether()
    {
        using var model = Model();
        var scored = model.Transform(new RecordingView(3000, Width));
        Assert.True(scored.CanShuffle);
        using var cursor = scored.GetRowCursor(scored.Schema, new Random(3));
        var numbers = Check(cursor);
        Assert.NotEqual(numbers.Order(), numbers);
        Assert.Equal(Enumerable.Range(0, 3000).Select(row => (long)row), numbers.Order());
    }

    [Fact]
    public void GetRowCursorSet_ThreeCursorsInTurn_GiveEveryRowOnce()
    {
        using var model = Model();
        var scored = model.Transform(new RecordingView(4000, Width));
        var cursors = scored.GetRowCursorSet(scored.Schema, 3);
        Assert.Equal(3, cursors.Length);
        var threads = cursors.Select(cursor => Task.Run(() => Check(cursor))).ToArray();
        Assert.Equal(Enumerable.Range(0, 4000).Select(row => (long)row), threads.SelectMany(thread => thread.Result).Order());
        foreach (var cursor in cursors) cursor.Dispose();
    }

    [Fact]
    public void Cursors_TwoAtOnceAtDifferentPlaces_DoNotDisturbEachOther()
    {
        using var model = Model();
        var scored = model.Transform(new RecordingView(2500, Width));
        using var first = scored.GetRowCursor(scored.Schema);
        using var second = scored.GetRowCursor(scored.Schema);
        for (var i = 0; i < 1500; i++) Assert.True(first.MoveNext());
        var getFirst = first.GetGetter<float>(scored.Schema["sum"]);
        Assert.Equal(2500, Check(second).Count);
        var sum = 0f;
        getFirst(ref sum);
        Assert.Equal(Sum(1499), sum, 1e-5f);
    }

    [Fact]
    public void Cursor_ThousandsOfRows_AllocatesNothingForARow()
    {
        using var model = Model();
        var scored = model.Transform(new RecordingView(12_000, Width));
        using var cursor = scored.GetRowCursor(scored.Schema.Where(column => column.Name != "Unneeded"));
        var getNumber = cursor.GetGetter<long>(scored.Schema["Number"]);
        var getFeatures = cursor.GetGetter<VBuffer<float>>(scored.Schema["Features"]);
        var getSum = cursor.GetGetter<float>(scored.Schema["sum"]);
        var getTwice = cursor.GetGetter<VBuffer<float>>(scored.Schema["twice"]);
        var getId = cursor.GetIdGetter();
        var (number, sum, id) = (0L, 0f, default(DataViewRowId));
        VBuffer<float> features = default, twice = default;

        // The first batches make their buffers.
        Read(4096);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Read(7000);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 7000);

        void Read(int rows)
        {
            for (var i = 0; i < rows; i++)
            {
                Assert.True(cursor.MoveNext());
                getNumber(ref number);
                getFeatures(ref features);
                getSum(ref sum);
                getTwice(ref twice);
                getId(ref id);
            }
        }
    }

    [Fact]
    public void Row_ScoredOneByOne_GivesTheSameAndAllocatesNothing()
    {
        using var model = Model();
        var view = new RecordingView(3000, Width);
        var mapper = ((ITransformer)model).GetRowToRowMapper(view.Schema);
        var sumColumn = mapper.OutputSchema["sum"];
        Assert.Equal(["Features"], mapper.GetDependencies([sumColumn]).Select(column => column.Name));
        using var cursor = view.GetRowCursor(mapper.GetDependencies([sumColumn]));
        var row = mapper.GetRow(cursor, [sumColumn]);
        var getSum = row.GetGetter<float>(sumColumn);
        var sum = 0f;
        for (var i = 0; i < 1000; i++)
        {
            Assert.True(cursor.MoveNext());
            getSum(ref sum);
            Assert.Equal(Sum(i), sum, 1e-5f);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        while (cursor.MoveNext()) getSum(ref sum);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2000);
        Assert.Throws<InvalidOperationException>(() => row.GetGetter<VBuffer<float>>(mapper.OutputSchema["twice"]));
    }

    private BatchedOnnxTransformer Model(int width = Width) => _ml.Transforms
        .ApplyOnnxModelBatched(
            new MemoryStream(OnnxModels.SumAndTwice(width)),
            new BatchedOnnxOptions { Inputs = new Dictionary<string, string> { ["x"] = "Features" } })
        .Fit(new RecordingView(0, width));

    private static float Sum(long row) => row % 3 == 0
        ? RecordingView.Feature(row, 0)
        : Enumerable.Range(0, Width).Sum(slot => RecordingView.Feature(row, slot));

    // Compares everything that a cursor gives with what the row's number says, and returns the numbers.
    private static List<long> Check(DataViewRowCursor cursor)
    {
        var getNumber = cursor.GetGetter<long>(cursor.Schema["Number"]);
        var getSum = cursor.GetGetter<float>(cursor.Schema["sum"]);
        var getTwice = cursor.GetGetter<VBuffer<float>>(cursor.Schema["twice"]);
        var getFeatures = cursor.GetGetter<VBuffer<float>>(cursor.Schema["Features"]);
        var getId = cursor.GetIdGetter();
        List<long> numbers = [];
        VBuffer<float> twice = default, features = default;
        while (cursor.MoveNext())
        {
            var (number, sum, id) = (0L, 0f, default(DataViewRowId));
            getNumber(ref number);
            getSum(ref sum);
            getTwice(ref twice);
            getFeatures(ref features);
            getId(ref id);
            Assert.Equal(Sum(number), sum, 1e-5f);
            Assert.Equal(features.DenseValues().Select(value => 2 * value), twice.DenseValues());
            Assert.Equal(new DataViewRowId((ulong)number, 7), id);
            Assert.Equal(number, cursor.Batch);
            Assert.Equal(numbers.Count, cursor.Position);
            numbers.Add(number);
        }

        return numbers;
    }
}
