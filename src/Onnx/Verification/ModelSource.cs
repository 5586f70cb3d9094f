using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// A model in memory, to be loaded into ONNX Runtime: as bytes, or, where it is larger than a protobuf message can be, from temporary
/// files. Sessions must be disposed before it.
/// </summary>
internal sealed class ModelSource : IDisposable
{
    private readonly ModelProto _model;
    private readonly ScratchFolder? _folder;

    private ModelSource(ModelProto model, ScratchFolder? folder) => (_model, _folder) = (model, folder);

    private string File => _folder!.File("model.onnx");

    /// <param name="model">The model.</param>
    /// <param name="largestMessage">Above this many bytes it goes through files.</param>
    public static ModelSource Of(ModelProto model, long largestMessage = ModelFile.LargestSingleFile)
    {
        if (ModelFile.Size(model) <= largestMessage) return new ModelSource(model, null);
        var source = new ModelSource(model, new ScratchFolder("source"));
        try
        {
            ModelFile.Write(model, source.File, largestMessage);
            return source;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    public OnnxSession Open(ExecutionOptions settings) =>
        _folder is null ? OnnxSession.Load(_model, settings) : OnnxSession.Load(File, settings);

    public void Dispose() => _folder?.Dispose();
}
