using MlNetBatchNorm.Onnx.Execution.Devices;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class RuntimeMessageTests
{
    [Theory]
    [InlineData(
        "[ErrorCode:Fail] /onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& " +
        "onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library /lib/cuda.so: no such file\n",
        "[ErrorCode:Fail] Failed to load library /lib/cuda.so: no such file")]
    [InlineData(
        "[ErrorCode:Fail] /src/core/framework/execution_frame.cc:12 onnxruntime::common::Status Frame::Get(int, void*) const " +
        "[with T = float] No room.\nStacktrace:\n(1) main",
        "[ErrorCode:Fail] No room.")]
    [InlineData(
        "[ErrorCode:InvalidArgument] Got invalid dimensions: x.cc is (no place)",
        "[ErrorCode:InvalidArgument] Got invalid dimensions: x.cc is (no place)")]
    public void OneLine_PlacesInOnnxRuntimesSource_AreLeftOut(string message, string expected) =>
        Assert.Equal(expected, RuntimeMessage.OneLine(message));
}
