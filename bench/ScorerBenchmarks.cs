using BenchmarkDotNet.Attributes;
using MlNetBatchNorm.Cli.Timing;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// What the command <c>score</c> times in turn, each way by itself and with BenchmarkDotNet's care: our scorer, ONNX Runtime at its limit,
/// as it is usually called, and on the unfolded model as written.
/// </summary>
[MemoryDiagnoser]
public class ScorerBenchmarks
{
    private Contender _contender = null!;

    public static IEnumerable<string> Networks => BenchmarkNetwork.All.Select(network => network.Name);

    [ParamsSource(nameof(Networks))]
    public string Network { get; set; } = null!;

    [Params(1, 16, 256, 4096)]
    public int Rows { get; set; }

    [GlobalSetup(Target = nameof(Raw))]
    public void LoadRaw() => _contender = new BoundContender(Train().Folded, Rows, threads: 1);

    [GlobalSetup(Target = nameof(RawAllCores))]
    public void LoadRawAllCores() => _contender = new BoundContender(Train().Folded, Rows, Environment.ProcessorCount);

    [GlobalSetup(Target = nameof(Scorer))]
    public void LoadScorer() => _contender = new ScorerContender(Train().Folded, Rows, Device.Cpu);

    [GlobalSetup(Target = nameof(NamedValues))]
    public void LoadNamedValues() => _contender = new NamedValueContender(Train().Folded, Rows);

    [GlobalSetup(Target = nameof(Unfolded))]
    public void LoadUnfolded() => _contender = new BoundContender(Train().Unfolded, Rows, threads: 1, optimize: false);

    [Benchmark(Baseline = true)]
    public void Raw() => _contender.Run();

    [Benchmark]
    public void RawAllCores() => _contender.Run();

    [Benchmark]
    public void Scorer() => _contender.Run();

    [Benchmark]
    public void NamedValues() => _contender.Run();

    [Benchmark]
    public void Unfolded() => _contender.Run();

    [GlobalCleanup]
    public void Release() => _contender.Dispose();

    private (Onnx.Proto.ModelProto Unfolded, Onnx.Proto.ModelProto Folded) Train() =>
        BenchmarkNetwork.All.Single(network => network.Name == Network).Train();
}
