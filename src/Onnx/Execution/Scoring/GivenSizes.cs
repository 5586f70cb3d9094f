using System.Globalization;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// Sizes that are given for the inputs of a model which leaves them free, and those of its outputs that follow from them. They are for the
/// tensors of a run. The model that is run is never changed: with sizes in it, ONNX Runtime would look into every branch with them and
/// refuse a model for one that is never taken.
/// </summary>
internal static class GivenSizes
{
    // So many rows show which dimension counts them.
    private const int Rows = 2;
    private const int MostTries = 16;

    /// <summary>Adds the sizes of the outputs that are to be computed, as far as they can be found out.</summary>
    /// <param name="session">The model.</param>
    /// <param name="settings">How it is read, with the sizes that were given.</param>
    /// <param name="read">Reads the model once more.</param>
    /// <exception cref="InvalidModelException">A shape does not fit the input that it is given for.</exception>
    public static RowModelSettings Complete(OnnxSession session, RowModelSettings settings, Func<ModelProto> read)
    {
        var shapes = settings.Shapes!;
        foreach (var input in session.Inputs)
            if (shapes.TryGetValue(input.Name, out var sizes)) RequireFit(input, sizes, settings.RowByRow);
        var first = settings.RowByRow ? 0 : 1;
        List<TensorInfo> open =
        [
            .. session.Outputs.Where(output => settings.Outputs?.Contains(output.Name) != false && !shapes.ContainsKey(output.Name)
                && (output.Shape.Count == 0 || output.Shape.Skip(1).Any(size => size.Size is null)
                    || (settings.RowByRow && output.Shape[0].Size is null))),
        ];
        if (open.Count == 0) return settings;
        var known = new Dictionary<string, IReadOnlyList<long>>(shapes, StringComparer.Ordinal);
        var model = read();
        Add(Inferred(model, shapes, settings.RowByRow));
        if (open.Count > 0) Add(Tried(session, settings, model));
        return settings with { Shapes = known };

        void Add(IReadOnlyDictionary<string, long[]> found)
        {
            open.RemoveAll(output => found.TryGetValue(output.Name, out var shape) && known.TryAdd(output.Name, shape[first..]));
        }
    }

    private static void RequireFit(TensorInfo input, IReadOnlyList<long> sizes, bool rowByRow)
    {
        // Of a tensor whose rank is not known nothing can be said.
        if (input.Shape.Count == 0) return;
        TensorDimension[] row = [.. input.Shape.Skip(rowByRow ? 0 : 1)];
        if (row.Length != sizes.Count)
            throw new InvalidModelException(
                $"The shape given for '{input.Name}' has {sizes.Count} dimensions, but one row of the input has {row.Length}.");
        if (sizes.Any(size => size < 1) || row.Zip(sizes).Any(pair => pair.First.Size is { } size && size != pair.Second))
            throw new InvalidModelException(
                $"The shape given for '{input.Name}' is [{string.Join(", ", sizes)}], but one row of the input is "
                + $"[{string.Join(", ", row)}].");
    }

    // By ONNX Runtime's own shape inference, in a copy that is not run. A copy that it refuses says nothing of the model.
    private static Dictionary<string, long[]> Inferred(
        ModelProto model, IReadOnlyDictionary<string, IReadOnlyList<long>> shapes, bool rowByRow)
    {
        var sized = model.Clone();
        var first = rowByRow ? 0 : 1;
        foreach (var input in sized.Graph.Input)
        {
            if (!shapes.TryGetValue(input.Name, out var sizes) || input.Type?.TensorType?.Shape is not { } shape) continue;
            for (var axis = 0; axis < sizes.Count; axis++) shape.Dim[axis + first] = ((TensorDimension)sizes[axis]).ToProto();
        }

        try
        {
            using var session = OnnxSession.Load(sized, new ExecutionOptions { Optimization = GraphOptimization.None });
            return session.Outputs
                .Where(output => output.Shape.Count > 0
                    && output.Shape.Skip(1).All(size => size.Size is not null) && (!rowByRow || output.Shape[0].Size is not null))
                .ToDictionary(
                    output => output.Name,
                    output => output.Shape.Select((size, axis) => axis == 0 && !rowByRow ? Rows : size.Size!.Value).ToArray(),
                    StringComparer.Ordinal);
        }
        catch (InvalidModelException)
        {
            return [];
        }
    }

    // By what comes out for zeros. A single whole number may be one that the model knows and goes by, a sampling rate say; where zero makes
    // no sense to it, its own constants are tried. Where none does, the sizes of outputs have to be given, too.
    private static Dictionary<string, long[]> Tried(OnnxSession session, RowModelSettings settings, ModelProto model)
    {
        var rows = session.Inputs
            .Where(input => input.Shape.Count > 0)
            .Select(input => input.Shape[0].Size)
            .FirstOrDefault(size => size > 0) ?? Rows;
        var inputs = new Dictionary<string, HostTensor>(StringComparer.Ordinal);
        foreach (var input in session.Inputs)
        {
            long?[] sizes = settings.Shapes!.TryGetValue(input.Name, out var given)
                ? [.. settings.RowByRow ? [] : new long?[] { rows }, .. given]
                : [.. input.Shape.Select((size, axis) => size.Size ?? (axis > 0 ? null : settings.RowByRow ? 1 : rows))];
            if (sizes.Any(size => size is null) || !RowSlot.Supports(input.Type)) return [];
            long[] shape = [.. sizes.Select(size => size!.Value)];
            var data = ElementTypes.Of(input.Type).Create(checked((int)shape.Aggregate(1L, (product, size) => checked(product * size))));
            inputs.Add(input.Name, new HostTensor(input.Type, shape, data));
        }

        HostTensor[] numbers = [.. inputs.Values.Where(tensor => tensor.Data is long[] { Length: 1 } or int[] { Length: 1 })];
        foreach (var number in numbers.Length == 0 ? [0] : WholeNumbers(model))
        {
            foreach (var tensor in numbers)
                if (tensor.Data is long[] { Length: 1 } wide) wide[0] = number;
                else ((int[])tensor.Data)[0] = (int)number;
            try
            {
                return session.Run(inputs)
                    .Where(output => settings.RowByRow || (output.Value.Shape is [var count, ..] && count == rows))
                    .ToDictionary(output => output.Key, output => output.Value.Shape, StringComparer.Ordinal);
            }
            catch (ModelRunException)
            {
                // The next one.
            }
        }

        return [];
    }

    private static IEnumerable<long> WholeNumbers(ModelProto model) => model.Graph.Initializer
        .Concat(model.Graph.Node.Where(node => node.OpType == "Constant").SelectMany(node => node.Attribute).Select(value => value.T))
        .OfType<TensorProto>()
        .Where(tensor => (DataType)tensor.DataType is DataType.Int64 or DataType.Int32 && tensor.Dims.All(size => size == 1))
        .Select(tensor => ElementTypes.Of((DataType)tensor.DataType).Read(tensor).GetValue(0))
        .Select(value => Convert.ToInt64(value, CultureInfo.InvariantCulture))
        .Where(number => number is > 0 and <= int.MaxValue)
        .Prepend(0)
        .Distinct()
        .Take(MostTries);
}
