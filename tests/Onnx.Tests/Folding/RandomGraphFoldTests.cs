using FsCheck;
using FsCheck.Fluent;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Tests.Referees;
using Xunit.Abstractions;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class RandomGraphFoldTests(ITestOutputHelper output)
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

    /// <summary>
    /// The same in float64, where nothing but a wrong fold can differ. <c>MLNETBN_RANDOM_GRAPHS=5000</c> makes it a long run.
    /// </summary>
    [Fact]
    public void Fold_RandomGraphOfAllRules_IsTheSameFunctionInFloat64()
    {
        var count = int.TryParse(Environment.GetEnvironmentVariable("MLNETBN_RANDOM_GRAPHS"), out var wanted) ? wanted : 250;
        var (seen, folded, worst) = (0, 0, 0.0);
        var operators = new SortedSet<string>(StringComparer.Ordinal);
        var steps = Arb.From(Gen.Choose(0, 1 << 24).ListOf(20), Shrinks);
        var property = Prop.ForAll(steps, list =>
        {
            var model = RandomGraph.From(list, Proto.TensorProto.Types.DataType.Double);
            var result = BatchNormFolder.Fold(model);
            GraphChecker.Check(result.Model.Proto);
            operators.UnionWith(model.Graph.Node.Select(node => node.OpType));
            (seen, folded) = (seen + result.BatchNorms.Count, folded + result.Removed);
            var difference = Difference(model, result.Model.Proto);
            worst = Math.Max(worst, difference);
            return (difference <= 1e-9).Label($"the outputs differ by {difference:G3} of their scale: [{string.Join(", ", list)}]");
        });
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(count).WithReplay(20150211, 1503), property);
        output.WriteLine(
            $"{count} graphs, {operators.Count} operators, {folded} of {seen} batch normalizations folded, difference at most {worst:G3}");
        Assert.True(folded > seen / 5, $"only {folded} of {seen} batch normalizations were folded: the random graphs test little");
        Assert.True(operators.Count >= 35, $"only {string.Join(", ", operators)}");
    }

    [OnnxTestDataFact]
    public void ReferenceEvaluator_ModelsOfTheOnnxTestData_GivesTheirOutputs()
    {
        var seen = new SortedSet<string>(StringComparer.Ordinal);
        var root = Path.Combine(OnnxTestData.Root, "node");
        foreach (var path in Directory.EnumerateFiles(root, "model.onnx", SearchOption.AllDirectories).Order())
        {
            var model = ModelFile.Read(path);
            if (model.Graph.Node is not [{ Output.Count: 1 } node] || !ReferenceEvaluator.Operators.Contains(node.OpType)) continue;
            if (model.Graph.Output.Concat(model.Graph.Input).Any(value => value.Type.TensorType?.ElemType is not (1 or 7 or 11))) continue;
            var folder = Path.Combine(Path.GetDirectoryName(path)!, "test_data_set_0");
            ReferenceEvaluator.Tensor Stored(string kind, int i) => ReferenceEvaluator.Tensor.Of(
                Proto.TensorProto.Parser.ParseFrom(File.ReadAllBytes(Path.Combine(folder, $"{kind}_{i}.pb"))));
            var inputs = model.Graph.Input.Select((input, i) => (input.Name, Value: Stored("input", i)))
                .ToDictionary(pair => pair.Name, pair => pair.Value);
            ReferenceEvaluator.Tensor actual;
            try
            {
                actual = ReferenceEvaluator.Run(model, inputs)[model.Graph.Output[0].Name];
            }
            catch (NotSupportedException)
            {
                // A form that random graphs do not have.
                continue;
            }

            var expected = Stored("output", 0);
            Assert.True(expected.Shape.SequenceEqual(actual.Shape), path);
            for (var i = 0; i < expected.Data.Length; i++)
                Assert.True(Math.Abs(expected.Data[i] - actual.Data[i]) <= 1e-5 * (1 + Math.Abs(expected.Data[i])), path);
            seen.Add(node.OpType);
        }

        // The test data has no Split of one output, and Resize only in other forms.
        Assert.True(seen.Count >= 40, string.Join(", ", seen));
    }

    private static double Difference(Proto.ModelProto before, Proto.ModelProto after)
    {
        var random = new System.Random(7);
        var inputs = before.Graph.Input.ToDictionary(
            input => input.Name, input => ReferenceEvaluator.Tensor.From(
                [.. input.Type.TensorType.Shape.Dim.Select(size => (int)size.DimValue)], _ => (4 * random.NextDouble()) - 2));
        var (expected, actual) = (ReferenceEvaluator.Run(before, inputs), ReferenceEvaluator.Run(after, inputs));
        return expected.Max(pair =>
        {
            var scale = pair.Value.Data.Max(Math.Abs);
            var difference = pair.Value.Data.Zip(actual[pair.Key].Data, (a, b) => Math.Abs(a - b)).Max();
            Assert.Equal(pair.Value.Shape, actual[pair.Key].Shape);
            return difference == 0 ? 0 : difference / scale;
        });
    }

    // One step fewer.
    private static IEnumerable<List<int>> Shrinks(List<int> steps) =>
        steps.Select((_, dropped) => steps.Where((_, index) => index != dropped).ToList());
}
