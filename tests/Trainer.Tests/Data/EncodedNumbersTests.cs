using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Tests.Data;

public class EncodedNumbersTests
{
    [Fact]
    public void Edges_NumbersThatDiffer_AreNumPysQuantiles()
    {
        // numpy.quantile([0, 1, 4, 9, …, 81], [0, .25, .5, .75, 1])
        float[] squares = [.. Enumerable.Range(0, 10).Select(i => (float)(i * i))];

        Assert.Equal([0, 5.25f, 20.5f, 45.75f, 81], EncodedNumbers.Edges(squares, 4));
    }

    [Fact]
    public void Edges_ValueOfManyRows_StaysAnEdgeAndTheOthersAreQuantilesOfTheRest()
    {
        // Half of the rows are 0: the rest, 1 … 10, has the quartiles of numpy.quantile(range(1, 11), [0, 1/3, 2/3, 1]).
        float[] sorted = [.. Enumerable.Repeat(0f, 10), .. Enumerable.Range(1, 10).Select(i => (float)i)];

        Assert.Equal([0, 1, 4, 7, 10], EncodedNumbers.Edges(sorted, 4));
    }

    [Fact]
    public void Emit_ARow_IsWhatTheFormulasGive()
    {
        // Feature 0 has three values, 1 is a flag, 2 the same in every row, 3 has two values, 4 many.
        float[][] rows = [.. Enumerable.Range(0, 20).Select(i => new float[] { i % 3, i % 2, 7, i % 4 == 0 ? 5 : 9, i * i })];
        var encoding = EncodedNumbers.Fit(Data(rows), bins: 4, forClasses: true);

        Assert.Equal([0, 4], encoding.Numbers);
        Assert.Equal([0, 0, 3, 4, 4, 4, 4], encoding.BinFeatures);
        Assert.Equal([1], encoding.Flags);
        var (plain, scales) = encoding.Unscaled();
        Assert.Equal(encoding.Width, scales.Length);
        var encoded = Encode(plain, [1, 1, 7, 9, 100]);

        // Quartiles of i² for i = 0 … 19: numpy gives 22.75, 90.5, 203.25.
        Assert.Equal(Smooth(0), encoded[0], 1e-6);
        Assert.Equal(Smooth((100 - 90.5) / (203.25 - 22.75)), encoded[1], 1e-6);
        Assert.Equal([1, 0, 1, 1, 1], encoded[2..7]);
        Assert.Equal((100 - 90.5) / (203.25 - 90.5), encoded[7], 1e-6);
        Assert.Equal([0, 1], encoded[8..10]);
    }

    [Fact]
    public void Fit_MoreFeaturesOfTextsThanAreLearnedFrom_TakesTheMostCommon()
    {
        // Those from 16,384 on are in 5 rows, the others in 6; the last ones in fewer.
        var rows = Sparse(1000, 18_000, slot => slot < 1 << 14 ? 6 : slot < 17_000 ? 5 : 4);

        var encoding = EncodedNumbers.Fit(rows, bins: 8, forClasses: true);

        Assert.Equal(Enumerable.Range(0, 1 << 14), encoding.Used);
    }

    [Fact]
    public void Fit_NumberBesideTheWordsOfTexts_HasTheBinsThatItHasAlone()
    {
        var beside = EncodedNumbers.Fit(Sparse(1200, 2000, slot => slot == 7 ? 1200 : 6), bins: 8, forClasses: true);

        Assert.Equal(2000, beside.Numbers.Length);
        Assert.Equal(Enumerable.Repeat(7, 8), beside.BinFeatures);
    }

    [Theory]
    [InlineData(1e-38f)]
    [InlineData(1e38f)]
    [InlineData(1f)]
    public void Emit_NumbersOfAnySize_AreTheSame(float unit)
    {
        float[] values = [0.1f, 0.4f, 0.5f, 0.9f, 1.3f, 2.2f, 3.1f];
        var encoding = EncodedNumbers.Fit(Data([.. values.Select(value => new[] { value * unit })]), bins: 3, forClasses: false);
        var expected = EncodedNumbers.Fit(Data([.. values.Select(value => new[] { value })]), bins: 3, forClasses: false);

        foreach (var value in new[] { 0.2f, 0.5f, 1.0f, 3.0f })
        {
            var (encoded, right) = (Encode(encoding, [value * unit]), Encode(expected, [value]));
            for (var i = 0; i < right.Length; i++) Assert.Equal(right[i], encoded[i], 1e-4f);
        }

        Assert.All(Encode(encoding, [float.MaxValue]), value => Assert.InRange(value, 0, 3.0001f));
        Assert.All(Encode(encoding, [float.PositiveInfinity]), value => Assert.InRange(value, 0, 3.0001f));
        Assert.All(Encode(encoding, [float.MinValue]), value => Assert.InRange(value, -3.0001f, 0));
    }

    [Fact]
    public void Fit_SparseRows_AreEncodedAsDenseOnes()
    {
        var (random, width) = (new Random(1), 2000);
        var dense = new float[300 * width];
        for (var row = 0; row < 300; row++)
            for (var i = 0; i < 20; i++) dense[(row * width) + random.Next(width)] = random.Next(1, 6);
        var builder = new FeatureRows.Builder(width, blockValues: 1 << 14);
        for (var row = 0; row < 300; row++) builder.Add(dense.AsSpan(row * width, width), [], isDense: true);
        var sparse = new TrainingData(new SampleShape(width), 1, builder.Build(), new float[300]);

        var encoding = EncodedNumbers.Fit(sparse, bins: 4, forClasses: true);
        var expected = EncodedNumbers.Fit(new TrainingData(new SampleShape(width), 1, dense, new float[300]), bins: 4, forClasses: true);

        Assert.True(sparse.FeatureRows.IsSparse);
        Assert.Equal(expected.Numbers, encoding.Numbers);
        Assert.Equal(expected.Lower, encoding.Lower);
        Assert.Equal(expected.Scale, encoding.Scale);
        Assert.Equal(expected.FlagScale, encoding.FlagScale);
    }

    [Fact]
    public void Fit_LevelsOfACategory_CountByTheRootOfTheirNumber()
    {
        // Four levels, two levels, and a flag of its own.
        float[][] rows = [.. Enumerable.Range(0, 40).Select(i => new[]
        {
            i % 4 == 0 ? 1f : 0, i % 4 == 1 ? 1 : 0, i % 4 == 2 ? 1 : 0, i % 4 == 3 ? 1 : 0,
            i < 25 ? 1 : 0, i >= 25 ? 1 : 0,
            i % 7 == 0 ? 1 : 0,
        })];

        var scales = EncodedNumbers.Fit(Data(rows), bins: 4, forClasses: true).FlagScale;

        Assert.Equal([0.5f, 0.5f, 0.5f, 0.5f, 1, 1, 1], scales);
    }

    [Theory]
    [InlineData(300, 1, true, 0.2f)]
    [InlineData(600, 1, true, 0.4f)]
    [InlineData(600, 2, true, 0.2f)]
    [InlineData(1800, 1, true, 1)]
    [InlineData(1000, 1, false, 0.5f)]
    [InlineData(2500, 3, false, 1)]
    public void Fit_BinsOfNumbers_ReachAsFarAsThereAreRowsForThem(int rows, int numbers, bool forClasses, float reach)
    {
        // For two classes a share of 1,500 rows to each number, but a fifth at least; for a number to be learned a share of 2,000 rows.
        float[][] values = [.. Enumerable.Range(0, rows).Select(row => Enumerable.Range(1, numbers).Select(i => (float)row * i).ToArray())];

        Assert.Equal(reach, EncodedNumbers.Fit(Data(values), bins: 4, forClasses).BinReach, 1e-6f);
    }

    private static double Smooth(double z) => z / Math.Sqrt(1 + (z * z / 9));

    private static TrainingData Data(float[][] rows) =>
        new(new SampleShape(rows[0].Length), 1, [.. rows.SelectMany(row => row)], new float[rows.Length]);

    // Rows of which nearly all is 0: each feature has as many different numbers as rows.
    private static TrainingData Sparse(int count, int width, Func<int, int> rowsOf)
    {
        var rows = Enumerable.Range(0, count).Select(_ => new SortedDictionary<int, float>()).ToArray();
        for (var slot = 0; slot < width; slot++)
            for (var i = 0; i < rowsOf(slot); i++) rows[(slot + i) % count][slot] = i + 1;
        var builder = new FeatureRows.Builder(width);
        foreach (var row in rows) builder.Add([.. row.Values], [.. row.Keys], isDense: false);
        return new TrainingData(new SampleShape(width), 1, builder.Build(), new float[count]);
    }

    private static float[] Encode(EncodedNumbers encoding, float[] row)
    {
        var network = Network.Input(row.Length).Add(new NumericEncodingLayer(encoding));
        var nodes = new GraphBuilder("encoding");
        var x = nodes.Input("x", Onnx.Proto.TensorProto.Types.DataType.Float, TensorDimension.Rows, row.Length);
        var graph = new InferenceGraph(nodes, _ => throw new InvalidOperationException("It has no parameters."));
        nodes.Output("y", graph.Infer(network.Sites, x), Onnx.Proto.TensorProto.Types.DataType.Float, TensorDimension.Rows, encoding.Width);
        using var session = OnnxSession.Load(nodes.Build());
        return (float[])session.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of(row, 1, row.Length) })["y"].Data;
    }
}
