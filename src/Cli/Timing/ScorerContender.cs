using Google.Protobuf;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Cli.Timing;

/// <summary>Our <see cref="OnnxScorer"/>, as it comes.</summary>
internal sealed class ScorerContender : Contender
{
    private readonly OnnxScorer _scorer;
    private readonly float[] _rows;
    private readonly float[] _results;
    private readonly int _count;

    /// <param name="model">The model.</param>
    /// <param name="count">Rows in a call.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="threads">The threads that share an operator; null = chosen by measurement.</param>
    public ScorerContender(ModelProto model, int count, Device device, int? threads = null)
    {
        _scorer = OnnxScorer.Load(model.ToByteArray(), new OnnxScorerOptions { Device = device, Threads = threads });
        _count = count;
        _rows = RandomRows(count * _scorer.RowLength);
        _results = new float[count * _scorer.ResultLength];
    }

    /// <summary>Where it runs, and how tensors get there.</summary>
    public string Place => $"{_scorer.DeviceReport}: {_scorer.Memory}";

    public override void Run()
    {
        if (_count == 1) _scorer.Score(_rows, _results);
        else _scorer.ScoreBatch(_rows, _count, _results);
    }

    protected override void Dispose(bool disposing) => _scorer.Dispose();
}
