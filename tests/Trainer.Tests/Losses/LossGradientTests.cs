using FsCheck;
using FsCheck.Fluent;
using MlNetBatchNorm.Trainer.Tests.Fixtures;

namespace MlNetBatchNorm.Trainer.Tests.Losses;

/// <summary>
/// Every loss over random shapes against a formula written down here in float64, and its gradient against central differences of that
/// formula.
/// </summary>
public class LossGradientTests
{
    private static readonly float[] ClassWeights = [0.5f, 2, 1, 3, 0.25f];

    /// <summary>A loss for a number of outputs, and the loss of one row by its textbook formula.</summary>
    private sealed record Case(Func<int, Loss> Create, Func<double[], double[], double> RowLoss, Func<int, int> Outputs, bool IsClassifier);

    private static readonly Dictionary<string, Case> Cases = new()
    {
        ["sigmoid"] = Sigmoid(Loss.SigmoidCrossEntropy, 1, 1),
        ["weighted sigmoid"] = Sigmoid(Loss.WeightedSigmoidCrossEntropy(3, 0.5f), 3, 0.5),
        ["smoothed sigmoid"] = Sigmoid(Loss.SmoothedSigmoidCrossEntropy(0.25f), 1, 1, 0.25),
        ["weighted smoothed sigmoid"] = Sigmoid(Loss.SmoothedSigmoidCrossEntropy(0.25f, 3, 0.5f), 3, 0.5, 0.25),
        ["softmax"] = Softmax(_ => Loss.SoftmaxCrossEntropy, 0, null),
        ["smoothed softmax"] = Softmax(_ => Loss.SmoothedCrossEntropy(0.25f), 0.25, null),
        ["weighted softmax"] = Softmax(k => Loss.SmoothedCrossEntropy(0, ClassWeights[..k]), 0, ClassWeights),
        ["weighted smoothed softmax"] = Softmax(k => Loss.SmoothedCrossEntropy(0.25f, ClassWeights[..k]), 0.25, ClassWeights),
        ["squared"] = Regression(Loss.SquaredError, e => e * e / 2),
        ["absolute"] = Regression(Loss.AbsoluteError, Math.Abs),
        ["huber"] = Regression(Loss.Huber(0.75f), e => Math.Abs(e) <= 0.75 ? e * e / 2 : 0.75 * (Math.Abs(e) - 0.375)),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Loss_RandomRows_AgreesWithItsFormulaAndCentralDifferences(string name)
    {
        var (create, formula, outputsOf, isClassifier) = Cases[name];
        var shapes =
            from rows in Gen.Choose(1, 6)
            from outputs in Gen.Choose(2, 5)
            from seed in Gen.Choose(0, 1 << 20)
            select (rows, outputs, seed);
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(25).WithReplay(1234, 5677),
            Prop.ForAll(shapes.ToArbitrary(), shape => CheckOne(shape.rows, outputsOf(shape.outputs), shape.seed)));

        void CheckOne(int rows, int outputs, int seed)
        {
            var random = new System.Random(seed);
            var y = Enumerable.Range(0, rows * outputs).Select(_ => (float)((random.NextDouble() * 6) - 3)).ToArray();
            var t = isClassifier ? Classes(rows, outputs, random) : [.. y.Select(value => value + Error(random))];
            var (losses, gradient) = LossGraph.Run(create(outputs), y, t, outputs);

            var expectedLosses = new double[rows];
            var expectedGradient = new double[y.Length];
            for (var row = 0; row < rows; row++)
            {
                var output = Row(y, row);
                var target = Row(t, row);
                expectedLosses[row] = formula(output, target);
                for (var k = 0; k < outputs; k++)
                {
                    const double Step = 1e-5;
                    var center = output[k];
                    output[k] = center + Step;
                    var above = formula(output, target);
                    output[k] = center - Step;
                    var below = formula(output, target);
                    output[k] = center;
                    expectedGradient[(row * outputs) + k] = (above - below) / (2 * Step);
                }
            }

            Closeness.Require(expectedLosses, losses, 2e-6, $"The loss {name} for {rows} rows of {outputs}");
            // Of one row it may be the small difference of two numbers near 1.
            Closeness.Require(expectedGradient, gradient, 4e-6, $"The gradient of {name} for {rows} rows of {outputs}");

            double[] Row(float[] values, int row) => [.. values.AsSpan(row * outputs, outputs).ToArray().Select(value => (double)value)];
        }
    }

    [Fact]
    public void CrossEntropies_HugeLogits_StayFinite()
    {
        var (binary, binaryGradient) = LossGraph.Run(Loss.SigmoidCrossEntropy, [1000, -1000, 1000, -1000], [1, 0, 0, 1], 1);
        Assert.Equal([0, 0, 1000, 1000], binary);
        Assert.Equal([0, 0, 1, -1], binaryGradient);
        var (softmax, softmaxGradient) = LossGraph.Run(Loss.SoftmaxCrossEntropy, [1000, -1000, 1000, -1000], [1, 0, 0, 1], 2);
        Assert.Equal([0, 2000], softmax);
        Assert.Equal([0, 0, 1, -1], softmaxGradient);
    }

    // Away from 0 and ±0.75, where a loss has a kink that a difference quotient would straddle.
    private static float Error(System.Random random)
    {
        var size = random.Next(2) == 0 ? 0.05 + (0.65 * random.NextDouble()) : 0.8 + (2 * random.NextDouble());
        return (float)(random.Next(2) == 0 ? size : -size);
    }

    private static float[] Classes(int rows, int outputs, System.Random random)
    {
        var targets = new float[rows * outputs];
        for (var row = 0; row < rows; row++)
        {
            if (outputs == 1) targets[row] = random.Next(2);
            else targets[(row * outputs) + random.Next(outputs)] = 1;
        }

        return targets;
    }

    private static Case Sigmoid(Loss loss, double positive, double negative, double smoothing = 0) => new(
        _ => loss,
        (z, t) =>
        {
            var target = ((1 - smoothing) * t[0]) + (smoothing / 2);
            return (positive * target * Math.Log(1 + Math.Exp(-z[0]))) + (negative * (1 - target) * Math.Log(1 + Math.Exp(z[0])));
        },
        _ => 1,
        true);

    private static Case Softmax(Func<int, Loss> create, double smoothing, float[]? weights) => new(
        create,
        (z, t) =>
        {
            var logSum = Math.Log(z.Sum(Math.Exp));
            return -z.Select(
                (value, k) => (weights?[k] ?? 1) * (((1 - smoothing) * t[k]) + (smoothing / z.Length)) * (value - logSum)).Sum();
        },
        outputs => outputs,
        true);

    private static Case Regression(Loss loss, Func<double, double> ofError) => new(
        _ => loss, (y, t) => y.Select((value, k) => ofError(value - t[k])).Sum(), outputs => outputs - 1, false);
}
