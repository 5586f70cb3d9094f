using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Tests.Text;

public class NetworkTextTests
{
    [Fact]
    public void Parse_ToText_GivesTheSameNetwork()
    {
        var kinds = new HashSet<string>();
        var configuration = Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(2026, 1511).WithQuietOnSuccess(true);
        Prop.ForAll(RandomNetworks.Arbitrary, network =>
        {
            var text = network.ToString();
            var read = Network.Parse(text, [.. network.InputShape.Sizes]);
            Assert.Equal(Describe(network), Describe(read));
            Assert.Equal(text, read.ToString());
            kinds.UnionWith(network.AllSites.Select(site => site.Layer.Kind));
        }).Check(configuration);

        // Every kind came up: eight activations, and these.
        Assert.Superset(
            new HashSet<string>
            {
                "dense", "conv", "batchnorm", "layernorm", "groupnorm", "dropout", "maxpool", "averagepool", "globalaveragepool", "flatten",
                "residual",
            },
            kinds);
        Assert.Equal(19, kinds.Count);
    }

    [Fact]
    public void Parse_TheLanguagesOwnExample_BuildsWhatTheBuilderDoes()
    {
        var network = Network.Parse(
            """
            conv2d 16 3 bias=no      # channels, kernel
            batchnorm; relu

            RESIDUAL
              conv2d 32 3 stride=2
              batchnorm zerogamma=yes
            around
              conv2d 32 1 stride=2
            end
            globalaveragepool
            dropout 0.2
            dense 10 init=normal:0.01 name=last
            """,
            3,
            16,
            16);
        var expected = Network.Input(3, 16, 16)
            .Conv2d(16, 3, new ConvolutionOptions { Bias = false }).BatchNorm().Relu()
            .Residual(body => body.Conv2d(32, 3, stride: 2).BatchNorm(zeroGamma: true), around => around.Conv2d(32, 1, stride: 2))
            .GlobalAveragePool().Dropout(0.2f).Dense(10, weights: Initializer.Normal(0.01f)).Named("last");
        Assert.Equal(Describe(expected), Describe(network));
    }

    [Theory]
    [InlineData("dense 4\nrelu\ndense", "Line 3, 'dense': UNITS is missing; expected: dense UNITS [bias=yes|no]")]
    [InlineData("dense four", "UNITS is a whole number above 0, not 'four'")]
    [InlineData("dense 4 8", "Line 1, 'dense 4 8': '8' is too much; expected: dense UNITS")]
    [InlineData("dense 4 stride=2", "'stride' is too much")]
    [InlineData("dense 4 bias=maybe", "bias is yes or no, not 'maybe'")]
    [InlineData("dense 4 bias=no bias=no", "bias is given twice")]
    [InlineData("dense 4 init=best", "'best' is not an initializer; use he, heuniform")]
    [InlineData("dense 4\ntransformer 8", "Line 2, 'transformer 8': 'transformer' is not a layer; expected one of dense, conv1d, conv2d,")]
    [InlineData("relu 3", "'3' is too much")]
    [InlineData("leakyrelu:2", "The slope of a leaky relu is from 0 to below 1")]
    [InlineData(
        "dense 4; conv2d 8 3", "Line 1, 'conv2d 8 3': Layer 'conv1' does not fit: A window over 2 axes takes rows of shape [C, H, W]")]
    [InlineData("dropout 1.5", "A dropout rate is from 0 to below 1")]
    [InlineData("conv1d 8 3x3", "KERNEL has one size, or 1 with an x between them")]
    [InlineData("residual\ndense 8", "Line 1, 'residual': the block has no 'end'")]
    [InlineData("residual\ndense 8\nend", "The body gives [8], but the way around it gives [5]")]
    [InlineData("residual 3\ndense 5\nend", "'3' is too much; expected: residual")]
    [InlineData("residual\ndense 8\naround\ndense 8\naround\ndense 8\nend", "Line 5, 'around': 'end' was expected")]
    [InlineData("dense 5\nend", "Line 2, 'end': there is no 'residual' or 'members' before it")]
    [InlineData("batchnorm name=a\nbatchnorm name=a", "Line 2, 'batchnorm name=a': Two layers are named 'a'")]
    [InlineData("# nothing\n ;; \n", "There are no layers in the text")]
    public void Parse_Mistake_NamesTheLineAndWhatWasExpected(string text, string expected)
    {
        var message = Assert.Throws<FormatException>(() => Network.Parse(text, 5)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("my layer")]
    [InlineData("a;b")]
    [InlineData("")]
    public void ToText_NameThatMeansSomething_SaysSo(string name) => Assert.Contains(
        "cannot be written",
        Assert.Throws<NotSupportedException>(() => Network.Input(2).Add(new DenseLayer(3) { Name = name }).ToString()).Message,
        StringComparison.Ordinal);

    [Fact]
    public void ToText_LayerOfOnesOwn_SaysSo() => Assert.Contains(
        "'own' cannot be written",
        Assert.Throws<NotSupportedException>(() => Network.Input(2).Add(new OwnLayer()).ToString()).Message,
        StringComparison.Ordinal);

    // Every public property of every layer (but the kernel, which prints as a type), and all shapes and parameters.
    private static string Describe(Network network) => string.Join('\n', network.AllSites.Select(Describe).Append(network.Summary()));

    private static string Describe(LayerSite site)
    {
        var layer = Regex.Replace(site.Layer.ToString(), "Kernel = [^,]*,", string.Empty);
        var parameters = site.Parameters.Select(
            parameter => $"{parameter.Name} [{string.Join(", ", parameter.Shape)}] {parameter.Initializer}");
        return $"{site.Name} {site.Input} {site.Output} {layer} {string.Join(", ", parameters)}";
    }

    private sealed record OwnLayer : Layer
    {
        public override string Kind => "own";

        public override SampleShape OutputShape(SampleShape input) => input;

        public override Differentiable Train(TrainingGraph graph, LayerSite site, MlNetBatchNorm.Onnx.Graph.Value x) =>
            new(x, (dy, _) => dy);

        public override MlNetBatchNorm.Onnx.Graph.Value Infer(InferenceGraph graph, LayerSite site, MlNetBatchNorm.Onnx.Graph.Value x) => x;
    }
}
