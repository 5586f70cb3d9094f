using MlNetBatchNorm.Onnx.Execution.Scoring;

namespace MlNetBatchNorm.Onnx;

/// <summary>
/// One use of a model by the names of its inputs and outputs, in place: fill the inputs, <see cref="Run"/>, read the outputs, dispose.
/// Nothing is copied and nothing is allocated. From <see cref="OnnxScorer.Rent"/>; for one thread.
/// </summary>
public readonly ref struct ScorerCall
{
    private readonly OnnxScorer _scorer;
    private readonly ScoringLane _lane;
    private readonly NumberBlock _block;
    private readonly int _lease;

    internal ScorerCall(OnnxScorer scorer, ScoringLane lane, int rows)
    {
        _scorer = scorer;
        _lane = lane;
        _block = lane.Block(rows);
        _lease = lane.Lease;
        Rows = rows;
    }

    /// <summary>The number of rows.</summary>
    public int Rows { get; }

    /// <summary>
    /// The place for an input's rows, one behind the other. What is in it at first is left over from former calls: fill all of it.
    /// </summary>
    /// <param name="name">The input's name.</param>
    /// <exception cref="ArgumentException">The model has no such input.</exception>
    /// <exception cref="ObjectDisposedException">The call is over.</exception>
    public Span<float> Input(string name) => Input(RowLayout.IndexOf(_scorer.Rows.Inputs, name, "input"));

    /// <summary>The place for an input's rows.</summary>
    /// <param name="index">Its place in <see cref="OnnxScorer.Inputs"/>.</param>
    /// <exception cref="ObjectDisposedException">The call is over.</exception>
    public Span<float> Input(int index) => Block.Input(index, Rows);

    /// <summary>Runs the model. It may be run again after the inputs were changed.</summary>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    /// <exception cref="ObjectDisposedException">The call is over.</exception>
    public void Run() => Block.Run(Rows);

    /// <summary>An output's rows, one behind the other, as of the last <see cref="Run"/>.</summary>
    /// <param name="name">The output's name.</param>
    /// <exception cref="ArgumentException">The scorer computes no such output.</exception>
    /// <exception cref="ObjectDisposedException">The call is over.</exception>
    public ReadOnlySpan<float> Output(string name) => Output(RowLayout.IndexOf(_scorer.Rows.Outputs, name, "output"));

    /// <summary>An output's rows, as of the last <see cref="Run"/>.</summary>
    /// <param name="index">Its place in <see cref="OnnxScorer.Outputs"/>.</param>
    /// <exception cref="ObjectDisposedException">The call is over.</exception>
    public ReadOnlySpan<float> Output(int index) => Block.Output(index, Rows);

    /// <summary>Gives the buffers back. No span from this call may be used afterwards.</summary>
    public void Dispose()
    {
        if (_lane is not null && _lane.Lease == _lease) _scorer.Return(_lane);
    }

    private NumberBlock Block
    {
        get
        {
            ObjectDisposedException.ThrowIf(_lane is null || _lane.Lease != _lease, typeof(ScorerCall));
            return _block;
        }
    }
}
