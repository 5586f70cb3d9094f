using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.Rows;

/// <summary>
/// The element types that ONNX and ML.NET have in common: what <see cref="ElementTypes"/> knows of a type, and here what ML.NET
/// calls it and how a saved <c>ApplyOnnxModelBatched</c> makes a scalar of it. A new type is a new row in both.
/// </summary>
internal static class TensorTypes
{
    private static readonly Dictionary<DataType, Row> Rows = new()
    {
        [DataType.Float] = new(NumberDataViewType.Single, ml => OnnxScalar.Map<float>(ml, OnnxScalar.SingleMapping.Name)),
        [DataType.Double] = new(NumberDataViewType.Double, ml => OnnxScalar.Map<double>(ml, OnnxScalar.DoubleMapping.Name)),
        [DataType.Int8] = new(NumberDataViewType.SByte, ml => OnnxScalar.Map<sbyte>(ml, OnnxScalar.SByteMapping.Name)),
        [DataType.Int16] = new(NumberDataViewType.Int16, ml => OnnxScalar.Map<short>(ml, OnnxScalar.Int16Mapping.Name)),
        [DataType.Int32] = new(NumberDataViewType.Int32, ml => OnnxScalar.Map<int>(ml, OnnxScalar.Int32Mapping.Name)),
        [DataType.Int64] = new(NumberDataViewType.Int64, ml => OnnxScalar.Map<long>(ml, OnnxScalar.Int64Mapping.Name)),
        [DataType.Uint8] = new(NumberDataViewType.Byte, ml => OnnxScalar.Map<byte>(ml, OnnxScalar.ByteMapping.Name)),
        [DataType.Uint16] = new(NumberDataViewType.UInt16, ml => OnnxScalar.Map<ushort>(ml, OnnxScalar.UInt16Mapping.Name)),
        [DataType.Uint32] = new(NumberDataViewType.UInt32, ml => OnnxScalar.Map<uint>(ml, OnnxScalar.UInt32Mapping.Name)),
        [DataType.Uint64] = new(NumberDataViewType.UInt64, ml => OnnxScalar.Map<ulong>(ml, OnnxScalar.UInt64Mapping.Name)),
        [DataType.Bool] = new(BooleanDataViewType.Instance, ml => OnnxScalar.Map<bool>(ml, OnnxScalar.BooleanMapping.Name)),
        [DataType.String] = new(TextDataViewType.Instance, ml => OnnxScalar.Map<ReadOnlyMemory<char>>(ml, OnnxScalar.TextMapping.Name)),
    };

    private static readonly Dictionary<Type, DataType> ByRawType = Rows.ToDictionary(row => row.Value.Item.RawType, row => row.Key);

    /// <summary>Whether ML.NET has columns of a type.</summary>
    public static bool Has(DataType type) => Rows.ContainsKey(type);

    /// <summary>The type of a column with one value.</summary>
    public static PrimitiveDataViewType ItemOf(DataType type) => RowOf(type).Item;

    /// <summary>What one value is in memory.</summary>
    public static Type RawTypeOf(DataType type) => ItemOf(type).RawType;

    /// <summary>The type of which values are in memory what is given; Undefined where ONNX has none.</summary>
    public static DataType OfRawType(Type type) => ByRawType.GetValueOrDefault(type, DataType.Undefined);

    /// <summary>The step that makes a scalar of a vector with one value; see <see cref="OnnxScalar"/>.</summary>
    public static IEstimator<ITransformer> ScalarOf(DataType type, MLContext ml) => RowOf(type).Scalar(ml);

    private static Row RowOf(DataType type) =>
        Rows.TryGetValue(type, out var row) ? row : throw new NotSupportedException($"ML.NET has no columns of {type}.");

    private sealed record Row(PrimitiveDataViewType Item, Func<MLContext, IEstimator<ITransformer>> Scalar);
}
