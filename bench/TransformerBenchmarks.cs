using BenchmarkDotNet.Attributes;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Onnx;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// 20,000 rows of a 32-64-32-1 network, and single ones, in an ML.NET pipeline: our transformer, ML.NET's own on the same ONNX model, and
/// the model alone in one run, which is the limit.
/// </summary>
[MemoryDiagnoser]
public class TransformerBenchmarks
{
    public const int Rows = 20_000;
    private const int Width = 32;
    private const int Batch = 1024;

    private readonly MLContext _ml = new(seed: 1);
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.onnx");
    private BatchNormRegressionTransformer _ours = null!;
    private OnnxTransformer _stock = null!;
    private IDataView _rows = null!;
    private IDataView _objects = null!;
    private OnnxSession _session = null!;
    private BoundRun _run = null!;
    private BoundRun[] _batches = null!;
    private PredictionEngine<Row, Prediction> _oursEngine = null!;
    private PredictionEngine<Row, VectorPrediction> _stockEngine = null!;
    private PredictionEngine<Row, Prediction> _lightGbmEngine = null!;
    private PredictionEngine<Row, Prediction> _fastTreeEngine = null!;
    private Row[] _examples = null!;
    private readonly Prediction _prediction = new();
    private VectorPrediction _vectorPrediction = new();
    private int _next;

    [GlobalSetup]
    public void Train()
    {
        var random = new Random(1);
        var features = new float[Rows * Width];
        foreach (ref var value in features.AsSpan()) value = random.NextSingle();
        var examples = Enumerable.Range(0, Rows)
            .Select(row => new Row { Features = features[(row * Width)..((row + 1) * Width)], Label = features[row * Width] });
        _examples = [.. examples];
        var options = new BatchNormNetworkOptions { Preset = Preset.Fast, HiddenLayers = [64, 32], Epochs = 1, Device = Device.Cpu };
        _ours = _ml.Regression.Trainers.BatchNormNetwork(options).Fit(_ml.Data.LoadFromEnumerable(_examples.Take(1000)));
        _ours.SaveOnnx(_path);
        _stock = _ml.Transforms.ApplyOnnxModel([TrainedNetwork.ScoreOutput], [TrainedNetwork.FeaturesInput], _path)
            .Fit(_ml.Data.LoadFromEnumerable(_examples.Take(1)));
        _rows = new FeatureRows(features, Width);
        _objects = _ml.Data.LoadFromEnumerable(_examples);
        _session = OnnxSession.Load(_ours.Proto);
        _run = _session.CreateBoundRun();
        var input = new TensorBuffer<float>(Rows, Width);
        features.CopyTo(input.Span);
        _run.BindInput(TrainedNetwork.FeaturesInput, input.Whole);
        var outputs = new TensorBuffer<float>(Rows, 1);
        foreach (var output in _session.Outputs) _run.BindOutput(output.Name, outputs.Whole);
        _batches = [.. Enumerable.Range(0, (Rows + Batch - 1) / Batch).Select(batch =>
        {
            var (first, count) = (batch * Batch, Math.Min(Batch, Rows - (batch * Batch)));
            var run = _session.CreateBoundRun();
            run.BindInput(TrainedNetwork.FeaturesInput, input.At(first * Width, count, Width));
            foreach (var output in _session.Outputs) run.BindOutput(output.Name, outputs.At(first, count, 1));
            return run;
        })];
        _oursEngine = _ml.Model.CreatePredictionEngine<Row, Prediction>(_ours, new PredictionEngineOptions { OwnsTransformer = false });
        _stockEngine = _ml.Model.CreatePredictionEngine<Row, VectorPrediction>(
            _stock, new PredictionEngineOptions { OwnsTransformer = false });
        var learned = _ml.Data.LoadFromEnumerable(_examples.Take(1000));
        _lightGbmEngine = _ml.Model.CreatePredictionEngine<Row, Prediction>(
            _ml.Regression.Trainers.LightGbm(nameof(Row.Label), nameof(Row.Features)).Fit(learned));
        _fastTreeEngine = _ml.Model.CreatePredictionEngine<Row, Prediction>(
            _ml.Regression.Trainers.FastTree(nameof(Row.Label), nameof(Row.Features)).Fit(learned));
        RequireSameScores();
    }

    [Benchmark(Baseline = true)]
    public void Raw() => _run.Run();

    [Benchmark]
    public void RawInBatches()
    {
        foreach (var batch in _batches) batch.Run();
    }

    [Benchmark]
    public float Ours() => ReadScalars(_ours.Transform(_rows));

    [Benchmark]
    public float OursFromObjects() => ReadScalars(_ours.Transform(_objects));

    [Benchmark]
    public float ReadingAlone() => ReadVectors(_rows, TrainedNetwork.FeaturesInput);

    [Benchmark]
    public float ReadingObjectsAlone() => ReadVectors(_objects, TrainedNetwork.FeaturesInput);

    [Benchmark]
    public float Stock() => ReadVectors(_stock.Transform(_rows), TrainedNetwork.ScoreOutput);

    [Benchmark]
    public float OursOneRow() => One(_oursEngine);

    [Benchmark]
    public float LightGbmOneRow() => One(_lightGbmEngine);

    [Benchmark]
    public float FastTreeOneRow() => One(_fastTreeEngine);

    [Benchmark]
    public float StockOneRow()
    {
        _stockEngine.Predict(_examples[_next = (_next + 1) % Rows], ref _vectorPrediction);
        return _vectorPrediction.Score[0];
    }

    [GlobalCleanup]
    public void Release()
    {
        _ours.Dispose();
        _stock.Dispose();
        _lightGbmEngine.Dispose();
        _fastTreeEngine.Dispose();
        _run.Dispose();
        foreach (var batch in _batches) batch.Dispose();
        _session.Dispose();
        File.Delete(_path);
    }

    private float One(PredictionEngine<Row, Prediction> engine)
    {
        var prediction = _prediction;
        engine.Predict(_examples[_next = (_next + 1) % Rows], ref prediction);
        return prediction.Score;
    }

    private void RequireSameScores()
    {
        var ours = _ours.Transform(_rows).GetColumn<float>(TrainedNetwork.ScoreOutput).Take(100).ToArray();
        var stock = _stock.Transform(_rows).GetColumn<float[]>(TrainedNetwork.ScoreOutput).Take(100).ToArray();
        for (var row = 0; row < 100; row++)
            if (Math.Abs(ours[row] - stock[row][0]) > 1e-5)
                throw new InvalidOperationException($"Row {row}: {ours[row]} here, {stock[row][0]} there.");
    }

    private static float ReadScalars(IDataView view)
    {
        var column = view.Schema[TrainedNetwork.ScoreOutput];
        using var cursor = view.GetRowCursor([column]);
        var getScore = cursor.GetGetter<float>(column);
        var (score, sum) = (0f, 0f);
        while (cursor.MoveNext())
        {
            getScore(ref score);
            sum += score;
        }

        return sum;
    }

    private static float ReadVectors(IDataView view, string name)
    {
        var column = view.Schema[name];
        using var cursor = view.GetRowCursor([column]);
        var getValues = cursor.GetGetter<VBuffer<float>>(column);
        VBuffer<float> values = default;
        var sum = 0f;
        while (cursor.MoveNext())
        {
            getValues(ref values);
            sum += values.GetValues()[0];
        }

        return sum;
    }

    public sealed class Row
    {
        [VectorType(Width)]
        public float[] Features { get; set; } = [];

        public float Label { get; set; }
    }

    public sealed class Prediction
    {
        public float Score { get; set; }
    }

    public sealed class VectorPrediction
    {
        [VectorType(1)]
        public float[] Score { get; set; } = [];
    }
}
