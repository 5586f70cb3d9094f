using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>A tensor of an ONNX file as one that can be run.</summary>
internal static class StoredTensor
{
    /// <exception cref="InvalidModelException">The elements do not fit the shape, or have a type that cannot be run.</exception>
    public static HostTensor ToHost(TensorProto tensor)
    {
        InitializerChecker.Check(tensor, $"The tensor '{tensor.Name}'");
        var type = (DataType)tensor.DataType;
        var raw = tensor.RawData.Span;
        Array data = type switch
        {
            DataType.Float => Read(raw, tensor.FloatData, value => value),
            DataType.Double => Read(raw, tensor.DoubleData, value => value),
            DataType.Int64 => Read(raw, tensor.Int64Data, value => value),
            DataType.Uint64 => Read(raw, tensor.Uint64Data, value => value),
            DataType.Uint32 => Read(raw, tensor.Uint64Data, value => (uint)value),
            DataType.Int32 => Read(raw, tensor.Int32Data, value => value),
            DataType.Int16 => Read(raw, tensor.Int32Data, value => (short)value),
            DataType.Int8 => Read(raw, tensor.Int32Data, value => (sbyte)value),
            DataType.Uint8 => Read(raw, tensor.Int32Data, value => (byte)value),
            DataType.Uint16 or DataType.Float16 or DataType.Bfloat16 => Read(raw, tensor.Int32Data, value => (ushort)value),
            DataType.Bool => Array.ConvertAll(Read(raw, tensor.Int32Data, value => (byte)value), value => value != 0),
            DataType.String => tensor.StringData.Select(text => text.ToStringUtf8()).ToArray(),
            _ => throw new InvalidModelException($"The tensor '{tensor.Name}' holds {type}, which cannot be given to a model."),
        };
        return new HostTensor(type, [.. tensor.Dims], data);
    }

    private static T[] Read<TStored, T>(ReadOnlySpan<byte> raw, IReadOnlyList<TStored> stored, Func<TStored, T> convert)
        where T : unmanaged =>
        raw.Length > 0 ? MemoryMarshal.Cast<byte, T>(raw).ToArray() : [.. stored.Select(convert)];
}
