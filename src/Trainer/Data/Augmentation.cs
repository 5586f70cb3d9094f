namespace MlNetBatchNorm;

/// <summary>
/// Changes a row a little, differently each time it is dealt out for training, in a way that leaves its target true: the network sees more
/// rows than there are. Validation, testing and population statistics take the rows as they are.
/// </summary>
public abstract record Augmentation
{
    /// <summary>
    /// Moves each row by up to <paramref name="positions"/> positions along every axis, all channels together; what comes in at an edge
    /// repeats the edge. For rows <c>[C, L]</c> and <c>[C, H, W]</c>.
    /// </summary>
    /// <param name="positions">The farthest move in either direction, from 1. Default: 2.</param>
    /// <param name="mirror">
    /// Whether every other row, by chance, is mirrored along its last axis, too: left and right of an image change places. Not for what
    /// then is something else, as digits. Default: false.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer positions than 1.</exception>
    public static Augmentation Shift(int positions = 2, bool mirror = false) => new ShiftAugmentation(positions, mirror);

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

    /// <summary>Moves rows by whole positions, and may mirror them.</summary>
    private sealed record ShiftAugmentation : Augmentation
    {
        public ShiftAugmentation(int positions, bool mirror)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(positions, 1);
            (Positions, Mirror) = (positions, mirror);
        }

        public int Positions { get; }

        public bool Mirror { get; }

        public override void RequireFit(SampleShape shape)
        {
            if (shape.IsVector)
                throw new ArgumentException($"Rows are shifted along their positions, [C, L] or [C, H, W], but have shape {shape}.");
            if (shape.Sizes.Skip(1).Min() is var smallest && smallest <= Positions)
                throw new ArgumentException(
                    $"Rows of shape {shape} have an axis of {smallest}, too short to be shifted by {Positions} positions.");
        }

        public override void Apply(ReadOnlySpan<float> row, Span<float> result, SampleShape shape, Random random)
        {
            var width = (int)shape.Sizes[^1];
            var height = shape.Sizes.Count == 3 ? (int)shape.Sizes[1] : 1;
            var down = height > 1 ? random.Next(-Positions, Positions + 1) : 0;
            var across = random.Next(-Positions, Positions + 1);
            var mirrored = Mirror && random.Next(2) == 0;
            for (var channel = 0; channel < shape.Channels; channel++)
            {
                var offset = channel * height * width;
                for (var y = 0; y < height; y++)
                {
                    var line = row.Slice(offset + (Math.Clamp(y - down, 0, height - 1) * width), width);
                    var moved = result.Slice(offset + (y * width), width);
                    for (var x = 0; x < width; x++) moved[x] = line[Math.Clamp(x - across, 0, width - 1)];
                    if (mirrored) moved.Reverse();
                }
            }
        }
    }
}
