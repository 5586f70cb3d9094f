using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class DeviceTensorsTests
{
    [Fact]
    public void RunOnDevice_OutputsOfOneRun_AreInputsOfTheNext()
    {
        var nodes = new GraphBuilder("step");
        var x = nodes.Input("x", DataType.Float, "N", 2);
        nodes.Output("next", nodes.Node("Mul", [x, nodes.Constant(2)]), DataType.Float, "N", 2);
        nodes.Output("negative", nodes.Node("Neg", [x]), DataType.Float, "N", 2);
        using var session = OnnxSession.Load(nodes.Build());
        using var first = OrtValue.CreateTensorValueFromMemory([1f, 2f, 3f, 4f], [2, 2]);
        var state = session.RunOnDevice(new Dictionary<string, OrtValue> { ["x"] = first });
        for (var i = 0; i < 3; i++)
        {
            var next = session.RunOnDevice(new Dictionary<string, OrtValue> { ["x"] = state["next"] });
            state.Dispose();
            state = next;
        }

        Assert.Equal(["next", "negative"], state.Names);
        Assert.Equal([16f, 32f, 48f, 64f], state["next"].GetTensorDataAsSpan<float>().ToArray());
        Assert.Equal([-8f, -16f, -24f, -32f], state["negative"].GetTensorDataAsSpan<float>().ToArray());
        Assert.Contains("no input 'z'", Assert.Throws<ArgumentException>(() => session.RunOnDevice(new Dictionary<string, OrtValue> { ["z"] = first })).Message, StringComparison.Ordinal);
        using var wrong = OrtValue.CreateTensorValueFromMemory([1f, 2f, 3f], [1, 3]);
        var exception = Assert.Throws<ModelRunException>(() => session.RunOnDevice(new Dictionary<string, OrtValue> { ["x"] = wrong }));
        Assert.Contains("x [1, 3]", exception.Message, StringComparison.Ordinal);
        state.Dispose();
    }
}
