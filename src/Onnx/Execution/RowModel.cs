using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// A model of any inputs and outputs that is run on rows: the first dimension of each tensor counts them. It is free, or the same fixed number
/// everywhere, in which case that many rows go through the model at once. Each row's outputs must depend on that row alone. Safe for many
/// threads; each brings its own <see cref="RowBlock"/>.
/// </summary>
internal sealed class RowModel : IDisposable
{
    private readonly ModelSessions _sessions;
    private readonly OnnxSession _session;
    private readonly RowModelSettings _settings;

    private RowModel(ModelSessions sessions, RowModelSettings settings)
    {
        var session = sessions.First;
        _sessions = sessions;
        _session = session;
        _settings = settings;
        if (session.Inputs.Count == 0) throw new InvalidModelException("The model has no inputs, so there is nothing to give a row to.");
        IReadOnlyList<TensorInfo> outputs = settings.Outputs is null
            ? session.Outputs
            : [.. settings.Outputs.Select(name => session.Outputs.FirstOrDefault(output => output.Name == name) ?? throw new InvalidModelException(
                $"The model has no output '{name}'; its outputs are {string.Join(", ", session.Outputs.Select(output => output.Name))}."))];
        foreach (var name in settings.Shapes?.Keys ?? [])
            if (session.Inputs.Concat(session.Outputs).All(tensor => tensor.Name != name))
                throw new InvalidModelException($"There is a shape for '{name}', but the model has neither an input nor an output of that name.");
        FixedRows = settings.RowByRow ? 1 : FixedRowsOf(session.Inputs);
        Inputs = [.. session.Inputs.Select(input => OneRow(input, "input"))];
        Outputs = [.. outputs.Select(output => OneRow(output, "output"))];
    }

    /// <summary>The inputs, in the model's order.</summary>
    public IReadOnlyList<RowTensor> Inputs { get; }

    /// <summary>The outputs that are computed, in order.</summary>
    public IReadOnlyList<RowTensor> Outputs { get; }

    /// <summary>How tensors get to the model on its device.</summary>
    public MemoryReport Memory => _session.Memory;

    /// <summary>The number of rows that the model always takes; null = any.</summary>
    public int? FixedRows { get; }

    /// <summary>The device in use.</summary>
    public Device ActualDevice => _session.ActualDevice;

    /// <summary>The metadata of the model.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _session.Metadata;

    /// <summary>Loads a model from a file; external data is found beside it.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">It is not a model, or not one that can be run on rows; the message says why and what to do.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static RowModel Load(string path, RowModelSettings? settings = null) => settings?.Shapes is { Count: > 0 }
        ? Load(ModelFile.Read(path), settings)
        : Create(ReloadableModel.Of(path, sessions: 1, free: settings?.Threads is null), settings ?? new());

    /// <summary>Loads a model from memory.</summary>
    /// <exception cref="InvalidModelException">It is not a model, or not one that can be run on rows; the message says why and what to do.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static RowModel Load(byte[] model, RowModelSettings? settings = null) => settings?.Shapes is { Count: > 0 }
        ? Load(ModelFile.Parse(model), settings)
        : Create(ReloadableModel.Of(model), settings ?? new());

    /// <summary>Loads a model that was just built or read.</summary>
    /// <exception cref="InvalidModelException">It cannot be run on rows; the message says why and what to do.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static RowModel Load(ModelProto model, RowModelSettings? settings = null)
    {
        settings ??= new();
        return Create(ReloadableModel.Of(WithShapes(model, settings.Shapes, settings.RowByRow)), settings);
    }

    /// <summary>
    /// A model with fixed sizes in its inputs, from where they reach the outputs by ONNX Runtime's own shape inference. The model itself where
    /// no shapes are given, otherwise a copy.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="shapes">The shape of one row, by the name of the input; null = none.</param>
    /// <param name="rowByRow">Whether the tensors have no dimension that counts rows.</param>
    /// <exception cref="InvalidModelException">A shape has another number of dimensions than the input.</exception>
    public static ModelProto WithShapes(ModelProto model, IReadOnlyDictionary<string, IReadOnlyList<long>>? shapes, bool rowByRow = false)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (shapes is not { Count: > 0 }) return model;
        var shaped = model.Clone();
        var first = rowByRow ? 0 : 1;
        foreach (var input in shaped.Graph.Input)
        {
            if (!shapes.TryGetValue(input.Name, out var sizes) || input.Type?.TensorType?.Shape is not { } shape) continue;
            if (shape.Dim.Count != sizes.Count + first)
                throw new InvalidModelException(
                    $"The shape given for '{input.Name}' has {sizes.Count} dimensions, but one row of the input has {shape.Dim.Count - first}.");
            for (var axis = 0; axis < sizes.Count; axis++) shape.Dim[axis + first] = ((Dimension)sizes[axis]).ToProto();
        }

        return shaped;
    }

    /// <summary>Makes buffers for up to <paramref name="capacity"/> rows.</summary>
    public RowBlock CreateBlock(int capacity) => new(_session, _sessions, new RowTensors(Inputs, Outputs, FixedRows, !_settings.RowByRow), capacity);

    /// <inheritdoc/>
    public void Dispose() => _sessions.Dispose();

    private static RowModel Create(ReloadableModel model, RowModelSettings settings)
    {
        var sessions = ModelSessions.Open(
            model,
            new SessionSettings { Device = settings.Device, StandIn = settings.StandIn },
            settings.Threads ?? (model.MayBeTwice ? 1 : ThreadChoice.AllCores),
            free: settings.Threads is null,
            most: 1,
            new RowPace());
        try
        {
            return new RowModel(sessions, settings);
        }
        catch
        {
            sessions.Dispose();
            throw;
        }
    }

    private static int? FixedRowsOf(IReadOnlyList<TensorInfo> inputs)
    {
        long? rows = null;
        foreach (var input in inputs)
        {
            if (input.Shape.Count == 0 || input.Shape[0].Size is not { } size) continue;
            if (rows is { } others && size != others)
                throw new InvalidModelException(
                    $"The first dimensions of the model's inputs are fixed and differ ({string.Join("; ", inputs)}), so they do not count rows. If each tensor as a whole belongs to one row, choose RowByRow.");
            rows = size;
        }

        return checked((int?)rows);
    }

    private RowTensor OneRow(TensorInfo tensor, string kind)
    {
        var which = $"The {kind} '{tensor.Name}'";
        var leaveOut = kind == "output" ? $" Leave it out: choose among the outputs {string.Join(", ", _session.Outputs.Select(output => output.Name))}." : string.Empty;
        if (!RowSlot.Supports(tensor.Type))
            throw new InvalidModelException(
                $"{which} is {(tensor.Type == TensorProto.Types.DataType.Undefined ? "a sequence or map, not a tensor" : $"a tensor of {tensor.Type}")}, which cannot be used for rows.{leaveOut}");
        IReadOnlyList<long>? given = null;
        _settings.Shapes?.TryGetValue(tensor.Name, out given);
        if (_settings.RowByRow)
            return new RowTensor(tensor.Name, tensor.Type, given ?? Sizes(which, tensor, [.. tensor.Shape.Select((size, axis) => size.Size ?? (axis == 0 ? 1 : null))]));
        if (tensor.Shape.Count == 0 && given is null)
            throw new InvalidModelException($"{which} has no dimensions (or unknown ones), and so none that counts rows.{leaveOut}");
        if (tensor.Shape.Count > 0 && tensor.Shape[0].Size is { } first && first != FixedRows)
            throw new InvalidModelException(
                $"{which} has the shape [{string.Join(", ", tensor.Shape)}], whose first dimension does not count rows as those of the inputs do.{leaveOut}");
        return new RowTensor(tensor.Name, tensor.Type, given ?? Sizes(which, tensor, [.. tensor.Shape.Skip(1).Select(size => size.Size)]));
    }

    private static long[] Sizes(string which, TensorInfo tensor, long?[] sizes) => sizes.All(size => size is not null)
        ? [.. sizes.Select(size => size!.Value)]
        : throw new InvalidModelException(
            $"{which} has the shape [{string.Join(", ", tensor.Shape)}]; besides the number of rows, every dimension must be known. Say in Shapes what one row has, for example [\"{tensor.Name}\"] = [{string.Join(", ", sizes.Select(size => size ?? 8))}].");
}
