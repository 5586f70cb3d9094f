using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>The node between two precisions.</summary>
internal static class CastNode
{
    /// <summary>A Cast of <paramref name="from"/> to <paramref name="type"/>, under the name <paramref name="to"/>.</summary>
    public static NodeProto Create(string from, string to, DataType type, ModelEditor editor) => new()
    {
        OpType = "Cast",
        Name = editor.Names.Fresh($"{to}_cast"),
        Input = { from },
        Output = { to },
        Attribute = { ((NodeArgument)("to", (long)type)).Proto },
    };
}
