using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.AnyModel;

/// <summary>
/// Makes a scalar column of a vector with one value, when a saved model is run by ML.NET, which gives every output as a vector. ML.NET
/// saves no more of a mapping than its name, and finds it by that name when it loads a model: there is one for each type, with columns of
/// fixed names, and the names of the contracts never change.
/// </summary>
internal static class OnnxScalar
{
    /// <summary>The column that is read.</summary>
    public const string SourceColumn = "ScoreOnnxVector";

    /// <summary>The column that is made.</summary>
    public const string ResultColumn = "ScoreOnnxScalar";

    private const string Contract = "MlNetBatchNorm.OnnxScalar.";

    /// <summary>The steps from a vector to a scalar.</summary>
    public static IEstimator<ITransformer>[] Steps(MLContext ml, DataType type, string source, string result) =>
    [
        ml.Transforms.CopyColumns(SourceColumn, source),
        type switch
        {
            DataType.Float => Map<float>(ml, SingleMapping.Name),
            DataType.Double => Map<double>(ml, DoubleMapping.Name),
            DataType.Bool => Map<bool>(ml, BooleanMapping.Name),
            DataType.Int8 => Map<sbyte>(ml, SByteMapping.Name),
            DataType.Int16 => Map<short>(ml, Int16Mapping.Name),
            DataType.Int32 => Map<int>(ml, Int32Mapping.Name),
            DataType.Int64 => Map<long>(ml, Int64Mapping.Name),
            DataType.Uint8 => Map<byte>(ml, ByteMapping.Name),
            DataType.Uint16 => Map<ushort>(ml, UInt16Mapping.Name),
            DataType.Uint32 => Map<uint>(ml, UInt32Mapping.Name),
            DataType.Uint64 => Map<ulong>(ml, UInt64Mapping.Name),
            DataType.String => Map<ReadOnlyMemory<char>>(ml, TextMapping.Name),
            _ => throw new NotSupportedException($"ML.NET has no columns of {type}."),
        },
        ml.Transforms.CopyColumns(result, ResultColumn),
    ];

    private static CustomMappingEstimator<Vector<T>, Scalar<T>> Map<T>(MLContext ml, string contract) =>
        ml.Transforms.CustomMapping<Vector<T>, Scalar<T>>(Mapping<T>.Map, contract);

    private sealed class Vector<T>
    {
        [ColumnName(SourceColumn)]
        [VectorType(1)]
        public VBuffer<T> Values { get; set; }
    }

    private sealed class Scalar<T>
    {
        [ColumnName(ResultColumn)]
        public T Value { get; set; } = default!;
    }

    private abstract class Mapping<T> : CustomMappingFactory<Vector<T>, Scalar<T>>
    {
        public override Action<Vector<T>, Scalar<T>> GetMapping() => Map;

        public static void Map(Vector<T> vector, Scalar<T> scalar) => scalar.Value = vector.Values.GetItemOrDefault(0);
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class SingleMapping : Mapping<float>
    {
        public const string Name = Contract + "Single.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class DoubleMapping : Mapping<double>
    {
        public const string Name = Contract + "Double.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class BooleanMapping : Mapping<bool>
    {
        public const string Name = Contract + "Boolean.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class SByteMapping : Mapping<sbyte>
    {
        public const string Name = Contract + "SByte.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class Int16Mapping : Mapping<short>
    {
        public const string Name = Contract + "Int16.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class Int32Mapping : Mapping<int>
    {
        public const string Name = Contract + "Int32.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class Int64Mapping : Mapping<long>
    {
        public const string Name = Contract + "Int64.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class ByteMapping : Mapping<byte>
    {
        public const string Name = Contract + "Byte.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class UInt16Mapping : Mapping<ushort>
    {
        public const string Name = Contract + "UInt16.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class UInt32Mapping : Mapping<uint>
    {
        public const string Name = Contract + "UInt32.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class UInt64Mapping : Mapping<ulong>
    {
        public const string Name = Contract + "UInt64.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    private sealed class TextMapping : Mapping<ReadOnlyMemory<char>>
    {
        public const string Name = Contract + "Text.1";
    }
}
