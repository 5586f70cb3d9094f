using BenchmarkDotNet.Attributes;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Bench;

/// <summary>From a file to the first answer, for a network of fifty layers, with its batch normalizations and without.</summary>
public class LoadBenchmarks
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mlnetbn-bench-").FullName;
    private readonly float[] _result = new float[64];
    private readonly float[] _row = new float[64];

    [Params(64, 256)]
    public int Units { get; set; }

    private string Path(string name) => System.IO.Path.Combine(_folder, name);

    [GlobalSetup]
    public void Write()
    {
        var random = new Random(1);
        var nodes = new GraphBuilder("fifty layers");
        var value = nodes.Input("x", DataType.Float, TensorDimension.Rows, 64);
        var width = 64;
        for (var layer = 1; layer <= 50; layer++)
        {
            var units = layer == 50 ? 64 : Units;
            var product = nodes.Node("MatMul", [value, Constant($"weights{layer}", width, units)]);
            var normalized = nodes.Node("BatchNormalization", [product, Ones("gamma"), Ones("beta"), Ones("mean"), Ones("variance")]);
            value = nodes.Node("Relu", [normalized]);
            width = units;

            Value Ones(string name) => nodes.Initializer(TensorData.Create($"{name}{layer}", [.. Enumerable.Repeat(1f, units)], units));
        }

        nodes.Output("y", value, DataType.Float, TensorDimension.Rows, 64);
        var model = nodes.Build();
        ModelFile.Write(model, Path("unfolded.onnx"));
        BatchNormFolder.Fold(model).Model.Save(Path("folded.onnx"));

        Value Constant(string name, params long[] shape) =>
            nodes.Initializer(TensorData.Create(name, [.. Enumerable.Range(0, (int)(shape[0] * shape[1])).Select(_ => Weight())], shape));

        float Weight() => (random.NextSingle() - 0.5f) * 0.2f;
    }

    [GlobalCleanup]
    public void Delete() => Directory.Delete(_folder, recursive: true);

    [Benchmark(Baseline = true)]
    public float Unfolded() => FirstAnswer("unfolded.onnx");

    [Benchmark]
    public float Folded() => FirstAnswer("folded.onnx");

    private float FirstAnswer(string name)
    {
        using var scorer = OnnxScorer.Load(Path(name));
        scorer.Score(_row, _result);
        return _result[0];
    }
}
