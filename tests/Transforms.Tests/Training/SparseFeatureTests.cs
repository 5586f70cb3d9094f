using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Transforms.Training;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>Vectors that only hold what is not zero train and score as the same vectors written out do.</summary>
public sealed class SparseFeatureTests
{
    private const int Size = 40;

    private static readonly BatchNormNetworkOptions Quick = new() { HiddenLayers = [8], Epochs = 3, Device = Device.Cpu, Seed = 0 };

    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void Fit_SparseVectors_GivesTheSameBitsAsDenseOnes()
    {
        var (sparse, dense) = Views();
        RequireSame(
            _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { LabelColumnName = nameof(Row.Positive) }), sparse, dense);
        RequireSame(
            _ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick with { LabelColumnName = nameof(Row.Class) }), sparse, dense);
        RequireSame(_ml.Regression.Trainers.BatchNormNetwork(Quick with { LabelColumnName = nameof(Row.Number) }), sparse, dense);
    }

    [Fact]
    public void Predict_SparseRow_EqualsTheDenseOne()
    {
        var (sparse, dense) = Views();
        using var model = _ml.Regression.Trainers.BatchNormNetwork(Quick with { LabelColumnName = nameof(Row.Number) }).Fit(dense);
        using var engine = _ml.Model.CreatePredictionEngine<Row, RegressionPrediction>(model);
        var scores = model.Transform(dense).GetColumn<float>("Score").ToArray();
        var rows = Rows(sparse: true);
        for (var i = 0; i < rows.Length; i++) Assert.Equal(scores[i], engine.Predict(rows[i]).Score, 1e-5f);
    }

    /// <summary>More values than an int can count, as hashed categories soon are; ML.NET's own trainers take them.</summary>
    [Fact]
    public void Read_RowsTimesSlotsBeyondAnInt_KeepsWhatIsNotZero()
    {
        var view = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 3000).Select(i => new WideRow
        {
            Features = new VBuffer<float>(WideRow.Size, 2, [i, 2], [i, WideRow.Size - 1]),
            Label = i,
        }).ToArray());
        var reader = new TrainingRowReader(view, "Label", "Features", null, null, UnusableRows.Fail);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var rows = reader.Read<float>(1, SetTarget, CancellationToken.None);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
        Assert.Equal(3000, rows.Count);
        var last = rows.Row(2999);
        Assert.Equal((2999f, 2f, 0f), (last[2999], last[^1], last[0]));

        static string? SetTarget(float label, Span<float> target)
        {
            target[0] = label;
            return null;
        }
    }

    private static void RequireSame(IEstimator<BatchNormTransformer> trainer, IDataView sparse, IDataView dense)
    {
        using var model = trainer.Fit(sparse);
        using var expected = trainer.Fit(dense);
        foreach (var (name, values) in expected.Model.Parameters) Assert.Equal(values, model.Model.Parameters[name]);
        var (left, right) = (model.Transform(sparse), expected.Transform(dense));
        if (left.Schema["Score"].Type is VectorDataViewType)
            Assert.Equal(right.GetColumn<float[]>("Score"), left.GetColumn<float[]>("Score"));
        else Assert.Equal(right.GetColumn<float>("Score"), left.GetColumn<float>("Score"));
    }

    private (IDataView Sparse, IDataView Dense) Views() =>
        (_ml.Data.LoadFromEnumerable(Rows(sparse: true)), _ml.Data.LoadFromEnumerable(Rows(sparse: false)));

    private static Row[] Rows(bool sparse)
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, 150).Select(i =>
        {
            int[] indices = [i % 3, 3 + random.Next(10), 13 + random.Next(Size - 13)];
            float[] values = [1, (float)random.NextDouble(), -(float)random.NextDouble()];
            var vector = new VBuffer<float>(Size, 3, values, indices);
            return new Row
            {
                Features = sparse ? vector : new VBuffer<float>(Size, [.. vector.DenseValues()]),
                Positive = i % 3 == 0,
                Class = (uint)(i % 3),
                Number = (i % 3) + values[1],
            };
        })];
    }

    private sealed class WideRow
    {
        public const int Size = 1 << 20;

        [VectorType(Size)]
        public VBuffer<float> Features { get; set; }

        public float Label { get; set; }
    }

    private sealed class Row
    {
        [VectorType(Size)]
        public VBuffer<float> Features { get; set; }

        public bool Positive { get; set; }

        [KeyType(3)]
        public uint Class { get; set; }

        public float Number { get; set; }
    }
}
