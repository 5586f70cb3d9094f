using System.Numerics;
using System.Runtime.InteropServices;

namespace MlNetBatchNorm.Trainer.Data;

/// <summary>
/// How each value of a row is standardized: <c>(clamp(x · unit, lowest, highest) − mean) · scale</c>, in float32, by its slot.
/// </summary>
internal sealed class ChannelMap
{
    private readonly float[] _unit, _lowest, _highest, _mean, _scale;

    /// <param name="positions">How many slots in a row each channel has.</param>
    /// <param name="unit">For each channel, what its values are multiplied with first.</param>
    /// <param name="lowest">The least that they may be then.</param>
    /// <param name="highest">The most.</param>
    /// <param name="mean">What is taken off.</param>
    /// <param name="scale">What they are multiplied with in the end.</param>
    public ChannelMap(int positions, float[] unit, float[] lowest, float[] highest, float[] mean, float[] scale)
    {
        (_unit, _lowest, _highest) = (Slots(unit), Slots(lowest), Slots(highest));
        (_mean, _scale) = (Slots(mean), Slots(scale));

        float[] Slots(float[] channels)
        {
            if (positions == 1) return channels;
            var slots = new float[channels.Length * positions];
            for (var slot = 0; slot < slots.Length; slot++) slots[slot] = channels[slot / positions];
            return slots;
        }
    }

    /// <summary>Standardizes one value.</summary>
    public float Apply(int slot, float value) =>
        (Math.Clamp(value * _unit[slot], _lowest[slot], _highest[slot]) - _mean[slot]) * _scale[slot];

    /// <summary>Standardizes a row: to the last bit as value by value.</summary>
    /// <param name="row">The row.</param>
    /// <param name="target">Where to; may be the row itself.</param>
    public void Apply(ReadOnlySpan<float> row, Span<float> target)
    {
        var slot = 0;
        ref var from = ref MemoryMarshal.GetReference(row);
        ref var to = ref MemoryMarshal.GetReference(target[..row.Length]);
        for (; slot <= row.Length - Vector<float>.Count; slot += Vector<float>.Count)
        {
            var (lowest, highest) = (At(_lowest, slot), At(_highest, slot));
            var value = Vector.LoadUnsafe(ref from, (nuint)slot) * At(_unit, slot);
            value = Vector.ConditionalSelect(Vector.LessThan(value, lowest), lowest, value);
            value = Vector.ConditionalSelect(Vector.GreaterThan(value, highest), highest, value);
            ((value - At(_mean, slot)) * At(_scale, slot)).StoreUnsafe(ref to, (nuint)slot);
        }

        for (; slot < row.Length; slot++) target[slot] = Apply(slot, row[slot]);
    }

    private static Vector<float> At(float[] values, int slot) =>
        Vector.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(values), (nuint)slot);
}
