using System.Diagnostics.CodeAnalysis;

namespace MlNetBatchNorm.Onnx;

/// <summary>What a tensor holds, with the numbers that ONNX gives the types (onnx.proto, <c>TensorProto.DataType</c>).</summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "They are the names that ONNX gives them.")]
public enum OnnxElementType
{
    /// <summary>No tensor, or not said.</summary>
    Undefined = 0,

    /// <summary>float32.</summary>
    Float = 1,

    /// <summary>Bytes from 0 to 255.</summary>
    UInt8 = 2,

    /// <summary>Bytes from −128 to 127.</summary>
    Int8 = 3,

    /// <summary>Whole numbers of 16 bits from 0.</summary>
    UInt16 = 4,

    /// <summary>Whole numbers of 16 bits.</summary>
    Int16 = 5,

    /// <summary>Whole numbers of 32 bits.</summary>
    Int32 = 6,

    /// <summary>Whole numbers of 64 bits.</summary>
    Int64 = 7,

    /// <summary>Texts.</summary>
    Text = 8,

    /// <summary>True or false.</summary>
    Boolean = 9,

    /// <summary>IEEE 754 half precision.</summary>
    Float16 = 10,

    /// <summary>float64.</summary>
    Double = 11,

    /// <summary>Whole numbers of 32 bits from 0.</summary>
    UInt32 = 12,

    /// <summary>Whole numbers of 64 bits from 0.</summary>
    UInt64 = 13,

    /// <summary>Complex numbers of two float32.</summary>
    Complex64 = 14,

    /// <summary>Complex numbers of two float64.</summary>
    Complex128 = 15,

    /// <summary>float32 cut to its upper 16 bits.</summary>
    BFloat16 = 16,

    /// <summary>8 bits: 4 of exponent, 3 of fraction, no infinities.</summary>
    Float8E4M3FN = 17,

    /// <summary>8 bits: 4 of exponent, 3 of fraction, no negative zero.</summary>
    Float8E4M3FNUZ = 18,

    /// <summary>8 bits: 5 of exponent, 2 of fraction.</summary>
    Float8E5M2 = 19,

    /// <summary>8 bits: 5 of exponent, 2 of fraction, no negative zero.</summary>
    Float8E5M2FNUZ = 20,

    /// <summary>Whole numbers of 4 bits from 0.</summary>
    UInt4 = 21,

    /// <summary>Whole numbers of 4 bits.</summary>
    Int4 = 22,

    /// <summary>4 bits: 2 of exponent, 1 of fraction.</summary>
    Float4E2M1 = 23,
}
