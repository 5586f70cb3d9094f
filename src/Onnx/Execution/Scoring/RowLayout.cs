using System.Numerics;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// How rows lie in a model's tensors: the first axis of each counts them, and what is behind it has a fixed size; or each tensor as a whole
/// is what one row has.
/// </summary>
internal sealed class RowLayout
{
    private const long LargestBuffer = 64 << 20;
    private const int CachedNumbers = 1 << 18;

    private readonly bool _rowByRow;

    // Outputs may be let off: a model that declares one row there still scores rows one by one.
    private RowLayout(OnnxSession session, RowModelSettings settings, bool outputsCountRows)
    {
        if (session.Inputs.Count == 0) throw new InvalidModelException("The model has no inputs, so there is nothing to give a row to.");
        foreach (var name in settings.Shapes?.Keys ?? [])
            if (session.Inputs.Concat(session.Outputs).All(tensor => tensor.Name != name))
                throw new InvalidModelException(
                    $"There is a shape for '{name}', but the model has neither an input nor an output of that name.");
        _rowByRow = settings.RowByRow;
        FixedRows = settings.RowByRow ? 1 : FixedRowsOf(session.Inputs);
        var leaveOut = $" Leave it out: choose among the outputs {string.Join(", ", session.Outputs.Select(output => output.Name))}.";
        Inputs = [.. session.Inputs.Select(input => OneRow(input, "input", string.Empty, countsRows: true))];
        Outputs = [.. ChosenOutputs(session, settings.Outputs).Select(output => OneRow(output, "output", leaveOut, outputsCountRows))];
        RowLength = Inputs.Sum(input => input.Count);
        ResultLength = Outputs.Sum(output => output.Count);
        var widest = Inputs.Concat(Outputs).Max(tensor => Math.Max(tensor.Count, 1));
        var wanted = settings.Run.BatchSize ?? CachedRows(widest);
        BatchSize = FixedRows ?? Math.Min(RoundUp(wanted), RoundDown(LargestBuffer / sizeof(float) / widest));

        RowTensor OneRow(TensorInfo tensor, string kind, string otherwise, bool countsRows)
        {
            var given = settings.Shapes?.GetValueOrDefault(tensor.Name);
            var shape = ShapeOfOne(tensor, $"The {kind} '{tensor.Name}'", otherwise, countsRows && !_rowByRow, given);
            return new(tensor.Name, tensor.Type, shape);
        }
    }

    /// <summary>The inputs, in the model's order.</summary>
    public IReadOnlyList<RowTensor> Inputs { get; }

    /// <summary>The outputs to compute.</summary>
    public IReadOnlyList<RowTensor> Outputs { get; }

    /// <summary>The values of one row: all inputs.</summary>
    public int RowLength { get; }

    /// <summary>The values of one row's result: all outputs.</summary>
    public int ResultLength { get; }

    /// <summary>Whether all tensors are float32 with the rows in front.</summary>
    public bool IsOfNumbers => !_rowByRow && Inputs.Concat(Outputs).All(tensor => tensor.Type == DataType.Float);

    /// <summary>The only number of rows that the model takes; null where it takes any.</summary>
    public int? FixedRows { get; }

    /// <summary>The most rows in one run.</summary>
    public int BatchSize { get; }

    /// <summary>Reads how rows lie in tensors of any types.</summary>
    /// <exception cref="InvalidModelException">The model cannot be run on rows; the message says why and what to do.</exception>
    public static RowLayout Of(OnnxSession session, RowModelSettings settings) => new(session, settings, outputsCountRows: true);

    /// <summary>Reads how rows of float32 lie in tensors.</summary>
    /// <exception cref="InvalidModelException">There are other tensors, or their sizes are not known.</exception>
    public static RowLayout OfNumbers(OnnxSession session, RowModelSettings settings)
    {
        if (!session.Inputs.All(HoldsNumbers) || session.Inputs.DistinctBy(input => input.Shape[0].Size).Count() != 1)
            throw new InvalidModelException(
                $"The model's inputs are {string.Join("; ", session.Inputs)}; scoring rows needs float32 inputs whose first dimension is " +
                "the number of rows and whose others are fixed. (A whole pipeline, which takes named columns, is for BatchNormScorer.)");
        if (ChosenOutputs(session, settings.Outputs).FirstOrDefault(output => !HoldsNumbers(output)) is { } output)
            throw new InvalidModelException(
                $"The output {output} cannot be read row by row: float32 with the number of rows in front and fixed sizes behind it was " +
                "expected.");
        return new(session, settings, outputsCountRows: false);
    }

    /// <summary>A tensor's shape for so many rows.</summary>
    public long[] ShapeOf(RowTensor tensor, int rows) => _rowByRow ? [.. tensor.Shape] : [rows, .. tensor.Shape];

    /// <summary>A tensor's place among others.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static int IndexOf(IReadOnlyList<RowTensor> tensors, string name, string kind)
    {
        for (var i = 0; i < tensors.Count; i++)
            if (tensors[i].Name == name) return i;
        var names = string.Join(", ", tensors.Select(tensor => tensor.Name));
        throw new ArgumentException($"There is no {kind} '{name}'; the {kind}s are {names}.", nameof(name));
    }

    private static IEnumerable<TensorInfo> ChosenOutputs(OnnxSession session, IReadOnlyList<string>? names) => names is null
        ? session.Outputs
        : names.Select(name => session.Outputs.FirstOrDefault(output => output.Name == name) ?? throw new InvalidModelException(
            $"The model has no output '{name}'; its outputs are {string.Join(", ", session.Outputs.Select(output => output.Name))}."));

    private static bool HoldsNumbers(TensorInfo tensor) =>
        tensor.Type == DataType.Float && tensor.Shape.Count > 0 && tensor.Shape[0].Size is null or > 0 &&
        tensor.Shape.Skip(1).All(size => size.Size is > 0);

    private static int? FixedRowsOf(IReadOnlyList<TensorInfo> inputs)
    {
        long? rows = null;
        foreach (var input in inputs)
        {
            if (input.Shape.Count == 0 || input.Shape[0].Size is not { } size) continue;
            if (rows is { } others && size != others)
                throw new InvalidModelException(
                    $"The first dimensions of the model's inputs are fixed and differ ({string.Join("; ", inputs)}), so they do not " +
                    "count rows. If each tensor as a whole belongs to one row, choose RowByRow.");
            rows = size;
        }

        return checked((int?)rows);
    }

    private IReadOnlyList<long> ShapeOfOne(TensorInfo tensor, string which, string otherwise, bool countsRows, IReadOnlyList<long>? given)
    {
        if (!RowSlot.Supports(tensor.Type))
        {
            var what = tensor.Type == DataType.Undefined ? "a sequence or map, not a tensor" : $"a tensor of {tensor.Type}";
            throw new InvalidModelException($"{which} is {what}, which cannot be used for rows.{otherwise}");
        }

        var shape = $"has the shape [{string.Join(", ", tensor.Shape)}]";
        if (!_rowByRow && tensor.Shape.Count == 0 && given is null)
            throw new InvalidModelException($"{which} has no dimensions (or unknown ones), and so none that counts rows.{otherwise}");
        if (countsRows && tensor.Shape.Count > 0 && tensor.Shape[0].Size is { } first && first != FixedRows)
            throw new InvalidModelException(
                $"{which} {shape}, whose first dimension does not count rows as those of the inputs do.{otherwise}");
        if (given is not null) return given;

        long?[] sizes = _rowByRow
            ? [.. tensor.Shape.Select((size, axis) => size.Size ?? (axis == 0 ? 1 : null))]
            : [.. tensor.Shape.Skip(1).Select(size => size.Size)];
        if (sizes.All(size => size is not null)) return [.. sizes.Select(size => size!.Value)];
        throw new InvalidModelException(
            $"{which} {shape}; besides the number of rows, every dimension must be known. " +
            $"Say in Shapes what one row has, for example [\"{tensor.Name}\"] = [{string.Join(", ", sizes.Select(size => size ?? 8))}].");
    }

    // What one layer leaves for the next should still be in the cache by then; fewer rows than 256 would not fill the matrix kernels.
    private static int CachedRows(int widest) => Math.Clamp(CachedNumbers / widest, 256, 4096);

    private static int RoundUp(int rows) => (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(rows, 1, 1 << 30));

    private static int RoundDown(long rows) => 1 << BitOperations.Log2((ulong)Math.Max(rows, 1));
}

/// <summary>An input or output of a model, as one row has it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Shape">The shape of one row's part; empty where that is a single value of an <c>[N]</c>.</param>
internal sealed record RowTensor(string Name, DataType Type, IReadOnlyList<long> Shape)
{
    /// <summary>The number of values of one row.</summary>
    public int Count { get; } = checked((int)Shape.Aggregate(1L, (product, size) => checked(product * size)));

    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {Type}[{string.Join(", ", Shape)}] a row";
}
