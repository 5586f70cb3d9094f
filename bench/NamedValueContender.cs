using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Bench;

/// <summary>What ONNX Runtime's own tutorials for C# show: a session with its default options, named values in, an array out.</summary>
internal sealed class NamedValueContender : Contender
{
    private readonly InferenceSession _session;
    private readonly string _inputName;
    private readonly float[] _rows;
    private readonly int[] _shape;

    public NamedValueContender(ModelProto model, int count)
    {
        _session = new InferenceSession(model.ToByteArray());
        _inputName = _session.InputNames[0];
        _shape = Array.ConvertAll(BoundContender.ShapeOf(_session.InputMetadata[_inputName], count), size => (int)size);
        _rows = RandomRows(_shape.Aggregate((product, size) => product * size));
    }

    /// <summary>The scores of the last run.</summary>
    public float[] Result { get; private set; } = [];

    // ONNX Runtime's default: measured, some 50 to 60 ms.
    public override TimeSpan Spinning => TimeSpan.FromMilliseconds(80);

    public override void Run()
    {
        var input = NamedOnnxValue.CreateFromTensor(_inputName, new DenseTensor<float>(_rows, _shape));
        using var results = _session.Run([input]);
        Result = [.. results[0].AsEnumerable<float>()];
    }

    protected override void Dispose(bool disposing) => _session.Dispose();
}
