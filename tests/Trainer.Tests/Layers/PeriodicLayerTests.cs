using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Tests.Gradients;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

public class PeriodicLayerTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Periodic_RandomShapes_AgreesWithFiniteDifferences(int groups) => RandomShapes.ForAll(
        test =>
        {
            const int frequencies = 3;
            var width = (int)test.Shape.Channels;
            var numbers = Math.Max(1, width - (test.Seed % 2));
            var layer = new PeriodicLayer(numbers, frequencies, 1) { Groups = groups };
            GradientCheck.Holds(layer, test.Shape, test.Rows, test.Seed, (x, parameters) =>
            {
                return
                [
                    .. from row in Enumerable.Range(0, test.Rows)
                       from member in Enumerable.Range(0, groups)
                       let own = x[(row * width)..((row + 1) * width)]
                       from value in own.Concat(Waves(row, member, Math.Sin)).Concat(Waves(row, member, Math.Cos))
                       select value,
                ];

                IEnumerable<double> Waves(int row, int member, Func<double, double> wave) =>
                    from number in Enumerable.Range(0, numbers)
                    from k in Enumerable.Range(0, frequencies)
                    let frequency = parameters["frequency"][(((member * numbers) + number) * frequencies) + k]
                    select wave(2 * Math.PI * frequency * x[(row * width) + number]);
            });
        },
        maximumAxes: 0);

    [Fact]
    public void Parameters_First_AreGaussianWithTheDeviation()
    {
        var parameter = Network.Input(5).Add(new PeriodicLayer(5, 1000, 0.5f)).Parameters.Single();
        var values = new float[parameter.Count];
        parameter.Initializer.Fill(values, parameter.Shape, new Random(1));

        Assert.Equal(0, values.Average(), 0.02);
        Assert.Equal(0.5, Math.Sqrt(values.Average(value => value * value)), 0.02);
        Assert.Equal(0.317, values.Count(value => Math.Abs(value) > 0.5) / (double)values.Length, 0.02);
    }
}
