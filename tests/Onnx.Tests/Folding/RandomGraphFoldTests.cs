using FsCheck;
using FsCheck.Fluent;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class RandomGraphFoldTests
{
    [Fact]
    public void Fold_RandomGraph_MatchesOriginal()
    {
        var (seen, folded) = (0, 0);
        var steps = Arb.From(Gen.Choose(0, 1 << 24).ListOf(20), Shrinks);
        var property = Prop.ForAll(steps, list =>
        {
            var model = RandomGraph.From(list);
            var result = BatchNormFolder.Fold(model);
            GraphChecker.Check(result.Model.Proto);
            seen += result.BatchNorms.Count;
            folded += result.Removed;
            FoldCase.CheckParts(model, null, result);
            var difference = ModelComparison.Compare(new OnnxModel(model), result.Model).LargestRelative;
            return (difference <= 1e-5).Label($"the outputs differ by {difference:G3} of their scale: [{string.Join(", ", list)}]");
        });
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(20150211, 1501), property);
        Assert.True(folded > seen / 5, $"only {folded} of {seen} batch normalizations were folded: the random graphs test little");
    }

    // One step fewer.
    private static IEnumerable<List<int>> Shrinks(List<int> steps) =>
        steps.Select((_, dropped) => steps.Where((_, index) => index != dropped).ToList());
}
