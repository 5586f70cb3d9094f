using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm;

/// <summary>
/// Where and how a model is run: what all ways to run one have in common. The defaults are for the shortest time for one row.
/// </summary>
public record ExecutionOptions
{
    /// <summary>The number of <see cref="Threads"/> that means one for each processor.</summary>
    internal const int AllCores = 0;

    /// <summary>The device. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>
    /// Threads that share one operator; 0 = one for each processor that the process may use. Default: null, chosen by what was measured:
    /// what one thread is done with in 100 µs (a single row: 10 µs) stays on it; for more, all cores take part of the rows each, or share
    /// the operators, or not, whatever went fastest with the first few calls of that size. For that a model of at most 64 MiB is loaded
    /// once more when it is first needed.
    /// </summary>
    /// <remarks>
    /// A <see cref="OnnxScorer"/> also measures a single row while it is loaded: one thread is kept without further ado where that takes
    /// less than 10 µs, and all cores are kept if they take at least a tenth off. The process remembers it for the same model and options,
    /// and <see cref="OnnxScorer.Threads"/> says what was chosen; after 64 calls, and then ever more rarely, it is tried again. A model
    /// that is not run on rows gets 1.
    /// </remarks>
    public int? Threads { get; init; }

    /// <summary>
    /// The most rows that go through the model at once, rounded up to a power of two; fewer where rows are long, so that no buffer becomes
    /// larger than 64 MiB. Default: null, rows of about 1 MiB, at least 256 and at most 4096.
    /// </summary>
    public int? BatchSize { get; init; }

    /// <summary>
    /// Whether idle threads wait for work by spinning, for a millisecond after a run: quicker, at the price of busy cores. Default: true.
    /// Without effect on one thread.
    /// </summary>
    public bool Spinning { get; init; } = true;

    /// <summary>
    /// Whether memory that a run needs is kept for the next one. Default: true, the fastest; false returns it after each run, for models
    /// that are rarely run or that once in a while see a very large batch.
    /// </summary>
    public bool MemoryArena { get; init; } = true;

    /// <summary>How much ONNX Runtime may rewrite the graph while loading. Default: <see cref="GraphOptimization.All"/>.</summary>
    public GraphOptimization Optimization { get; init; } = GraphOptimization.All;

    /// <summary>
    /// Changes of graphs that ONNX Runtime is not to make, by the names that it has for them; one that it does not know is ignored.
    /// </summary>
    internal IReadOnlyList<string> DisabledOptimizers { get; init; } = [];

    /// <summary>
    /// Whether ONNX Runtime may also rewrite the graph in ways that are known to change the model's answers. Default: false; such rewrites
    /// are switched off by name, and only in models that they concern (<c>docs/onnx-runtime.md</c> lists them, and
    /// <c>mlnetbn inspect</c> names them for a model). Weights of 4 or 8 bits are then multiplied with rows as they are, not rounded.
    /// </summary>
    public bool AllowKnownWrongFusions { get; init; }

    /// <summary>A name for the model in error messages. Default: the file's path, or "the model".</summary>
    internal string? Name { get; init; }

    /// <summary>Operators of our own that the model uses; null = none. They compute on the CPU.</summary>
    internal OperatorDomain? Operators { get; init; }

    /// <summary>Where to write what each node took, without the file's ending; null = nowhere.</summary>
    internal string? ProfilePrefix { get; init; }
}

/// <summary>How much ONNX Runtime rewrites a graph while it loads it.</summary>
public enum GraphOptimization
{
    /// <summary>Nothing: the graph runs as it is written. What a verification needs.</summary>
    None,

    /// <summary>Constant folding and removal of nodes that do nothing.</summary>
    Basic,

    /// <summary>Also fusions for the chosen device.</summary>
    Extended,

    /// <summary>Also memory layouts.</summary>
    All,
}
