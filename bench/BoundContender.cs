using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// ONNX Runtime with input and output bound once to memory of exactly their size: no program that calls it can be faster than this.
/// </summary>
internal sealed class BoundContender : Contender
{
    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();
    private readonly OrtIoBinding _binding;
    private readonly OrtValue _input;
    private readonly OrtValue _output;

    /// <param name="model">The model.</param>
    /// <param name="count">Rows in a run.</param>
    /// <param name="threads">Threads that share an operator.</param>
    /// <param name="optimize">Whether ONNX Runtime may rewrite the graph.</param>
    public BoundContender(ModelProto model, int count, int threads, bool optimize = true)
    {
        using var options = new SessionOptions
        {
            IntraOpNumThreads = threads,
            GraphOptimizationLevel = optimize ? GraphOptimizationLevel.ORT_ENABLE_ALL : GraphOptimizationLevel.ORT_DISABLE_ALL,
        };
        // Long enough for threads to be there for the next run; ONNX Runtime's default would only disturb the others.
        options.AddSessionConfigEntry("session.intra_op.spin_duration_us", "1000");
        _session = new InferenceSession(model.ToByteArray(), options);
        var (name, shape) = (_session.InputNames[0], ShapeOf(_session.InputMetadata[_session.InputNames[0]], count));
        var output = _session.OutputNames[0];
        var outputShape = ShapeOf(_session.OutputMetadata[output], count);
        _input = OrtValue.CreateTensorValueFromMemory(RandomRows((int)Count(shape)), shape);
        _output = OrtValue.CreateTensorValueFromMemory(new float[Count(outputShape)], outputShape);
        _binding = _session.CreateIoBinding();
        _binding.BindInput(name, _input);
        _binding.BindOutput(output, _output);
    }

    public override void Run() => _session.RunWithBinding(_options, _binding);

    /// <summary>The shape with the rows in front.</summary>
    internal static long[] ShapeOf(NodeMetadata metadata, int count) =>
        [count, .. metadata.Dimensions.Skip(1).Select(size => (long)size)];

    protected override void Dispose(bool disposing)
    {
        _binding.Dispose();
        _input.Dispose();
        _output.Dispose();
        _options.Dispose();
        _session.Dispose();
    }

    private static long Count(long[] shape) => shape.Aggregate(1L, (product, size) => product * size);
}
