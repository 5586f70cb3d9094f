using FsCheck;
using FsCheck.Fluent;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Trainer.Tests.Data;

public sealed class StratifiedSampleTests
{
    // Hamilton's method: each class the whole rows of its share, those left over to the largest remainders; but one row of each is kept.
    [Theory]
    [InlineData(new[] { 90, 10 }, 0.2, new[] { 18, 2 })]
    [InlineData(new[] { 61, 26, 13 }, 0.2, new[] { 12, 5, 3 })]
    [InlineData(new[] { 5174, 1869 }, 0.2, new[] { 1035, 374 })]
    [InlineData(new[] { 20, 5, 1 }, 0.2, new[] { 4, 1, 0 })]
    [InlineData(new[] { 1, 1, 1 }, 0.5, new[] { 0, 0, 0 })]
    [InlineData(new[] { 100 }, 0.1, new[] { 10 })]
    [InlineData(new[] { 2, 2, 2, 2 }, 0.5, new[] { 1, 1, 1, 1 })]
    public void Draw_Classes_AreInBothPartsByTheirShare(int[] sizes, double share, int[] expected)
    {
        int[] classes = [.. sizes.SelectMany((size, number) => Enumerable.Repeat(number, size))];

        var (kept, drawn) = StratifiedSample.Draw(classes, share, new Random(1));

        Assert.Equal(expected, sizes.Select((_, number) => drawn.Count(row => classes[row] == number)));
        Assert.Equal(Enumerable.Range(0, classes.Length), kept.Concat(drawn).Order());
    }

    [Fact]
    public void Draw_AnyClasses_LeavesSomeOfEachAndDrawsTheShareOfAll()
    {
        var classes = Gen.Choose(0, 6).NonEmptyListOf().Select(list => list.ToArray());
        var share = Gen.Choose(0, 99).Select(percent => percent / 100.0);

        Prop.ForAll(classes.ToArbitrary(), share.ToArbitrary(), (of, fraction) =>
        {
            var (kept, drawn) = StratifiedSample.Draw(of, fraction, new Random(2));
            var most = of.Length - of.Distinct().Count();
            return kept.Concat(drawn).Order().SequenceEqual(Enumerable.Range(0, of.Length))
                && of.Distinct().All(number => kept.Any(row => of[row] == number))
                && drawn.Length == Math.Min(most, (int)Math.Round(of.Length * fraction));
        }).Check(Config.QuickThrowOnFailure.WithReplay(20261127, 1));
    }

    [Fact]
    public void Draw_SameSeed_DrawsTheSame()
    {
        int[] classes = [.. Enumerable.Range(0, 200).Select(row => row % 3)];

        Assert.Equal(StratifiedSample.Draw(classes, 0.3, new Random(7)).Drawn, StratifiedSample.Draw(classes, 0.3, new Random(7)).Drawn);
        Assert.NotEqual(StratifiedSample.Draw(classes, 0.3, new Random(7)).Drawn, StratifiedSample.Draw(classes, 0.3, new Random(8)).Drawn);
    }
}
