namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Changes a row a little, differently each time it is dealt out for training, in a way that leaves its target true: the network sees more rows
/// than there are. Validation, testing and population statistics take the rows as they are.
/// </summary>
public abstract record Augmentation
{
    /// <summary>
    /// Moves each row by up to <paramref name="positions"/> positions along every axis, all channels together; what comes in at an edge
    /// repeats the edge. For rows <c>[C, L]</c> and <c>[C, H, W]</c>.
    /// </summary>
    /// <param name="positions">The farthest move in either direction, from 1. Default: 2.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 1.</exception>
    public static Augmentation Shift(int positions = 2) => new ShiftAugmentation(positions);

    /// <summary>Checks that rows can be changed this way.</summary>
    /// <param name="shape">The shape of a row.</param>
    /// <exception cref="ArgumentException">They cannot; the message says what is expected.</exception>
    public virtual void RequireFit(SampleShape shape)
    {
    }

    /// <summary>Changes a row.</summary>
    /// <param name="row">The row as it is in the data; standardized, where training standardizes.</param>
    /// <param name="result">Where the changed row goes; as long.</param>
    /// <param name="shape">The shape of the row.</param>
    /// <param name="random">The source of chance; it follows from the seed of the training.</param>
    public abstract void Apply(ReadOnlySpan<float> row, Span<float> result, SampleShape shape, Random random);
}
