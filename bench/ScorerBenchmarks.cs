using BenchmarkDotNet.Attributes;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Bench;

/// <summary>Scoring through <see cref="Scorer"/>, with the batch normalizations folded and as they were trained.</summary>
[MemoryDiagnoser]
public class ScorerBenchmarks
{
    private Scorer _folded = null!;
    private Scorer _unfolded = null!;
    private float[] _rows = null!;
    private float[] _results = null!;

    [Params(1, 256)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Train()
    {
        var random = new Random(1);
        var features = new float[1000 * 32];
        foreach (ref var value in features.AsSpan()) value = random.NextSingle();
        var targets = Enumerable.Range(0, 1000).Select(row => features[row * 32] > 0.5f ? 1f : 0f).ToArray();
        var rows = new LabeledRows(new SampleShape(32), 1, features, targets);
        var network = NetworkTrainer.Train(Network.ForTable(32, [64, 32], 1), Loss.SigmoidCrossEntropy, rows, new TrainingOptions { Epochs = 2 });
        var export = NetworkExporter.Export(network, rows);
        _folded = Scorer.Load(export.Folded);
        _unfolded = Scorer.Load(export.Unfolded);
        _rows = features[..(Rows * 32)];
        _results = new float[Rows * _folded.ResultLength];
    }

    [Benchmark(Baseline = true)]
    public void Unfolded() => Score(_unfolded);

    [Benchmark]
    public void Folded() => Score(_folded);

    [GlobalCleanup]
    public void Release()
    {
        _folded.Dispose();
        _unfolded.Dispose();
    }

    private void Score(Scorer scorer)
    {
        if (Rows == 1) scorer.Score(_rows, _results);
        else scorer.ScoreBatch(_rows, Rows, _results);
    }
}
