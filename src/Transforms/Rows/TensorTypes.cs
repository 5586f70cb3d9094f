using Microsoft.ML.Data;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.Rows;

/// <summary>The element types that ONNX and ML.NET have in common.</summary>
internal static class TensorTypes
{
    /// <summary>Whether ML.NET has columns of a type.</summary>
    public static bool Has(DataType type) => type is DataType.Float or DataType.Double or DataType.Bool or DataType.String
        or DataType.Int8 or DataType.Int16 or DataType.Int32 or DataType.Int64
        or DataType.Uint8 or DataType.Uint16 or DataType.Uint32 or DataType.Uint64;

    /// <summary>The type of a column with one value.</summary>
    public static PrimitiveDataViewType ItemOf(DataType type) => type switch
    {
        DataType.Float => NumberDataViewType.Single,
        DataType.Double => NumberDataViewType.Double,
        DataType.Int8 => NumberDataViewType.SByte,
        DataType.Int16 => NumberDataViewType.Int16,
        DataType.Int32 => NumberDataViewType.Int32,
        DataType.Int64 => NumberDataViewType.Int64,
        DataType.Uint8 => NumberDataViewType.Byte,
        DataType.Uint16 => NumberDataViewType.UInt16,
        DataType.Uint32 => NumberDataViewType.UInt32,
        DataType.Uint64 => NumberDataViewType.UInt64,
        DataType.Bool => BooleanDataViewType.Instance,
        DataType.String => TextDataViewType.Instance,
        _ => throw new NotSupportedException($"ML.NET has no columns of {type}."),
    };

    /// <summary>What one value is in memory.</summary>
    public static Type RawTypeOf(DataType type) => ItemOf(type).RawType;
}
