namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// The affine map y = scale[c]·x + shift[c], where c counts along one axis of the tensor: what a batch normalization is at inference
/// (Ioffe and Szegedy 2015, Algorithm 2), in float64.
/// </summary>
/// <param name="Axis">The channel axis, counted from the front; without meaning for a uniform map.</param>
/// <param name="Scale">One factor per channel, or a single one for all.</param>
/// <param name="Shift">One summand per channel, or a single one for all.</param>
internal sealed record ChannelMap(int Axis, double[] Scale, double[] Shift)
{
    /// <summary>How many channels there are; 1 for a map that treats every element alike.</summary>
    public int Count => Scale.Length;

    public bool IsUniform => Count == 1;

    public bool HasShift => Array.Exists(Shift, value => value != 0);

    public bool IsFinite => Array.TrueForAll(Scale, double.IsFinite) && Array.TrueForAll(Shift, double.IsFinite);

    public bool KeepsOrder => Array.TrueForAll(Scale, value => value >= 0);

    public bool KeepsStrictOrder => Array.TrueForAll(Scale, value => value > 0);

    public ChannelMap At(int axis) => this with { Axis = axis };

    public ChannelMap WithoutShift() => this with { Shift = new double[Count] };

    public ChannelMap Part(int start, int count) =>
        IsUniform ? this : this with { Scale = Scale[start..(start + count)], Shift = Shift[start..(start + count)] };

    /// <summary>The map on the channels from <paramref name="start"/> on, and nothing on the others, of <paramref name="total"/>.</summary>
    public ChannelMap Within(int total, int start, int count)
    {
        var (scale, shift) = (Ones(total), new double[total]);
        for (var i = 0; i < count; i++) (scale[start + i], shift[start + i]) = (ScaleAt(i), ShiftAt(i));
        return this with { Scale = scale, Shift = shift };
    }

    /// <summary>The map when each channel becomes <paramref name="times"/> neighbours, as in flattening [C, H, W] to [C·H·W].</summary>
    public ChannelMap Repeat(int times) =>
        IsUniform || times == 1 ? this : this with { Scale = Spread(Scale, times), Shift = Spread(Shift, times) };

    /// <summary>The map when all channels come <paramref name="times"/> times, one lot after the other.</summary>
    public ChannelMap Tile(int times) =>
        IsUniform || times == 1 ? this : this with { Scale = Repeated(Scale, times), Shift = Repeated(Shift, times) };

    /// <summary>The map of channels that come in another order, some of them perhaps not at all or several times.</summary>
    public ChannelMap Picked(IEnumerable<int> channels) => IsUniform
        ? this
        : this with { Scale = [.. channels.Select(channel => Scale[channel])], Shift = [.. channels.Select(channel => Shift[channel])] };

    /// <summary>The map on given channels of <paramref name="total"/>, and none on the others; null when two of ours meet in one.</summary>
    public ChannelMap? Scattered(IReadOnlyList<int> channels, int total)
    {
        var (scale, shift, isTaken) = (Ones(total), new double[total], new bool[total]);
        for (var i = 0; i < channels.Count; i++)
        {
            var to = channels[i];
            if (isTaken[to] && (scale[to] != ScaleAt(i) || shift[to] != ShiftAt(i))) return null;
            (scale[to], shift[to], isTaken[to]) = (ScaleAt(i), ShiftAt(i), true);
        }

        return this with { Scale = scale, Shift = shift };
    }

    /// <summary>
    /// The map of one of <paramref name="times"/> lots of channels, when it is the same for all (see <see cref="Tile"/>); null otherwise.
    /// </summary>
    public ChannelMap? OfOneLot(int times)
    {
        if (IsUniform) return this;
        var size = Count / times;
        for (var i = size; i < Count; i++) if (Scale[i] != Scale[i % size] || Shift[i] != Shift[i % size]) return null;
        return Part(0, size);
    }

    /// <summary>
    /// The map when <paramref name="times"/> neighbours become one channel, if they share it (see <see cref="Repeat"/>); otherwise null.
    /// </summary>
    public ChannelMap? OfNeighbours(int times)
    {
        if (IsUniform) return this;
        for (var i = 0; i < Count; i++) if (Scale[i] != Scale[i / times * times] || Shift[i] != Shift[i / times * times]) return null;
        return Picked(Enumerable.Range(0, Count / times).Select(i => i * times));
    }

    /// <summary>First this map, then another one; null where they lie on different axes.</summary>
    public ChannelMap? Then(ChannelMap next)
    {
        if (!IsUniform && !next.IsUniform && (Axis != next.Axis || Count != next.Count)) return null;
        var (axis, count) = IsUniform ? (next.Axis, next.Count) : (Axis, Count);
        var (scale, shift) = (new double[count], new double[count]);
        for (var i = 0; i < count; i++)
            (scale[i], shift[i]) = (ScaleAt(i) * next.ScaleAt(i), (ShiftAt(i) * next.ScaleAt(i)) + next.ShiftAt(i));
        return new ChannelMap(axis, scale, shift);
    }

    /// <summary>s·x + t on −x: −(s·x − t).</summary>
    public ChannelMap Negated() => this with { Shift = Array.ConvertAll(Shift, value => -value) };

    /// <summary>The same scale, and another multiple of the shift.</summary>
    public ChannelMap WithShiftTimes(double factor) => this with { Shift = Array.ConvertAll(Shift, value => value * factor) };

    /// <summary>Whether both do the same to every element.</summary>
    public bool IsSameAs(ChannelMap other) =>
        (IsUniform || Axis == other.Axis) && Scale.AsSpan().SequenceEqual(other.Scale) && Shift.AsSpan().SequenceEqual(other.Shift);

    public double ScaleAt(int channel) => Scale[IsUniform ? 0 : channel];

    public double ShiftAt(int channel) => Shift[IsUniform ? 0 : channel];

    /// <summary>The factors, one for each of <paramref name="count"/> channels.</summary>
    public double[] Scales(int count) => IsUniform && count != 1 ? Filled(count, Scale[0]) : Scale;

    /// <summary>The summands, one for each of <paramref name="count"/> channels.</summary>
    public double[] Shifts(int count) => IsUniform && count != 1 ? Filled(count, Shift[0]) : Shift;

    /// <summary>Whether the map fits an axis of a given length.</summary>
    public bool Fits(long count) => IsUniform || Count == count;

    private static double[] Ones(int count) => Filled(count, 1);

    private static double[] Filled(int count, double value)
    {
        var result = new double[count];
        Array.Fill(result, value);
        return result;
    }

    private static double[] Repeated(double[] values, int times)
    {
        var result = new double[values.Length * times];
        for (var i = 0; i < times; i++) values.CopyTo(result, i * values.Length);
        return result;
    }

    private static double[] Spread(double[] values, int times)
    {
        var result = new double[values.Length * times];
        for (var i = 0; i < result.Length; i++) result[i] = values[i / times];
        return result;
    }
}
