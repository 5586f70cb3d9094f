using FsCheck;
using FsCheck.Fluent;

namespace MlNetBatchNorm.Trainer.Tests.Gradients;

/// <summary>Property-based tests over small random shapes. The seed is fixed, so a failure comes back.</summary>
internal static class RandomShapes
{
    /// <summary>A case: rows 2 to 6, channels 1 to 4, 0 to 2 axes of positions with sizes 1 to 5.</summary>
    internal sealed record Case(int Rows, SampleShape Shape, int Seed);

    /// <summary>Checks a property on random cases.</summary>
    /// <param name="check">Throws where it does not hold.</param>
    /// <param name="minimumAxes">The fewest axes of positions.</param>
    /// <param name="maximumAxes">The most.</param>
    /// <param name="minimumSize">The smallest size of such an axis.</param>
    /// <param name="channelsMultiple">What the number of channels is a multiple of.</param>
    public static void ForAll(Action<Case> check, int minimumAxes = 0, int maximumAxes = 2, int minimumSize = 1, int channelsMultiple = 1)
    {
        var cases =
            from rows in Gen.Choose(2, 6)
            from channels in Gen.Choose(1, 4)
            from axes in Gen.Choose(minimumAxes, maximumAxes)
            from length in Gen.Choose(minimumSize, minimumSize + 4)
            from width in Gen.Choose(minimumSize, minimumSize + 3)
            from seed in Gen.Choose(0, 1_000_000)
            select new Case(rows, Shape(channels * channelsMultiple, axes, length, width), seed);
        var configuration = Config.QuickThrowOnFailure.WithMaxTest(12).WithReplay(2026, 1511).WithQuietOnSuccess(true);
        Prop.ForAll(cases.ToArbitrary(), check).Check(configuration);
    }

    private static SampleShape Shape(int channels, int axes, int length, int width) => axes switch
    {
        0 => new SampleShape(channels),
        1 => new SampleShape(channels, length),
        _ => new SampleShape(channels, length, width),
    };
}
