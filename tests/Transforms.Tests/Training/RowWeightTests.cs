using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>
/// A weight of 2 must train as the same row twice does. The networks have no batch normalization, whose statistics count every row of a
/// batch once, and all rows are one batch. The targets of the doubled rows have the mean and the deviation of all, so regression learns in
/// one unit.
/// </summary>
public sealed class RowWeightTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void Fit_Binary_WeightOfTwoIsTheRowTwice() =>
        RequireSame(
            options => _ml.BinaryClassification.Trainers.BatchNormNetwork(options with { LabelColumnName = nameof(Row.Positive) }),
            outputs: 1);

    [Fact]
    public void Fit_Multiclass_WeightOfTwoIsTheRowTwice() =>
        RequireSame(
            options => _ml.MulticlassClassification.Trainers.BatchNormNetwork(options with { LabelColumnName = nameof(Row.Class) }),
            outputs: 3);

    [Fact]
    public void Fit_Regression_WeightOfTwoIsTheRowTwice() =>
        RequireSame(options => _ml.Regression.Trainers.BatchNormNetwork(options with { LabelColumnName = nameof(Row.Number) }), outputs: 1);

    private void RequireSame(Func<BatchNormNetworkOptions, IEstimator<BatchNormTransformer>> create, int outputs)
    {
        var options = new BatchNormNetworkOptions
        {
            Network = Network.Input(2).Dense(6).Activation(Activation.Tanh).Dense(outputs),
            BatchSize = 1000,
            Seed = 0,
            Epochs = 60,
            EarlyStoppingPatience = 0,
            ValidationFraction = 0,
            StandardizeFeatures = false,
            Optimizer = Optimizer.Sgd(0.3f),
            Schedule = LearningRateSchedule.Constant,
            Device = Device.Cpu,
        };
        var rows = Rows();
        using var weighted = create(options with { ExampleWeightColumnName = nameof(Row.Weight) }).Fit(_ml.Data.LoadFromEnumerable(rows));
        using var doubled = create(options).Fit(_ml.Data.LoadFromEnumerable(rows.Concat(rows.Where(row => row.Weight == 2))));
        using var unweighted = create(options).Fit(_ml.Data.LoadFromEnumerable(rows));
        Assert.InRange(Distance(weighted, doubled), 0, 1e-4);
        Assert.InRange(Distance(weighted, unweighted), 1e-2, 10);
    }

    private static double Distance(BatchNormTransformer left, BatchNormTransformer right) => left.Model.ParameterArrays.Max(
        parameter =>
            parameter.Value.Zip(right.Model.ParameterArrays[parameter.Key]).Max(pair => Math.Abs((double)pair.First - pair.Second)));

    // The first half counts twice, and differs from the second half in where its rows lie.
    private static Row[] Rows()
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, 48).Select(i =>
        {
            var (x, y) = ((float)((2 * random.NextDouble()) - 1), (float)((2 * random.NextDouble()) - 1));
            var doubled = i < 24;
            return new Row
            {
                Features = [doubled ? x + 0.5f : x, i % 2 == 0 ? y + 0.4f : y],
                Positive = i % 2 == 0,
                Class = (uint)(doubled ? i % 3 : (i + (x > 0 ? 1 : 0)) % 3),
                Number = i % 2 == 0 ? 1 : -1,
                Weight = doubled ? 2 : 1,
            };
        })];
    }

    private sealed class Row
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [];

        public bool Positive { get; set; }

        [KeyType(3)]
        public uint Class { get; set; }

        public float Number { get; set; }

        public float Weight { get; set; }
    }
}
