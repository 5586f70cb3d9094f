using System.Globalization;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx;

/// <summary>One dimension of a declared shape: a size, a symbol (the same symbol means the same size) or unknown.</summary>
/// <param name="Size">The size, or null when it is not fixed.</param>
/// <param name="Symbol">The symbol, or null when the size is fixed or unknown.</param>
public readonly record struct TensorDimension(long? Size, string? Symbol)
{
    /// <summary>The rows of a batch: the symbol <c>N</c>.</summary>
    public static TensorDimension Rows => new(null, "N");

    /// <summary>A dimension of which nothing is known.</summary>
    public static TensorDimension Unknown => default;

    /// <summary>A fixed size.</summary>
    public static implicit operator TensorDimension(long size) => new(size, null);

    /// <summary>A symbol.</summary>
    public static implicit operator TensorDimension(string symbol) => new(null, symbol);

    /// <summary>Reads a dimension from a model.</summary>
    internal static TensorDimension From(TensorShapeProto.Types.Dimension proto) => proto.ValueCase switch
    {
        TensorShapeProto.Types.Dimension.ValueOneofCase.DimValue => proto.DimValue,
        TensorShapeProto.Types.Dimension.ValueOneofCase.DimParam when proto.DimParam.Length > 0 => proto.DimParam,
        _ => Unknown,
    };

    /// <summary>The dimension as it is written to a file.</summary>
    internal TensorShapeProto.Types.Dimension ToProto() => this switch
    {
        { Size: { } size } => new() { DimValue = size },
        { Symbol: { } symbol } => new() { DimParam = symbol },
        _ => new(),
    };

    /// <inheritdoc/>
    public override string ToString() => Size?.ToString(CultureInfo.InvariantCulture) ?? Symbol ?? "?";
}
