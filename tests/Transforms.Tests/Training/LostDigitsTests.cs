using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>What ML.NET cuts off before a trainer can see it is said; what it need not cut off is learned.</summary>
public sealed class LostDigitsTests
{
    private static readonly BatchNormNetworkOptions Quick = new()
    {
        HiddenLayers = [8],
        Epochs = 1,
        Device = Device.Cpu,
        Seed = 0,
    };

    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _warnings = [];

    [Theory]
    [InlineData(nameof(Row.Order), "'Order' has 100 different numbers as Double but 2 as Single")]
    [InlineData(nameof(Row.Time), "'Time' has 100 different numbers as Int64 but 1 as Single")]
    [InlineData(nameof(Row.Read), "'Read' has 3 different numbers from 1.2345677E+09 to 1.234568E+09, where those of Single are 128 apart")]
    public void Fit_FeatureThatWasCut_IsNamed(string column, string expected)
    {
        var front = _ml.Transforms.Conversion.ConvertType(column, outputKind: DataKind.Single)
            .Append(_ml.Transforms.Concatenate("Features", nameof(Row.Small), column));
        using var model = Fit(front, _ml.BinaryClassification.Trainers.BatchNormNetwork(Options("Positive")));

        var warning = Assert.Single(_warnings);
        Assert.StartsWith($"The feature {expected}", warning, StringComparison.Ordinal);
        Assert.Contains("NormalizeMeanVariance with fixZero: false", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_FeaturesThatLostNothing_AreNotNamed()
    {
        InputOutputColumnPair[] large = [new(nameof(Row.Order)), new(nameof(Row.Time))];
        InputOutputColumnPair[] all = [.. large, new(nameof(Row.Rounded)), new(nameof(Row.Constant))];
        var front = _ml.Transforms.NormalizeMeanVariance(large, fixZero: false)
            .Append(_ml.Transforms.Conversion.ConvertType(all, DataKind.Single))
            .Append(_ml.Transforms.Concatenate("Features", nameof(Row.Small), "Order", "Rounded", "Constant"));
        var timeless = _ml.Transforms.Conversion.ConvertType("Time", outputKind: DataKind.Double);
        using var model = Fit(timeless.Append(front), _ml.BinaryClassification.Trainers.BatchNormNetwork(Options("Positive")));

        Assert.Empty(_warnings);
    }

    [Theory]
    [InlineData(nameof(Row.Order), 128)]
    [InlineData(nameof(Row.Time), 131072)]
    public void Fit_LabelOfManyDigits_IsLearnedAndItsScoreSaidToBeRounded(string label, float apart)
    {
        var options = Options(label) with { Epochs = 40, BatchSize = 16 };
        var front = _ml.Transforms.Concatenate("Features", nameof(Row.Small), nameof(Row.Number));
        using var model = Fit(front, _ml.Regression.Trainers.BatchNormNetwork(options));
        var rows = Rows();
        var offset = label == "Order" ? 1_234_567_800.0 : 1_700_000_000_123;

        Assert.Contains($"scores are {apart} apart", Assert.Single(_warnings), StringComparison.Ordinal);
        var network = model.LastTransformer;
        using var scorer = network.CreateScorer(new OnnxScorerOptions { Outputs = [TrainedNetwork.ScoreAboveOffsetOutput] });
        for (var i = 0; i < 20; i++)
        {
            var exact = network.Measured.Offset + Score(scorer, rows[i].Small, rows[i].Number);
            Assert.Equal(rows[i].Number, exact - offset, 25.0);
        }

        // And as it is in the columns, also after saving.
        using var file = new MemoryStream();
        var data = _ml.Data.LoadFromEnumerable(rows);
        _ml.Model.Save(model, data.Schema, file);
        file.Position = 0;
        var loaded = _ml.Model.Load(file, out _);
        foreach (var score in loaded.Transform(data).GetColumn<float>("Score")) Assert.Equal(offset, score, 2.0 * apart);
        file.Position = 0;
        using var batched = _ml.Model.LoadBatched(file, out _);
        var again = ((IEnumerable<ITransformer>)batched).OfType<BatchNormTransformer>().Single();
        Assert.Equal(network.Measured.Offset, again.Measured.Offset);
        using var reloaded = again.CreateScorer(new OnnxScorerOptions { Outputs = again.Measured.Outputs });
        Assert.Equal(Score(scorer, 0.5f, 50), Score(reloaded, 0.5f, 50));
    }

    [Fact]
    public void Fit_SingleLabelThatWasCut_IsNamed()
    {
        var front = _ml.Transforms.Conversion.ConvertType("Order", outputKind: DataKind.Single)
            .Append(_ml.Transforms.Concatenate("Features", nameof(Row.Small), nameof(Row.Number)));
        using var model = Fit(front, _ml.Regression.Trainers.BatchNormNetwork(Options("Order")));

        Assert.StartsWith(
            "The label 'Order' has 100 different numbers as Double but 2 as Single", Assert.Single(_warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1e300)]
    [InlineData(1e-300)]
    [InlineData(1e35)]
    public void Fit_LabelBeyondFloat32_IsRefusedByName(double size)
    {
        var rows = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 50).Select(i => new Row { Order = i * size, Small = i }).ToArray());
        var front = _ml.Transforms.Concatenate("Features", nameof(Row.Small)).Append(
            _ml.Regression.Trainers.BatchNormNetwork(Options("Order")));

        var exception = Assert.Throws<InvalidDataException>(() => front.Fit(rows));
        Assert.StartsWith("The label column 'Order' has numbers of up to", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_LabelsThatDifferBeyondFloat64_AreNotCalledTheSame()
    {
        var rows = _ml.Data.LoadFromEnumerable(
            Enumerable.Range(0, 50).Select(i => new Row { Time = 1_234_567_890_123_456_789 + (i % 2), Small = i }).ToArray());
        var front = _ml.Transforms.Concatenate("Features", nameof(Row.Small)).Append(
            _ml.Regression.Trainers.BatchNormNetwork(Options("Time")));

        var exception = Assert.Throws<InvalidDataException>(() => front.Fit(rows));
        Assert.Contains("'Time' differs only in digits beyond", exception.Message, StringComparison.Ordinal);
    }

    private static float Score(OnnxScorer scorer, float first, float second)
    {
        var result = new float[1];
        scorer.Score([first, second], result);
        return result[0];
    }

    private static Row[] Rows() =>
    [
        .. Enumerable.Range(0, 200).Select(i => i * 37 % 100).Select(number => new Row
        {
            Number = number,
            Order = 1_234_567_800.0 + number,
            Time = 1_700_000_000_123 + number,
            Read = (float)(1_234_567_700.0 + (3 * number)),
            Rounded = 1_000_000_000 + (1024 * number),
            Constant = 1_234_567_890_123,
            Small = number % 7,
            Positive = number > 50,
        }),
    ];

    private BatchNormNetworkOptions Options(string label) => Quick with
    {
        LabelColumnName = label,
        Warning = warning =>
        {
            if (warning.Kind == TrainingWarningKind.DigitsLost) _warnings.Add(warning.Message);
        },
    };

    private TransformerChain<TTransformer> Fit<TTransformer>(IEstimator<ITransformer> front, IEstimator<TTransformer> trainer)
        where TTransformer : class, ITransformer => front.Append(trainer).Fit(_ml.Data.LoadFromEnumerable(Rows()));

    private sealed class Row
    {
        public float Number { get; set; }

        public double Order { get; set; }

        public long Time { get; set; }

        public float Read { get; set; }

        public int Rounded { get; set; }

        public long Constant { get; set; }

        public float Small { get; set; }

        public bool Positive { get; set; }
    }
}
