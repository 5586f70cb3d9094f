using MlNetBatchNorm.Onnx.Execution.Sessions;
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
        if (tensor.DataLocation == TensorProto.Types.DataLocation.External)
            throw new InvalidModelException($"The tensor '{tensor.Name}' lies in another file, which is not looked for.");
        var type = (DataType)tensor.DataType;
        if (ElementTypes.Find(type) is not { Clr: not null } elements)
            throw new InvalidModelException($"The tensor '{tensor.Name}' holds {type}, which cannot be given to a model.");
        return new HostTensor(type, [.. tensor.Dims], elements.Read(tensor));
    }
}
