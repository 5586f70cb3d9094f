using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>How the values of an encoded row lie: numbers, then the bins of each feature, then what is mostly 0.</summary>
/// <param name="Width">The values of a row.</param>
/// <param name="Numbers">The numbers.</param>
/// <param name="Reach">What the entry of a bin is that lies wholly below the number.</param>
/// <param name="Bins">The bins of each feature that has some.</param>
internal sealed record EncodedForm(int Width, int Numbers, float Reach, params IReadOnlyList<long> Bins)
{
    // Wider ones are those of texts, whose weights are better left where they lie.
    private const int Widest = 1 << 13;

    // What it costs to take one value, in values of a plain product.
    private const int CostOfTaking = 2;

    /// <summary>The form of an encoding; null where a plain product is as fast.</summary>
    public static EncodedForm? Of(EncodedNumbers encoding)
    {
        long[] bins = [.. encoding.BinFeatures.GroupBy(feature => feature).Select(feature => (long)feature.Count())];
        var form = new EncodedForm(encoding.Width, encoding.Numbers.Length, encoding.BinReach, bins);
        var usual = form.MostTaken - ((encoding.Flags.Length + encoding.Categories.Length) / 2);
        return encoding.Width <= Widest && CostOfTaking * usual <= encoding.Width ? form : null;
    }

    /// <summary>The most values that a row takes: its numbers, two of each feature with bins, and all others.</summary>
    public int MostTaken => Width - (int)Bins.Sum() + (2 * Bins.Count);

    /// <summary>The form as attributes of a node.</summary>
    /// <param name="columns">The columns of the weights.</param>
    public NodeArgument[] Attributes(long columns) =>
        [("columns", columns), ("width", Width), ("numbers", Numbers), ("reach", Reach), ("bins", Bins.Count > 0 ? Bins.ToArray() : [0])];

    /// <summary>Reads the attributes of a node.</summary>
    public static EncodedForm Of(in KernelAttributes attributes) => new(
        attributes.Integer("width"),
        attributes.Integer("numbers"),
        attributes.Float("reach"),
        [.. attributes.Integers("bins").Where(bins => bins > 0)]);
}
