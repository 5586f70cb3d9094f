using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Execution.Sharing;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// A model of any inputs and outputs that is run on rows: the first dimension of each tensor counts them. It is free, or the same fixed
/// number everywhere, in which case that many rows go through the model at once. Each row's outputs must depend on that row alone. Safe for
/// many threads; each brings its own <see cref="RowBlock"/>.
/// </summary>
internal sealed class RowModel : IDisposable
{
    private RowModel(ModelSessions sessions, RowLayout layout)
    {
        Sessions = sessions;
        Layout = layout;
    }

    /// <summary>The model's sessions.</summary>
    public ModelSessions Sessions { get; }

    /// <summary>The session that is always there.</summary>
    public OnnxSession Session => Sessions.First;

    /// <summary>How rows lie in the model.</summary>
    public RowLayout Layout { get; }

    /// <summary>The inputs, in the model's order.</summary>
    public IReadOnlyList<RowTensor> Inputs => Layout.Inputs;

    /// <summary>The outputs that are computed, in order.</summary>
    public IReadOnlyList<RowTensor> Outputs => Layout.Outputs;

    /// <summary>How tensors get to the model on its device.</summary>
    public MemoryReport Memory => Session.Memory;

    /// <summary>The number of rows that the model always takes; null = any.</summary>
    public int? FixedRows => Layout.FixedRows;

    /// <summary>The device in use.</summary>
    public Device Device => Session.Device;

    /// <summary>The metadata of the model.</summary>
    public IReadOnlyDictionary<string, string> Metadata => Session.Metadata;

    /// <summary>Loads a model from a file; external data is found beside it.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">
    /// It is not a model, or not one that can be run on rows; the message says why and what to do.
    /// </exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static RowModel Load(string path, RowModelSettings? settings = null) => settings?.Shapes is { Count: > 0 }
        ? Load(ModelFile.Read(path), settings)
        : Open(ReloadableModel.Of(path, sessions: 1, free: settings?.Run.Threads is null), settings ?? new());

    /// <summary>Loads a model from memory.</summary>
    /// <inheritdoc cref="Load(string, RowModelSettings?)"/>
    public static RowModel Load(byte[] model, RowModelSettings? settings = null) => settings?.Shapes is { Count: > 0 }
        ? Load(ModelFile.Parse(model), settings)
        : Open(ReloadableModel.Of(model), settings ?? new());

    /// <summary>Loads a model that was just built or read.</summary>
    /// <inheritdoc cref="Load(string, RowModelSettings?)"/>
    public static RowModel Load(ModelProto model, RowModelSettings? settings = null)
    {
        settings ??= new();
        return Open(ReloadableModel.Of(WithShapes(model, settings.Shapes, settings.RowByRow)), settings);
    }

    /// <summary>Opens a model's sessions and reads how rows lie in it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="settings">How it is read and run, whatever the threads.</param>
    /// <param name="threads">The threads that share an operator of its first session.</param>
    /// <param name="sessions">The most sessions for lanes; null = as many as pay.</param>
    /// <param name="pace">Learns how long rows take on one thread.</param>
    /// <param name="read">Reads the layout.</param>
    public static RowModel Open(
        ReloadableModel model,
        RowModelSettings settings,
        int threads,
        int? sessions,
        RowPace pace,
        Func<OnnxSession, RowModelSettings, RowLayout> read)
    {
        var opened = ModelSessions.Open(model, settings.Run, threads, free: settings.Run.Threads is null, sessions, pace);
        try
        {
            return new RowModel(opened, read(opened.First, settings));
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>
    /// A model with fixed sizes in its inputs, from where they reach the outputs by ONNX Runtime's own shape inference. The model itself
    /// where no shapes are given, otherwise a copy.
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
                    $"The shape given for '{input.Name}' has {sizes.Count} dimensions, but one row of the input has " +
                    $"{shape.Dim.Count - first}.");
            for (var axis = 0; axis < sizes.Count; axis++) shape.Dim[axis + first] = ((TensorDimension)sizes[axis]).ToProto();
        }

        return shaped;
    }

    /// <summary>Makes buffers for up to <paramref name="capacity"/> rows, which the cores share as it is best.</summary>
    public RowBlock CreateBlock(int capacity) => new(Session, Sessions, Layout, capacity);

    /// <inheritdoc/>
    public void Dispose() => Sessions.Dispose();

    private static RowModel Open(ReloadableModel model, RowModelSettings settings)
    {
        var threads = settings.Run.Threads ?? (model.MayBeTwice ? 1 : ExecutionOptions.AllCores);
        return Open(model, settings, threads, sessions: 1, new RowPace(), RowLayout.Of);
    }
}

/// <summary>How a <see cref="RowModel"/> is to be read and run.</summary>
internal sealed record RowModelSettings
{
    /// <summary>Where and how it is run.</summary>
    public ExecutionOptions Run { get; init; } = new();

    /// <summary>The outputs to compute, in this order; null = all of the model's.</summary>
    public IReadOnlyList<string>? Outputs { get; init; }

    /// <summary>
    /// The shape of one row, by the name of the input or output, where the model leaves more than the first dimension free; the first
    /// dimension is not part of it.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyList<long>>? Shapes { get; init; }

    /// <summary>
    /// Whether the tensors have no dimension for rows: each tensor as a whole is what one row has, a free first dimension is 1, and every
    /// row is a run of its own. Default: false, the first dimension counts rows.
    /// </summary>
    public bool RowByRow { get; init; }
}
