using System.Diagnostics.CodeAnalysis;

namespace MlNetBatchNorm;

/// <summary>
/// In how many bits a model keeps its weights, and in how many it computes. Inputs and outputs are float32 in all of them.
/// </summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "The field's own names for precisions.")]
public enum ModelPrecision
{
    /// <summary>32 bits for everything; what training gives.</summary>
    Float32,

    /// <summary>
    /// Weights are stored in 16 bits and widened when the model is loaded; everything is computed in float32. Half the file, the same
    /// speed, on every device.
    /// </summary>
    Float16,

    /// <summary>
    /// Weights are stored and matrix products, convolutions and what lies between them are computed in 16 bits. For devices with float16
    /// units; a CPU has few and is slower with it.
    /// </summary>
    Float16Arithmetic,

    /// <summary>
    /// Weights of matrix products are stored in 8 bits, with a scale for each output channel; what they are multiplied with is brought to 8
    /// bits while the model runs, with a scale for each row. A quarter of the file, and faster on CPUs.
    /// </summary>
    Int8,
}

/// <summary>The names of the precisions on the command line, in reports and in the metadata of models.</summary>
internal static class PrecisionNames
{
    private static readonly Dictionary<ModelPrecision, string> Names = new()
    {
        [ModelPrecision.Float32] = "float32",
        [ModelPrecision.Float16] = "float16",
        [ModelPrecision.Float16Arithmetic] = "float16-arithmetic",
        [ModelPrecision.Int8] = "int8",
    };

    /// <summary>All names.</summary>
    public static IReadOnlyCollection<string> All => Names.Values;

    /// <summary>The name of a precision.</summary>
    public static string NameOf(ModelPrecision precision) => Names[precision];

    /// <summary>The precision with a name.</summary>
    /// <exception cref="FormatException">There is none; the message lists those that there are.</exception>
    public static ModelPrecision Parse(string name)
    {
        foreach (var (precision, known) in Names)
            if (known.Equals(name, StringComparison.OrdinalIgnoreCase)) return precision;
        throw new FormatException($"'{name}' is no precision; write one of {string.Join(", ", All)}.");
    }
}
