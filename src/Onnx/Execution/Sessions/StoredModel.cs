using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataLocation = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataLocation;

namespace MlNetBatchNorm.Onnx.Execution.Sessions;

/// <summary>A model in a file or in memory, as it is given to ONNX Runtime.</summary>
/// <param name="Path">The file; null = in memory.</param>
/// <param name="Bytes">The bytes; null = in a file.</param>
internal sealed record StoredModel(string? Path, byte[]? Bytes)
{
    /// <summary>Its nodes without its weights; null where ONNX Runtime has to say what is wrong with it.</summary>
    public ModelProto? Outline()
    {
        try
        {
            return Path is null ? ModelOutline.Of(Bytes) : ModelOutline.OfFile(Path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The same function, in a form that ONNX Runtime computes with less rounding (<see cref="CenteredBatchNorm"/>).</summary>
    /// <param name="outline">Its outline.</param>
    public StoredModel Centered(ModelProto outline)
    {
        // External data is found beside a file, and nowhere for a model that was changed.
        if (CenteredBatchNorm.In(outline).Count == 0 || ExternalData.Tensors(outline.Graph).Any(IsElsewhere)) return this;
        try
        {
            var whole = Path is null ? ModelFile.Parse(Bytes!) : ModelFile.Read(Path);
            return CenteredBatchNorm.Apply(whole) ? new(null, whole.ToByteArray()) : this;
        }
        catch (InvalidModelException)
        {
            return this;
        }
    }

    public InferenceSession Open(SessionOptions options) => Path is null ? new(Bytes!, options) : new(Path, options);

    // What an outline leaves out has no place where it lies.
    private static bool IsElsewhere(TensorProto tensor) => tensor.DataLocation == DataLocation.External && tensor.ExternalData.Count > 0;
}
