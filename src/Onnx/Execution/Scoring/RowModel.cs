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

    /// <summary>What evaluates rows without ONNX Runtime; null = nothing does.</summary>
    public DirectScoring? Direct { get; private set; }

    /// <summary>What computes, and why: a clause.</summary>
    public string Engine { get; private set; } = "ONNX Runtime";

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
    public static RowModel Load(string path, RowModelSettings? settings = null) =>
        Open(ReloadableModel.Of(path, sessions: 1, free: settings?.Run.Threads is null), () => ModelFile.Read(path), settings ?? new());

    /// <summary>Loads a model from memory.</summary>
    /// <inheritdoc cref="Load(string, RowModelSettings?)"/>
    public static RowModel Load(byte[] model, RowModelSettings? settings = null) =>
        Open(ReloadableModel.Of(model), () => ModelFile.Parse(model), settings ?? new());

    /// <summary>Loads a model that was just built or read.</summary>
    /// <inheritdoc cref="Load(string, RowModelSettings?)"/>
    public static RowModel Load(ModelProto model, RowModelSettings? settings = null) =>
        Open(ReloadableModel.Of(model), () => model, settings ?? new());

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
        var opened = ModelSessions.Open(
            model, settings.Run, threads, free: settings.Run.Threads is null, sessions, pace, settings.IsReproducible);
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

    /// <summary>Chooses what computes rows, for buffers that are made from now on.</summary>
    /// <inheritdoc cref="DirectScoring.Prepare"/>
    public void ChooseEngine(ReloadableModel source, ScoringEngine engine, ExecutionOptions run) =>
        (Direct, Engine) = DirectScoring.Prepare(this, source, engine, run);

    /// <summary>Makes buffers for up to <paramref name="capacity"/> rows, which the cores share as it is best.</summary>
    public RowBlock CreateBlock(int capacity) => new(Session, Sessions, Layout, capacity, Direct);

    /// <inheritdoc/>
    public void Dispose() => Sessions.Dispose();

    private static RowModel Open(ReloadableModel model, Func<ModelProto> read, RowModelSettings settings)
    {
        var threads = settings.Run.Threads ?? model.ThreadsUnmeasured;
        var opened = Open(
            model, settings, threads, sessions: 1, new RowPace(),
            (session, given) => RowLayout.Of(session, given.Shapes is { Count: > 0 } ? GivenSizes.Complete(session, given, read) : given));
        opened.ChooseEngine(model, ScoringEngine.Auto, settings.Run);
        return opened;
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

    /// <inheritdoc cref="OnnxScorerOptions.IsReproducible"/>
    public bool IsReproducible { get; init; }
}
