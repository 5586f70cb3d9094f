using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Tests.Gradients;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

public class MembersLayerTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void GroupedDense_RandomShapes_AgreesWithFiniteDifferences(bool bias) => RandomShapes.ForAll(
        test =>
        {
            const int groups = 3, units = 2;
            var inputs = (int)test.Shape.Channels;
            GradientCheck.Holds(
                new GroupedDenseLayer(groups, units) { Bias = bias },
                new SampleShape(groups * inputs),
                test.Rows,
                test.Seed,
                (x, parameters) =>
                [
                    .. from row in Enumerable.Range(0, x.Length / (groups * inputs))
                       from place in Enumerable.Range(0, groups * units)
                       let member = place / units
                       select Enumerable.Range(0, inputs).Sum(i => x[(((row * groups) + member) * inputs) + i]
                               * parameters["weight"][(((member * inputs) + i) * units) + (place % units)])
                           + (bias ? parameters["bias"][place] : 0),
                ]);
        },
        maximumAxes: 0);

    [Fact]
    public void Members_RandomShapes_AgreesWithFiniteDifferences() => RandomShapes.ForAll(
        test =>
        {
            const int members = 3, units = 2;
            var inputs = (int)test.Shape.Channels;
            var body = Network.Input(inputs).Dense(units, bias: false).Tanh().Dense(1, bias: false).Stack;
            GradientCheck.Holds(new MembersLayer(members, body), test.Shape, test.Rows, test.Seed, (x, parameters) =>
            [
                .. from row in Enumerable.Range(0, x.Length / inputs)
                   select Enumerable.Range(0, members).Average(member => Enumerable.Range(0, units).Sum(unit =>
                       parameters["dense2.weight"][(member * units) + unit] * Math.Tanh(Enumerable.Range(0, inputs).Sum(i =>
                           x[(row * inputs) + i] * parameters["dense1.weight"][(i * members * units) + (member * units) + unit])))),
            ]);
        },
        maximumAxes: 0);

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void SharedDense_RandomShapes_AgreesWithFiniteDifferences(bool isFirst, bool bias) => RandomShapes.ForAll(
        test =>
        {
            const int members = 3, units = 2;
            var inputs = (int)test.Shape.Channels;
            var width = isFirst ? inputs : members * inputs;
            GradientCheck.Holds(
                new SharedDenseLayer(members, units, isFirst) { Bias = bias },
                new SampleShape(width),
                test.Rows,
                test.Seed,
                (x, parameters) =>
                [
                    .. from row in Enumerable.Range(0, test.Rows)
                       from place in Enumerable.Range(0, members * units)
                       let member = place / units
                       select (parameters["outputScale"][place] * Enumerable.Range(0, inputs).Sum(i =>
                               x[(row * width) + (isFirst ? 0 : member * inputs) + i] * parameters["inputScale"][(member * inputs) + i]
                               * parameters["weight"][(i * units) + (place % units)]))
                           + (bias ? parameters["bias"][place] : 0),
                ]);
        },
        maximumAxes: 0);

    [Fact]
    public void SharedMembers_First_AreTheSameNetworkOnInputsOfAnotherSign()
    {
        var network = Network.Input(4).Members(3, member => member.Dense(5).BatchNorm().Silu().Dense(6).Silu().Dense(2), shared: true);
        var parameters = network.Parameters.ToDictionary(parameter => parameter.Name[(parameter.Name.IndexOf('/') + 1)..], parameter =>
        {
            var values = new float[parameter.Count];
            parameter.Initializer.Fill(values, parameter.Shape, new Random(8));
            return values;
        });

        Assert.Equal([4L, 5], network.Parameters.Single(parameter => parameter.Name == "members1/dense1.weight").Shape);
        Assert.Equal([-1f, 1], parameters["dense1.inputScale"].Distinct().Order());
        Assert.All(parameters["dense2.inputScale"].Concat(parameters["dense1.outputScale"]), value => Assert.Equal(1, value));
        Assert.Equal([3L, 6, 2], network.Parameters.Single(parameter => parameter.Name == "members1/dense3.weight").Shape);
        // Shared weights; for each member scales, gamma and beta, the second layer's bias, and a last layer of its own.
        Assert.Equal((4 * 5) + (5 * 6) + (3 * (4 + 5 + 5 + 5 + 5 + 6 + 6 + (6 * 2) + 2)), network.ParameterCount);
    }

    [Fact]
    public void Members_OneStep_IsAStepOfEachByItself()
    {
        const int members = 3, rows = 16, inputs = 4;
        var one = Network.Input(inputs).Dense(5).BatchNorm().Silu().Dense(1);
        using var side = Step(Network.Input(inputs).Members(members, _ => one));
        var random = new Random(4);
        for (var i = 0; i < rows * inputs; i++) side.Features.Span[i] = random.NextSingle() - 0.5f;
        for (var i = 0; i < rows * members; i++)
        {
            side.Targets.Span[i] = i / members % 2;
            side.RowWeights[i] = i % members == i / members % members ? 0 : members / (members - 1f);
        }

        var before = Enumerable.Range(0, members).Select(member => Part(member, side)).ToArray();
        side.Run(rows, 0.01f);
        for (var member = 0; member < members; member++)
        {
            using var alone = Step(one);
            alone.Set(before[member]);
            side.Features.Span.CopyTo(alone.Features.Span);
            for (var row = 0; row < rows; row++)
            {
                alone.Targets.Span[row] = side.Targets.Span[row * members];
                alone.RowWeights[row] = side.RowWeights[(row * members) + member];
            }

            alone.Run(rows, 0.01f);
            foreach (var (name, values) in Part(member, side))
                for (var i = 0; i < values.Length; i++) Assert.Equal(values[i], alone.Parameter(name)[i], 1e-5f);
        }

        static TrainingStep Step(Network network) => new(
            network, Loss.SigmoidCrossEntropy, Optimizer.Sgd(), RunningStatistics.PyTorch(), rows, new Random(3), weighted: true);
    }

    [Fact]
    public void Members_AsText_AreReadBack()
    {
        var network = Network.Input(6).Members(4, member => member.Dense(8).BatchNorm().Silu().Dropout(0.1f).Dense(3));

        var read = Network.Parse(network.ToString(), 6);

        Assert.Equal("members 4\n  dense 8\n  batchnorm\n  silu\n  dropout 0.1\n  dense 3\nend\n", network.ToString());
        Assert.Equal(network.ToString(), read.ToString());
        Assert.Equal([3], read.OutputShape.Sizes);
        Assert.Equal(4 * ((6 * 8) + 8 + 8 + (8 * 3) + 3), read.ParameterCount);
    }

    [Fact]
    public void Members_SharedAsText_AreReadBack()
    {
        var network = Network.Input(6).Members(4, member => member.Dense(8).BatchNorm().Silu().Dense(3), shared: true);

        Assert.StartsWith("members 4 shared=yes\n  dense 8\n", network.ToString(), StringComparison.Ordinal);
        Assert.Equal(network.ParameterCount, Network.Parse(network.ToString(), 6).ParameterCount);
    }

    [Theory]
    [InlineData("members 4\nlayernorm\ndense 1\nend", "Line 1, 'members 4': A layer of the kind 'layernorm' cannot be a part")]
    [InlineData("members 1\ndense 1\nend", "An ensemble has at least 2 members, but 1")]
    [InlineData("members 3\nrelu\nend", "The members have no dense layer")]
    [InlineData("members 3 shared=yes\nrelu\ndense 1\nend", "at least two dense layers")]
    [InlineData("members 3 shared=perhaps\ndense 1\nend", "perhaps")]
    [InlineData("members 3\ndense 1", "Line 1, 'members 3': the block has no 'end'")]
    [InlineData("members\ndense 1\nend", "COUNT is missing; expected: members COUNT")]
    public void Members_Mistake_IsNamed(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<FormatException>(() => Network.Parse(text, 4)).Message, StringComparison.Ordinal);

    // The parameters of one member, under the names that they have in a network of its own.
    private static Dictionary<string, float[]> Part(int member, TrainingStep side)
    {
        const int members = 3, inputs = 4, units = 5;
        var first = side.Parameter("members1/dense1.weight").ToArray();
        return new Dictionary<string, float[]>
        {
            ["dense1.weight"] = [.. Enumerable.Range(0, inputs * units).Select(
                i => first[(i / units * members * units) + (member * units) + (i % units)])],
            ["batchnorm1.gamma"] = Of("members1/batchnorm1.gamma", units),
            ["batchnorm1.beta"] = Of("members1/batchnorm1.beta", units),
            ["batchnorm1.mean"] = Of("members1/batchnorm1.mean", units),
            ["batchnorm1.variance"] = Of("members1/batchnorm1.variance", units),
            ["dense2.weight"] = Of("members1/dense2.weight", units),
            ["dense2.bias"] = Of("members1/dense2.bias", 1),
        };

        float[] Of(string name, int count) => side.Parameter(name).Slice(member * count, count).ToArray();
    }
}
