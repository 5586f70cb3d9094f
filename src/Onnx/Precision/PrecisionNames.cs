namespace MlNetBatchNorm.Onnx.Precision;

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
