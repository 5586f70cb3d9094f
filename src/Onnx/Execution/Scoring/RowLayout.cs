using System.Numerics;
using MlNetBatchNorm.Onnx.Execution.Sharing;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>How rows lie in a model's inputs and outputs: every one of them is <c>[N, …]</c> with the same N and fixed sizes behind it.</summary>
internal sealed class RowLayout
{
    private const long LargestBuffer = 64 << 20;
    private const int CachedNumbers = 1 << 18;

    public RowLayout(OnnxSession session, ScorerSettings settings)
    {
        Inputs = session.Inputs;
        if (Inputs.Count == 0 || Inputs.Any(input => !HoldsRows(input)) || Inputs.Select(input => input.Shape[0].Size).Distinct().Count() > 1)
            throw new InvalidModelException(
                $"The model's inputs are {string.Join("; ", Inputs)}; scoring rows needs float32 inputs whose first dimension is the number of rows " +
                "and whose others are fixed.");
        Outputs = [.. (settings.Outputs ?? [.. session.Outputs.Select(output => output.Name)]).Select(name => Output(session, name))];
        InputWidths = [.. Inputs.Select(Width)];
        OutputWidths = [.. Outputs.Select(Width)];
        RowLength = InputWidths.Sum();
        ResultLength = OutputWidths.Sum();
        FixedRows = (int?)Inputs[0].Shape[0].Size;
        var widest = InputWidths.Concat(OutputWidths).Max();
        BatchSize = FixedRows ?? Math.Min(RoundUp(settings.BatchSize ?? CachedRows(widest)), RoundDown(LargestBuffer / sizeof(float) / widest));
    }

    public IReadOnlyList<TensorInfo> Inputs { get; }

    /// <summary>The outputs to compute.</summary>
    public IReadOnlyList<TensorInfo> Outputs { get; }

    /// <summary>The numbers of one row in each input.</summary>
    public int[] InputWidths { get; }

    /// <summary>The numbers of one row in each output.</summary>
    public int[] OutputWidths { get; }

    /// <summary>The numbers of one row: all inputs.</summary>
    public int RowLength { get; }

    /// <summary>The numbers of one row's result: all outputs.</summary>
    public int ResultLength { get; }

    /// <summary>The only number of rows that the model takes; null where it takes any.</summary>
    public int? FixedRows { get; }

    /// <summary>The most rows in one run.</summary>
    public int BatchSize { get; }

    /// <summary>Buffers for so many rows, which all run on one session.</summary>
    public RowBlock CreateBlock(OnnxSession session, int capacity) => new(session, null, Tensors, capacity);

    /// <summary>Buffers for so many rows, which the cores share as it is best.</summary>
    public RowBlock CreateBlock(ModelSessions sessions, int capacity) => new(sessions.First, sessions, Tensors, capacity);

    /// <summary>A tensor's shape for so many rows.</summary>
    public static long[] ShapeOf(TensorInfo tensor, int rows) => [rows, .. tensor.Shape.Skip(1).Select(size => size.Size!.Value)];

    /// <summary>A tensor's place among others.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static int IndexOf(IReadOnlyList<TensorInfo> tensors, string name, string kind)
    {
        for (var i = 0; i < tensors.Count; i++)
            if (tensors[i].Name == name) return i;
        throw new ArgumentException($"There is no {kind} '{name}'; the {kind}s are {string.Join(", ", tensors.Select(tensor => tensor.Name))}.", nameof(name));
    }

    private RowTensors Tensors => new([.. Inputs.Select(OneRow)], [.. Outputs.Select(OneRow)], FixedRows);

    private static RowTensor OneRow(TensorInfo tensor) => new(tensor.Name, tensor.Type, ShapeOf(tensor, 1)[1..]);

    private static TensorInfo Output(OnnxSession session, string name)
    {
        var output = session.Outputs.FirstOrDefault(output => output.Name == name) ?? throw new InvalidModelException(
            $"The model has no output '{name}'; its outputs are {string.Join(", ", session.Outputs.Select(output => output.Name))}.");
        return HoldsRows(output) ? output : throw new InvalidModelException(
            $"The output {output} cannot be read row by row: float32 with the number of rows in front and fixed sizes behind it was expected.");
    }

    private static bool HoldsRows(TensorInfo tensor) =>
        tensor.Type == DataType.Float && tensor.Shape.Count > 0 && tensor.Shape.Skip(1).All(size => size.Size is > 0) && tensor.Shape[0].Size is null or > 0;

    private static int Width(TensorInfo tensor) => checked((int)tensor.Shape.Skip(1).Aggregate(1L, (product, size) => checked(product * size.Size!.Value)));

    // What one layer leaves for the next should still be in the cache by then; fewer rows than 256 would not fill the matrix kernels.
    private static int CachedRows(int widest) => Math.Clamp(CachedNumbers / widest, 256, 4096);

    private static int RoundUp(int rows) => (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(rows, 1, 1 << 30));

    private static int RoundDown(long rows) => 1 << BitOperations.Log2((ulong)Math.Max(rows, 1));
}
