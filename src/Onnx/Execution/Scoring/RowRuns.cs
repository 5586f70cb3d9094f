using System.Numerics;
using MlNetBatchNorm.Onnx.Execution.Sessions;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// The runs bound to the first rows of some buffers, made when first needed: one for each number of rows up to 16, and eight for each
/// doubling beyond, so that at most an eighth of a run's rows is for nothing. A number of rows that comes again gets a run of its own.
/// </summary>
/// <param name="session">The model.</param>
/// <param name="capacity">The rows in the buffers: a power of two, or the model's only number.</param>
/// <param name="fixedRows">The only number of rows that the model takes; null = any.</param>
/// <param name="exact">Whether any number of rows may have a run of its own.</param>
/// <param name="bind">Makes a run of the first rows.</param>
internal sealed class RowRuns(OnnxSession session, int capacity, int? fixedRows, bool exact, Func<int, BoundRun> bind) : IDisposable
{
    private const int StepsPerDoubling = 8;
    private const int ExactUpTo = 2 * StepsPerDoubling;

    private readonly BoundRun?[] _steps = new BoundRun?[fixedRows is null ? StepOf(capacity).Index + 1 : 1];

    // What a device recorded of a run stays with the session, so there it is never bound anew.
    private readonly bool _exact = exact && fixedRows is null && !session.Memory.ReplaysGraphs;
    private BoundRun? _own;
    private int _ownRows;
    private int _lastRows;

    /// <summary>
    /// The rows of the run that so many rows go into at first: the number itself, or the next one up that has a run of its own.
    /// </summary>
    public static int StepRows(int rows) => StepOf(rows).Rows;

    /// <summary>The rows of the run that is best for so many: these or more.</summary>
    public int RowsFor(int rows)
    {
        var step = fixedRows ?? StepOf(rows).Rows;
        var repeated = rows == _lastRows;
        _lastRows = rows;
        return repeated && _exact ? rows : step;
    }

    /// <summary>A run of so many rows, as <see cref="RowsFor"/> said.</summary>
    public BoundRun Of(int rows)
    {
        var (step, index) = fixedRows is null ? StepOf(rows) : (rows, 0);
        if (step == rows) return _steps[index] ??= bind(rows);
        if (_own is { } bound && _ownRows == rows) return bound;
        _own?.Dispose();
        _own = null;
        _ownRows = rows;
        return _own = bind(rows);
    }

    public void Dispose()
    {
        foreach (var run in _steps) run?.Dispose();
        _own?.Dispose();
    }

    private static (int Rows, int Index) StepOf(int rows)
    {
        if (rows <= ExactUpTo) return (rows, rows);
        var stepBits = BitOperations.Log2((uint)(rows - 1)) - BitOperations.Log2(StepsPerDoubling);
        var steps = ((rows - 1) >> stepBits) + 1;
        return (steps << stepBits, ExactUpTo + ((stepBits - 1) * StepsPerDoubling) + steps - StepsPerDoubling);
    }
}
