using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.Rows;

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
        TensorTypes.ScalarOf(type, ml),
        ml.Transforms.CopyColumns(result, ResultColumn),
    ];

    public static CustomMappingEstimator<Vector<T>, Scalar<T>> Map<T>(MLContext ml, string contract) =>
        ml.Transforms.CustomMapping<Vector<T>, Scalar<T>>(Mapping<T>.Map, contract);

    internal sealed class Vector<T>
    {
        [ColumnName(SourceColumn)]
        [VectorType(1)]
        public VBuffer<T> Values { get; set; }
    }

    internal sealed class Scalar<T>
    {
        [ColumnName(ResultColumn)]
        public T Value { get; set; } = default!;
    }

    internal abstract class Mapping<T> : CustomMappingFactory<Vector<T>, Scalar<T>>
    {
        public override Action<Vector<T>, Scalar<T>> GetMapping() => Map;

        public static void Map(Vector<T> vector, Scalar<T> scalar) => scalar.Value = vector.Values.GetItemOrDefault(0);
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class SingleMapping : Mapping<float>
    {
        public const string Name = Contract + "Single.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class DoubleMapping : Mapping<double>
    {
        public const string Name = Contract + "Double.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class BooleanMapping : Mapping<bool>
    {
        public const string Name = Contract + "Boolean.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class SByteMapping : Mapping<sbyte>
    {
        public const string Name = Contract + "SByte.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class Int16Mapping : Mapping<short>
    {
        public const string Name = Contract + "Int16.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class Int32Mapping : Mapping<int>
    {
        public const string Name = Contract + "Int32.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class Int64Mapping : Mapping<long>
    {
        public const string Name = Contract + "Int64.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class ByteMapping : Mapping<byte>
    {
        public const string Name = Contract + "Byte.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class UInt16Mapping : Mapping<ushort>
    {
        public const string Name = Contract + "UInt16.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class UInt32Mapping : Mapping<uint>
    {
        public const string Name = Contract + "UInt32.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class UInt64Mapping : Mapping<ulong>
    {
        public const string Name = Contract + "UInt64.1";
    }

    [CustomMappingFactoryAttribute(Name)]
    internal sealed class TextMapping : Mapping<ReadOnlyMemory<char>>
    {
        public const string Name = Contract + "Text.1";
    }
}
