using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tests.Folding;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Verification;

/// <summary>Many parts are proved on all cores; what comes out is what each part gives by itself.</summary>
public class ProvenFoldTests
{
    private const int Layers = 100;

    [Fact]
    public void Run_ManyParts_JudgesEachAsByItself()
    {
        var model = Network(large: 7);
        var trace = new FoldTrace();
        BatchNormFolder.Fold(model, new FoldOptions(), trace);
        var parts = ChangedPart.Of(trace).ToList();
        Assert.Equal(Layers, parts.Count);
        Assert.Single(parts, part => !part.IsSmall);
        var proofs = parts.ToDictionary(part => part.Changed[0].Output[0], part => PartProof.Of(part));

        var numbers = new List<int>();
        var proven = ProvenFold.Run(model, new FoldOptions(), stage: (what, number, all) =>
        {
            if (all == 0) return;
            Assert.Equal(("proving each part", Layers), (what, all));
            numbers.Add(number);
        });

        Assert.Equal(Enumerable.Range(0, Layers), numbers);
        Assert.Equal(
            trace.BatchNorms.Select(node => proofs[node.Input[0]].Absolute),
            proven.Fold.BatchNorms.Select(outcome => outcome.AbsoluteError!.Value));
        Assert.All(proven.Fold.BatchNorms, outcome => Assert.InRange(outcome.AbsoluteError!.Value, 1e-12, 1e-3));
    }

    [Fact]
    public void Run_Cancelled_SaysSo()
    {
        using var source = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => ProvenFold.Run(
            Network(), new FoldOptions(), stage: (_, number, _) => CancelAt(number), cancellationToken: source.Token));

        void CancelAt(int number)
        {
            if (number == Layers / 2) source.Cancel();
        }
    }

    [Fact]
    public void Run_FailureInOneOfManyParts_IsThrownAsItIs() =>
        Assert.Throws<InvalidTimeZoneException>(() => ProvenFold.Run(
            Network(),
            new FoldOptions(),
            stage: (_, number, _) =>
            {
                if (number == Layers / 2) throw new InvalidTimeZoneException();
            }));

    // One of the layers may have so many weights that it is proved alone.
    private static ModelProto Network(int large = -1)
    {
        var test = new FoldCase();
        var (x, size) = (test.Input("N", 4), 4);
        for (var layer = 0; layer < Layers; layer++)
        {
            var next = layer == large ? 20_000 : 4;
            x = test.Graph.Node(
                "Relu", [test.BatchNorm(test.Graph.Node("MatMul", [x, test.Weight($"w{layer}", size, next)]), next)]);
            size = next;
            if (layer == large) (x, size) = (test.Graph.Node("Slice", [x, .. new[] { 0, 4, 1 }.Select(at => test.Graph.Integers(at))]), 4);
        }

        test.Graph.Output("y", x, DataType.Float, "N", size);
        return test.Graph.Build();
    }
}
