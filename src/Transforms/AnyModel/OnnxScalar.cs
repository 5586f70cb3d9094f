using Microsoft.ML;
using Microsoft.ML.Transforms;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Makes a scalar column of a vector with one value, when a saved <c>ScoreOnnx</c> is run by ML.NET, which gives every output as a vector.
/// ML.NET saves no more of a mapping than its name, and finds it by that name when it loads a model: there is one for each type, with columns
/// of fixed names, and the names of the contracts never change.
/// </summary>
public static class OnnxScalar
{
    /// <summary>The column that is read.</summary>
    public const string SourceColumn = "ScoreOnnxVector";

    /// <summary>The column that is made.</summary>
    public const string ResultColumn = "ScoreOnnxScalar";

    private const string Contract = "MlNetBatchNorm.OnnxScalar.";

    internal static IEstimator<ITransformer>[] Steps(MLContext ml, DataType type, string source, string result) =>
    [
        ml.Transforms.CopyColumns(SourceColumn, source),
        TensorTypes.ScalarOf(type, ml),
        ml.Transforms.CopyColumns(result, ResultColumn),
    ];

    internal static CustomMappingEstimator<OnnxVectorOfOne<T>, OnnxSingleValue<T>> Map<T>(MLContext ml, string contract) =>
        ml.Transforms.CustomMapping<OnnxVectorOfOne<T>, OnnxSingleValue<T>>(Mapping<T>.Map, contract);

    /// <summary>The mapping of any type.</summary>
    /// <typeparam name="T">What a value is in memory.</typeparam>
    public abstract class Mapping<T> : CustomMappingFactory<OnnxVectorOfOne<T>, OnnxSingleValue<T>>
    {
        /// <inheritdoc/>
        public override Action<OnnxVectorOfOne<T>, OnnxSingleValue<T>> GetMapping() => Map;

        internal static void Map(OnnxVectorOfOne<T> vector, OnnxSingleValue<T> scalar) => scalar.Value = vector.Values.GetItemOrDefault(0);
    }

    /// <summary>The mapping of Single.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class SingleMapping : Mapping<float>
    {
        internal const string Name = Contract + "Single.1";
    }

    /// <summary>The mapping of Double.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class DoubleMapping : Mapping<double>
    {
        internal const string Name = Contract + "Double.1";
    }

    /// <summary>The mapping of Boolean.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class BooleanMapping : Mapping<bool>
    {
        internal const string Name = Contract + "Boolean.1";
    }

    /// <summary>The mapping of SByte.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class SByteMapping : Mapping<sbyte>
    {
        internal const string Name = Contract + "SByte.1";
    }

    /// <summary>The mapping of Int16.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class Int16Mapping : Mapping<short>
    {
        internal const string Name = Contract + "Int16.1";
    }

    /// <summary>The mapping of Int32.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class Int32Mapping : Mapping<int>
    {
        internal const string Name = Contract + "Int32.1";
    }

    /// <summary>The mapping of Int64.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class Int64Mapping : Mapping<long>
    {
        internal const string Name = Contract + "Int64.1";
    }

    /// <summary>The mapping of Byte.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class ByteMapping : Mapping<byte>
    {
        internal const string Name = Contract + "Byte.1";
    }

    /// <summary>The mapping of UInt16.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class UInt16Mapping : Mapping<ushort>
    {
        internal const string Name = Contract + "UInt16.1";
    }

    /// <summary>The mapping of UInt32.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class UInt32Mapping : Mapping<uint>
    {
        internal const string Name = Contract + "UInt32.1";
    }

    /// <summary>The mapping of UInt64.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class UInt64Mapping : Mapping<ulong>
    {
        internal const string Name = Contract + "UInt64.1";
    }

    /// <summary>The mapping of Text.</summary>
    [CustomMappingFactoryAttribute(Name)]
    public sealed class TextMapping : Mapping<ReadOnlyMemory<char>>
    {
        internal const string Name = Contract + "Text.1";
    }
}
