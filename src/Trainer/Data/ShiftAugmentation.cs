namespace MlNetBatchNorm.Trainer;

/// <summary>Moves rows by whole positions.</summary>
internal sealed record ShiftAugmentation : Augmentation
{
    public ShiftAugmentation(int positions)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(positions, 1);
        Positions = positions;
    }

    public int Positions { get; }

    public override void RequireFit(SampleShape shape)
    {
        if (shape.IsVector) throw new ArgumentException($"Rows are shifted along their positions, [C, L] or [C, H, W], but have shape {shape}.");
        if (shape.Sizes.Skip(1).Min() is var smallest && smallest <= Positions)
            throw new ArgumentException($"Rows of shape {shape} have an axis of {smallest}, too short to be shifted by {Positions} positions.");
    }

    public override void Apply(ReadOnlySpan<float> row, Span<float> result, SampleShape shape, Random random)
    {
        var width = (int)shape.Sizes[^1];
        var height = shape.Sizes.Count == 3 ? (int)shape.Sizes[1] : 1;
        var down = height > 1 ? random.Next(-Positions, Positions + 1) : 0;
        var across = random.Next(-Positions, Positions + 1);
        for (var channel = 0; channel < shape.Channels; channel++)
        {
            var offset = channel * height * width;
            for (var y = 0; y < height; y++)
            {
                var line = row.Slice(offset + (Math.Clamp(y - down, 0, height - 1) * width), width);
                var moved = result.Slice(offset + (y * width), width);
                for (var x = 0; x < width; x++) moved[x] = line[Math.Clamp(x - across, 0, width - 1)];
            }
        }
    }
}
