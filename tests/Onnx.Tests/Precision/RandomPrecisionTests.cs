using FsCheck;
using FsCheck.Fluent;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tests.Architectures;
using MlNetBatchNorm.Onnx.Tests.Folding;
using MlNetBatchNorm.Tests.Referees;

namespace MlNetBatchNorm.Onnx.Tests.Precision;

public class RandomPrecisionTests
{
    public static TheoryData<ModelPrecision> Precisions => [ModelPrecision.Float16, ModelPrecision.Float16Arithmetic, ModelPrecision.Int8];

    [Theory]
    [MemberData(nameof(Precisions))]
    public void Reduce_RandomPerceptron_StaysNearAndKeepsItsInterface(ModelPrecision precision)
    {
        var property = Prop.ForAll(Arb.From(Gen.Choose(0, 1 << 20)), seed =>
        {
            var model = Perceptron.Random(seed);
            var before = model.Clone();
            var check = PrecisionCheck.Run(model, precision);
            Assert.Equal(before, model);
            Assert.Equal(model.Graph.Input, check.Result.Model.Proto.Graph.Input);
            Assert.Equal(model.Graph.Output, check.Result.Model.Proto.Graph.Output);
            GraphChecker.Check(check.Result.Model.Proto);
            var plain = ModelComparison.Compare(new OnnxModel(model), check.Result.Model).LargestRelative;
            return (check.IsWithin && plain <= check.Tolerance && check.Result.BytesAfter < check.Result.BytesBefore)
                .Label($"the outputs differ by {check.Comparison!.LargestRelative:G3} of their scale, {plain:G3} without optimizations");
        });
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(40).WithReplay(20150211, 1501), property);
    }

    [Fact]
    public void Reduce_RandomPerceptronInInt8_ScoresEachRowByItself()
    {
        var property = Prop.ForAll(Arb.From(Gen.Choose(0, 1 << 20)), seed =>
        {
            var model = PrecisionReducer.Reduce(Perceptron.Random(seed), ModelPrecision.Int8).Model;
            using var scorer = OnnxScorer.Load(model, new OnnxScorerOptions { Outputs = ["y"] });
            var rows = (float[])Perceptron.Rows(seed, 6, scorer.RowLength).Data;
            var together = new float[6 * scorer.ResultLength];
            scorer.ScoreBatch(rows, 6, together);
            var alone = new float[scorer.ResultLength];
            for (var row = 0; row < 6; row++)
            {
                scorer.Score(rows.AsSpan(row * scorer.RowLength, scorer.RowLength), alone);
                for (var i = 0; i < alone.Length; i++) Assert.Equal(alone[i], together[(row * alone.Length) + i], 1e-5f);
            }
        });
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(20).WithReplay(20150211, 1503), property);
    }

    [Fact]
    public void Reduce_RandomGraphInFloat16Arithmetic_StaysNear()
    {
        var reduced = 0;
        var property = Prop.ForAll(Arb.From(Gen.Choose(0, 1 << 24).ListOf(20)), list =>
        {
            var model = BatchNormFolder.Fold(RandomGraph.From(list)).Model;
            // A graph of nothing but pooling and arithmetic has no product to convert.
            if (!model.Proto.Graph.Node.Any(node => node.OpType is "Conv" or "ConvTranspose" or "Gemm" or "MatMul"))
                return true.ToProperty();
            PrecisionCheck check;
            try
            {
                check = PrecisionCheck.Run(model, ModelPrecision.Float16Arithmetic);
            }
            catch (NotSupportedException)
            {
                return true.ToProperty();
            }

            reduced++;
            GraphChecker.Check(check.Result.Model.Proto);
            return check.IsWithin.Label(
                $"the outputs differ by {check.Comparison!.LargestRelative:G3} of their scale: [{string.Join(", ", list)}]");
        });
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(100).WithReplay(20150211, 1507), property);
        Assert.True(reduced > 50, $"only {reduced} of 100 graphs had something to convert: the test says little");
    }

    [OnnxCheckerFact]
    public void Reduce_RandomPerceptronsAndArchitectures_PassOnnxChecker()
    {
        var models = Enumerable.Range(0, 14).Select(Perceptron.Random).Where(model => model.OpsetImport[0].Version <= 17).ToList();
        models.Add(BatchNormFolder.Fold(DeepPerceptron.Create()).Model.Proto);
        var reduced = models.SelectMany(
            model =>
                new[] { ModelPrecision.Float16, ModelPrecision.Float16Arithmetic, ModelPrecision.Int8 }
                    .Select(precision => Reduce(model, precision)));
        var images = BatchNormFolder.Fold(MobileNetV2.Create(32)).Model;
        ModelProto[] convolutions =
        [
            Reduce(images.Proto, ModelPrecision.Float16),
            Reduce(images.Proto, ModelPrecision.Float16Arithmetic),
            Reduce(images.Proto, ModelPrecision.Int8),
        ];
        OnnxChecker.Require(reduced.Concat(convolutions).Select(model => ("reduced", model)));
    }

    private static ModelProto Reduce(ModelProto model, ModelPrecision precision) => PrecisionReducer.Reduce(model, precision).Model.Proto;
}
