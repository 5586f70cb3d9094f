using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Precision;

/// <summary>Models with fewer bits that are judged by the right answers.</summary>
public class LabeledPrecisionTests
{
    private const int Count = 200, Width = 40;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Run_OneProbabilityOrLogit_GivesAccuracyAndAuc(bool isProbability)
    {
        var (model, x) = (Model(1, isProbability ? "Sigmoid" : null), Perceptron.Rows(2, Count, Width));
        var y = Perceptron.Run(model, x);
        var threshold = isProbability ? 0.5f : 0;
        // Right for all rows but the first twenty.
        var labels = y.Select((value, row) => value > threshold != row < 20).ToArray();
        var figures = Check(model, x, new HostTensor(DataType.Bool, [Count], labels)).Labeled!;
        Assert.Equal(("y", Count), (figures.Output, figures.Rows));
        Assert.Equal(0.9, figures.Metrics.Before[Metric.Accuracy]!.Value, 1e-9);
        Assert.InRange(figures.Metrics.After[Metric.Accuracy]!.Value, 0.87, 0.93);

        // The AUC by its definition: how often a positive row stands above a negative one.
        var (positives, negatives) = (y.Where((_, row) => labels[row]).ToArray(), y.Where((_, row) => !labels[row]).ToArray());
        var above = positives.Sum(p => negatives.Sum(n => p > n ? 1.0 : p == n ? 0.5 : 0));
        Assert.Equal(above / positives.Length / negatives.Length, figures.Metrics.Before[Metric.AreaUnderRocCurve]!.Value, 1e-9);
    }

    [Fact]
    public void Run_SeveralValuesForEachRow_TakesTheLargestForTheClass()
    {
        var (model, x) = (Model(5, "Softmax"), Perceptron.Rows(3, Count, Width));
        var y = Perceptron.Run(model, x);
        var labels = Enumerable.Range(0, Count)
            .Select(row => (long)y[(row * 5)..((row + 1) * 5)].Index().MaxBy(pair => pair.Item).Index).ToArray();
        for (var row = 0; row < 50; row++) labels[row] = (labels[row] + 1) % 5;
        var check = Check(model, x, HostTensor.Of(labels, Count, 1));
        Assert.Equal(0.75, check.Labeled!.Metrics.Before[Metric.MicroAccuracy]!.Value, 1e-9);
        var (before, after) = (check.Labeled.Metrics.Before, check.Labeled.Metrics.After);
        Assert.True(
            check.IsWithin == before[Metric.MicroAccuracy]!.Value - after[Metric.MicroAccuracy]!.Value <= 0.01
                || check.WhyRefused!.StartsWith("macroAccuracy", StringComparison.Ordinal));

        // The same, one-hot.
        var oneHot = new float[Count * 5];
        for (var row = 0; row < Count; row++) oneHot[(row * 5) + (int)labels[row]] = 1;
        Assert.Equal(
            check.Labeled.Metrics.After[Metric.MicroAccuracy]!.Value,
            Check(model, x, HostTensor.Of(oneHot, Count, 5)).Labeled!.Metrics.After[Metric.MicroAccuracy]!.Value);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Run_Numbers_GivesTheErrorInTheirUnit(int width)
    {
        var (model, x) = (Model(width, null), Perceptron.Rows(4, Count, Width));
        var labels = Array.ConvertAll(Perceptron.Run(model, x), value => value + 0.5f);
        var check = Check(model, x, HostTensor.Of(labels, Count, width));
        Assert.Equal(0.5, check.Labeled!.Metrics.Before[Metric.RootMeanSquaredError]!.Value, 1e-5);
        var reduced = Perceptron.Run(check.Result.Model.Proto, x);
        Assert.Equal(
            Math.Sqrt(reduced.Zip(labels).Average(pair => Math.Pow(pair.First - pair.Second, 2))),
            check.Labeled.Metrics.After[Metric.RootMeanSquaredError]!.Value, 1e-6);
    }

    [Fact]
    public void Run_LabelsOfZeroAndOneForARegression_AreNumbers()
    {
        var (model, x) = (Model(1, null), Perceptron.Rows(4, Count, Width));
        ModelFile.SetMetadata(model, ModelMetadata.Task, "regression");
        Assert.NotNull(Check(model, x, HostTensor.Of(new long[Count], Count)).Labeled!.Metrics.Before[Metric.RootMeanSquaredError]);
    }

    [Fact]
    public void Run_TextsAsLabels_AreFoundAmongTheModelsClasses()
    {
        var (model, x) = (Model(2, "Softmax"), Perceptron.Rows(5, Count, Width));
        ModelFile.SetMetadata(model, ModelMetadata.Labels, TextList.ToJson(["stays", "leaves"]));
        var y = Perceptron.Run(model, x);
        var labels = Enumerable.Range(0, Count).Select(row => y[row * 2] > y[(row * 2) + 1] ? "stays" : "leaves").ToArray();
        Assert.Equal(
            1, Check(model, x, new HostTensor(DataType.String, [Count], labels)).Labeled!.Metrics.Before[Metric.MicroAccuracy]!.Value);
        labels[7] = "hesitates";
        Refuses(
            "'label' is 'hesitates' in row 7, which is none of the model's classes stays, leaves", model, x,
            new HostTensor(DataType.String, [Count], labels));
    }

    [Fact]
    public void Run_WorseThanAllowed_SaysByHowMuch()
    {
        var (model, x) = (Model(1, null), Perceptron.Rows(6, Count, Width));
        var labels = HostTensor.Of(Perceptron.Run(model, x), Count, 1);
        var check = Check(model, x, labels);
        Assert.False(check.IsWithin);
        Assert.StartsWith("rmse goes from 0 to ", check.WhyRefused, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_LabelsWithATolerance_KeepsBoth()
    {
        var (model, x) = (Model(1, "Sigmoid"), Perceptron.Rows(6, Count, Width));
        var labels = new RowLabels([HostTensor.Of(new long[Count], Count)]);
        var options = new PrecisionCheckOptions { Tolerance = 1e-9 };
        Assert.Contains(
            "more than the tolerance 1E-09",
            PrecisionCheck.Run(model, ModelPrecision.Int8, Perceptron.Inputs(x), options, labels).WhyRefused, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_LabelsThatDoNotFit_SayWhy()
    {
        var (model, x) = (Model(1, "Sigmoid"), Perceptron.Rows(7, Count, Width));
        Refuses("'label' holds 3 labels, but the output 'y' has 200 rows of 1", model, x, HostTensor.Of(new float[3], 3));
        Refuses(
            "holds texts, but the model does not say what its classes are called", model, x,
            new HostTensor(DataType.String, [Count], new string[Count]));
        var labels = new float[Count];
        labels[11] = float.NaN;
        Refuses("'label' is NaN in row 11; a label must be a finite number", model, x, HostTensor.Of(labels, Count));
        ModelFile.SetMetadata(model, ModelMetadata.Task, "binary");
        labels[11] = 2;
        Refuses("holds other labels than 0 and 1", model, x, HostTensor.Of(labels, Count));

        model = Model(3, "Softmax");
        Refuses(
            "'label' is 2.5 in row 11, but the output 'y' has 3 values for each row: the number of a class, from 0 to 2", model, x,
            HostTensor.Of([.. labels[..11], 2.5f, .. labels[12..]], Count));
        Refuses("'label' is 3 in row 0", model, x, HostTensor.Of([3, .. new long[Count - 1]], Count));
        Refuses("'label' is -1 in row 0", model, x, HostTensor.Of([-1, .. new long[Count - 1]], Count));
    }

    [Fact]
    public void Run_UnknownOutput_ListsThoseThereAre()
    {
        var labels = new RowLabels([HostTensor.Of(new long[4], 4)]) { Output = "z" };
        var exception = Assert.Throws<ArgumentException>(
            () => PrecisionCheck.Run(Model(1, null), ModelPrecision.Int8, Perceptron.Inputs(Perceptron.Rows(1, 4, Width)), labels: labels));
        Assert.Contains(
            "no output 'z' that could be compared with 'label'; its outputs are y", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_LabelsWithoutInputs_IsAnError()
    {
        var labels = new RowLabels([HostTensor.Of(new long[4], 4)]);
        Assert.Throws<ArgumentException>(() => PrecisionCheck.Run(Model(1, null), ModelPrecision.Int8, null, labels: labels));
    }

    [Fact]
    public void Run_NoRows_IsAnError()
    {
        Assert.Throws<ArgumentException>(() => PrecisionCheck.Run(Model(1, null), ModelPrecision.Float16, []));
        Assert.Throws<ArgumentException>(
            () => PrecisionCheck.Run(Model(1, null), ModelPrecision.Int8, Perceptron.Inputs(HostTensor.Of((float[])[], 0, Width))));
    }

    [Theory]
    [InlineData(1.0, true)]
    [InlineData(0.0, false)]
    public void Run_PredictedClassAsAnOutput_CountsHowOftenItChanges(double allowed, bool within)
    {
        // As classifiers of other tools give it, before the probabilities. Hundreds of classes: some rows lie between two.
        var network = new Perceptron(8);
        var scores = network.Graph.Node("MatMul", [network.Input(Width), network.Weight("w", Width, 300)]);
        network.Graph.Output(
            "label", network.Graph.Node("ArgMax", [scores], ("axis", 1L), ("keepdims", 0L)), DataType.Int64, TensorDimension.Rows);
        var model = network.Build(network.Graph.Node("Softmax", [scores]), 300);
        var inputs = Perceptron.Inputs(Perceptron.Rows(9, 1000, Width));
        var check = PrecisionCheck.Run(model, ModelPrecision.Int8, inputs, new PrecisionCheckOptions { Loss = allowed });
        Assert.InRange(check.Changed["label"], 0.001, 0.2);
        Assert.Equal(["y"], check.Comparison!.Outputs.Select(output => output.Output));
        Assert.Equal(within, check.IsWithin);
        if (!within) Assert.StartsWith("the output 'label' changes in ", check.WhyRefused, StringComparison.Ordinal);
    }

    private static PrecisionCheck Check(ModelProto model, HostTensor x, HostTensor labels) =>
        PrecisionCheck.Run(model, ModelPrecision.Int8, Perceptron.Inputs(x), labels: new RowLabels([labels]));

    private static void Refuses(string expected, ModelProto model, HostTensor x, HostTensor labels) =>
        Assert.Contains(expected, Assert.Throws<ArgumentException>(() => Check(model, x, labels)).Message, StringComparison.Ordinal);

    private static ModelProto Model(int outputs, string? activation)
    {
        var network = new Perceptron(1);
        var x = network.Graph.Node(
            "Relu", [network.Graph.Node("Gemm", [network.Input(Width), network.Weight("w", Width, 64), network.Weight("b", 64)])]);
        x = network.Graph.Node("MatMul", [x, network.Weight("v", 64, outputs)]);
        return network.Build(activation is null ? x : network.Graph.Node(activation, [x]), outputs);
    }
}
