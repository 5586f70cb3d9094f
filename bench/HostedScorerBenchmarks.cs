using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using MlNetBatchNorm.Hosting;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Bench;

/// <summary>What the scorer of a service, which can be reloaded at any moment, costs above one's own: a dense layer of 32 to 32.</summary>
[MemoryDiagnoser]
public class HostedScorerBenchmarks
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.onnx");
    private readonly float[] _row = new float[32];
    private readonly float[] _result = new float[32];
    private ServiceProvider _services = null!;
    private IOnnxScorer _hosted = null!;
    private OnnxScorer _own = null!;

    [GlobalSetup]
    public void Load()
    {
        var nodes = new GraphBuilder("dense");
        var weights = nodes.Initializer(TensorData.Create("weights", new float[32 * 32], 32, 32));
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, 32);
        nodes.Output("y", nodes.Node("MatMul", [x, weights]), DataType.Float, TensorDimension.Rows, 32);
        ModelFile.Write(nodes.Build(), _path);
        _own = OnnxScorer.Load(_path);
        _services = new ServiceCollection().AddOnnxScorer(_path).BuildServiceProvider();
        _hosted = _services.GetRequiredService<IOnnxScorer>();
    }

    [Benchmark(Baseline = true)]
    public void Own() => _own.Score(_row, _result);

    [Benchmark]
    public void Hosted() => _hosted.Score(_row, _result);

    [GlobalCleanup]
    public void Release()
    {
        _own.Dispose();
        _services.Dispose();
        File.Delete(_path);
    }
}
