using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>inspect --html</c>: any model as a page that is well-formed, complete in itself, and bounded.</summary>
public sealed class ModelPageTests : IDisposable
{
    // Of the drawing's own style: what is wider or higher lies on something else.
    private const double BoxWidth = 188;
    private const double BoxHeight = 58;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Inspect_Html_DrawsTheGraphBeforeAndAfterFolding()
    {
        var nodes = new GraphBuilder("dense");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, 2);
        var h = nodes.Named("dense", "Gemm", [x, Floats(nodes, "weight", [1, 2, 3, 0], 2, 2), Floats(nodes, "bias", [0, 0], 2)]);
        var normal = nodes.Named("bn", "BatchNormalization", [h, .. Parameters(nodes, [1, 3], [0, 0], [-2, 2], [4, 4])]);
        nodes.Output("y", nodes.Named("act", "Relu", [normal]), DataType.Float, TensorDimension.Rows, 2);
        ModelFile.Write(nodes.Build(), _folder.File("in.onnx"));

        var result = Tool.Run(_folder.Path, "inspect", "in.onnx", "--html", "page.html");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("batch normalizations", result.Output, StringComparison.Ordinal);
        Assert.Contains("written to page.html", result.Error, StringComparison.Ordinal);
        var page = Parse(File.ReadAllText(_folder.File("page.html")));
        Assert.Equal(
            ["before: 3 nodes", "after: 2 nodes"], Drawing(page).Elements("text").Select(text => text.Value));
        Assert.Equal(
            [
                "input|x|[N, 2]", "Gemm|dense|[N, 2]", "BatchNormalization|bn|→ dense", "Relu|act|[N, 2]", "output|y|[N, 2]",
                "input|x|[N, 2]", "Gemm|dense|with bn", "Relu|act|[N, 2]", "output|y|[N, 2]",
            ],
            Boxes(page).Select(box => string.Join('|', box.Texts)));
        // The rectifier stands on the same height on both sides, below the place of the batch normalization.
        Assert.Equal(Boxes(page)[3].Top, Boxes(page)[7].Top);
        Assert.Contains(Cells(page), cells => cells is ["bn", "folded", "dense", _, ""]);
        Assert.Contains(Cells(page), cells => cells is ["opset", "ai.onnx 17"]);

        // [1, 2, 3, 0] has the mean 1.5 and the variance (0.25 + 0.25 + 2.25 + 2.25) / 4 = 1.25.
        Assert.Contains(
            Cells(page),
            cells => cells.Length == 9
                && cells[..8] is ["weight, read by Gemm 'dense'", "[2, 2]", "0", "3", "1.5", "1.118", "1", "0"]);
        Assert.Contains(Cells(page), cells => cells.Length == 9 && cells[..6] is ["gamma of bn", "[2]", "1", "3", "2", "1"]);
        Assert.Contains(Cells(page), cells => cells.Length == 9 && cells[..6] is ["mean of bn", "[2]", "-2", "2", "0", "2"]);
        Assert.Contains(Cells(page), cells => cells[0].StartsWith("weight_folded, read by Gemm", StringComparison.Ordinal));
    }

    [Fact]
    public void Inspect_HtmlToStdout_IsThePageAlone()
    {
        ModelFile.Write(Chain(3, _ => "Relu"), _folder.File("in.onnx"));

        var result = Tool.Run(_folder.Path, "inspect", "in.onnx", "--html", "-");

        Assert.True(result.ExitCode == 0, result.Error);
        var page = Parse(result.Output);
        Assert.Equal(5, Boxes(page).Count);
        Assert.Contains("There is no batch normalization in it.", page.Root!.Value, StringComparison.Ordinal);
        Assert.Contains("3 Relu", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Inspect_HtmlThatWouldReplaceTheModel_IsWrongUsage()
    {
        ModelFile.Write(Chain(1, _ => "Relu"), _folder.File("in.onnx"));
        var bytes = File.ReadAllBytes(_folder.File("in.onnx"));

        var result = Tool.Run(_folder.Path, "inspect", "in.onnx", "--html", "./in.onnx");

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("would replace the model", result.Error, StringComparison.Ordinal);
        Assert.Equal(bytes, File.ReadAllBytes(_folder.File("in.onnx")));
    }

    [Fact]
    public void Page_OddNames_AreShownAndDoNothing()
    {
        string[] names =
        [
            "<script>alert(1)</script>", "a & b", "]]>", new string('w', 5000), "名前は長い方がいい名前は長い方がいい名前は長い方がいい",
            "\u202Eesrever", "line\nend\u0001", "👩‍👩‍👧‍👦 family", "/layer1/layer1.0/conv1/Conv", "\uD800",
        ];
        var model = Chain(names.Length, _ => "Relu");
        for (var i = 0; i < names.Length; i++) model.Graph.Node[i].Name = names[i];
        model.ProducerName = "<b>";

        var page = Page(model);

        Assert.Empty(page.Descendants("script"));
        var shown = Boxes(page).Select(box => box.Texts[1]).ToArray();
        Assert.Equal("<script>alert(1)</script>", shown[1]);
        Assert.Equal("a & b", shown[2]);
        Assert.Equal("w…w", Regex.Replace(shown[4], "w+", "w"));
        Assert.InRange(shown[4].Length, 10, 16);
        Assert.StartsWith("名前", shown[5], StringComparison.Ordinal);
        Assert.InRange(shown[5].Length, 8, 12);
        Assert.Matches("^/layer1/.*….*/conv1/Conv$", shown[9]);
    }

    [Theory]
    [InlineData("alike")]
    [InlineData("blocks")]
    [InlineData("different")]
    [InlineData("fan")]
    [InlineData("dense")]
    public void Page_ThreeThousandNodes_IsBoundedAndNothingOverlaps(string kind)
    {
        string[] block = ["Relu", "Sigmoid", "Tanh", "Abs", "Neg"];
        var random = new Random(1);
        var model = kind switch
        {
            "alike" => Chain(3000, _ => "Relu"),
            "blocks" => Chain(3000, i => block[i % 5]),
            "different" => Chain(3000, _ => block[random.Next(5)]),
            "fan" => Joined(3000, (_, random) => [0]),
            _ => Joined(3000, (i, random) => [i, random.Next(i + 1), random.Next(i + 1)]),
        };

        var text = PageText(model);
        var page = Parse(text);

        Assert.InRange(text.Length, 1, 1 << 20);
        var boxes = Boxes(page);
        Assert.InRange(boxes.Count, 3, 160);
        var counted = boxes.Sum(box => box.Texts[0].StartsWith('…')
            ? int.Parse(box.Texts[0].Split(' ')[1], NumberStyles.AllowThousands, CultureInfo.InvariantCulture)
            : box.Texts[0] is "input" or "output" ? 0 : 1);
        Assert.Equal(model.Graph.Node.Count, counted);
        RequireApart(page);
    }

    [Fact]
    public void Page_BlocksOfBatchNorms_AreOneBoxOnBothSides()
    {
        var nodes = new GraphBuilder("deep");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, 2);
        for (var i = 0; i < 400; i++)
        {
            x = nodes.Named("dense", "Gemm", [x, Floats(nodes, "weight", [1, 2, 3, 0], 2, 2), Floats(nodes, "bias", [0, 0], 2)]);
            x = nodes.Named("bn", "BatchNormalization", [x, .. Parameters(nodes, [1, 3], [0, 0], [-2, 2], [4, 4])]);
            x = nodes.Node("Relu", [x]);
        }

        nodes.Output("y", x, DataType.Float, TensorDimension.Rows, 2);

        var page = Page(nodes.Build());

        var summaries = Boxes(page).Where(box => box.Texts[0].StartsWith('…')).ToList();
        Assert.Equal(["… 1,194 more nodes", "… 796 more nodes"], summaries.Select(box => box.Texts[0]));
        Assert.All(summaries, box => Assert.Equal("the same 398 times more", box.Texts[1]));
        Assert.Equal("398 Gemm, 398 Relu", summaries[1].Texts[2]);
        Assert.Equal(summaries[0].Top, summaries[1].Top);
        Assert.Contains("The first 300 of 400;", page.Root!.Value, StringComparison.Ordinal);
        RequireApart(page);
    }

    [Fact]
    public void Page_WeightsThatAreNotFinite_StandFirst()
    {
        var model = Chain(300, _ => "Relu");
        for (var i = 0; i < 300; i++) model.Graph.Initializer.Add(TensorData.Create($"w{i}", [i, i == 250 ? float.NaN : i], 2));

        var rows = Cells(Page(model)).Where(cells => cells.Length == 9).ToArray();

        Assert.Equal(200, rows.Length);
        Assert.Equal(["w250", "[2]", "250", "250", "250", "0", "0", "1"], rows[0][..8]);
        Assert.Equal("w0", rows[1][0]);
    }

    [Fact]
    public void Page_SubgraphsAndConstants_AreSaidToBeThere()
    {
        var inner = new GraphBuilder("branch");
        inner.Output("inside", inner.Node("Relu", [new Value("x")]), DataType.Float, 2);
        var nodes = new GraphBuilder("outer");
        var x = nodes.Input("x", DataType.Float, 2);
        var shape = nodes.Node("Identity", [nodes.Integers(2)]);
        nodes.Output("y", nodes.Node("Reshape", [x, shape]), DataType.Float, 2);
        var model = nodes.Build();
        model.Graph.Input.Add(new ValueInfoProto
        {
            Name = "condition",
            Type = new TypeProto { TensorType = new() { ElemType = (int)DataType.Bool, Shape = new TensorShapeProto() } },
        });
        var branch = inner.Build().Graph;
        branch.Input.Clear();
        model.Graph.Node.Add(new NodeProto
        {
            OpType = "If",
            Name = "choice",
            Input = { "condition" },
            Output = { "z" },
            Attribute =
            {
                new AttributeProto { Name = "then_branch", Type = AttributeProto.Types.AttributeType.Graph, G = branch },
                new AttributeProto { Name = "else_branch", Type = AttributeProto.Types.AttributeType.Graph, G = branch.Clone() },
            },
        });
        model.Graph.Output.Add(new ValueInfoProto { Name = "z", Type = model.Graph.Output[0].Type });

        var page = Page(model);

        Assert.Contains(page.Descendants("title"), title => title.Value.Contains("has 2 nodes inside", StringComparison.Ordinal));
        Assert.Contains("Not drawn: 1 nodes that compute with constants only.", page.Root!.Value, StringComparison.Ordinal);
        // What a branch reads from outside is a line to its node: x to Reshape and to If, the condition to If, and two outputs.
        Assert.Equal(5, Drawing(page).Descendants("path").Count(path => path.Attribute("class")?.Value == "edge"));
    }

    [Fact]
    public void Layout_LinesThatPassRows_MeetNoBox()
    {
        var random = new Random(3);
        (int From, int To)[] edges =
            [.. Enumerable.Range(1, 79).SelectMany(to => Enumerable.Range(0, 3).Select(_ => (random.Next(to), to)))];

        var layout = new GraphLayout(edges, new int[80]);

        foreach (var (from, to, bends) in layout.Lines)
        {
            var passed = bends.ToArray();
            Assert.Equal(Enumerable.Range(layout.Row(from) + 1, layout.Row(to) - layout.Row(from) - 1), passed.Select(bend => bend.Row));
            foreach (var (center, row) in passed)
                Assert.All(
                    Enumerable.Range(0, 80).Where(box => layout.Row(box) == row),
                    box => Assert.True(Math.Abs(layout.Center(box) - center) > BoxWidth / 2));
        }

        Assert.Equal(edges.Distinct().Count(), layout.Lines.Count());
        Assert.All(edges, edge => Assert.True(layout.Row(edge.From) < layout.Row(edge.To)));
    }

    [Fact]
    public void Range_OfNumbers_IsWhatNumpySays()
    {
        // NumPy 1.24.2: x = np.array([3, -1, 0, 0, 2.5, 7, -4, 0.5]); x.min(), x.max(), x.mean(), x.std(), np.histogram(x, 24)[0]
        double[] numbers = [3, double.NaN, -1, 0, 0, 2.5, double.PositiveInfinity, 7, -4, 0.5];

        var range = NumberRange.Of(numbers.Length, (start, into) => numbers.AsSpan(start, into.Length).CopyTo(into));

        Assert.Equal((-4, 7, 1, 2, 2), (range.Least, range.Largest, range.Mean, range.Zeros, range.NotFinite));
        Assert.Equal(3.0310889132455352, range.Deviation, 1e-12);
        Assert.Equal([1, 0, 0, 0, 0, 0, 1, 0, 2, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1], range.Counts);
    }

    private static Value Floats(GraphBuilder nodes, string name, float[] values, params long[] shape) =>
        nodes.Initializer(TensorData.Create(name, values, shape));

    private static Value[] Parameters(GraphBuilder nodes, params float[][] values) =>
    [
        .. values.Select((value, i) => Floats(nodes, new[] { "gamma", "beta", "mean", "variance" }[i], value, value.Length)),
    ];

    private static ModelProto Chain(int count, Func<int, string> operation)
    {
        var nodes = new GraphBuilder("chain");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, 2);
        for (var i = 0; i < count; i++) x = nodes.Named("node", operation(i), [x]);
        nodes.Output("y", x, DataType.Float, TensorDimension.Rows, 2);
        return nodes.Build();
    }

    // Sums of values that were made before.
    private static ModelProto Joined(int count, Func<int, Random, int[]> reads)
    {
        var random = new Random(2);
        var nodes = new GraphBuilder("joined");
        List<Value> values = [nodes.Input("x", DataType.Float, TensorDimension.Rows, 2)];
        for (var i = 0; i < count; i++)
            values.Add(nodes.Node("Sum", [.. reads(i, random).Select(place => values[place])]));
        nodes.Output("y", values[^1], DataType.Float, TensorDimension.Rows, 2);
        return nodes.Build();
    }

    private string PageText(ModelProto model)
    {
        ModelPage.Write(model, "model.onnx", [("producer", model.ProducerName)], _folder.File("page.html"));
        return File.ReadAllText(_folder.File("page.html"));
    }

    private XDocument Page(ModelProto model) => Parse(PageText(model));

    private static XDocument Parse(string text)
    {
        Assert.StartsWith("<!DOCTYPE html>\n<html lang=\"en\">", text, StringComparison.Ordinal);
        var page = XDocument.Parse(text);
        string[] allowed =
        [
            "class", "style", "lang", "charset", "name", "content", "role", "tabindex", "viewBox", "x", "y", "d", "width", "height",
        ];
        Assert.Empty(
            page.Descendants().SelectMany(element => element.Attributes()).Select(attribute => attribute.Name.LocalName).Distinct()
                .Except(allowed));
        Assert.DoesNotContain(
            page.Descendants(),
            element => element.Name.LocalName is "script" or "link" or "img" or "iframe" or "object" or "use" or "image" or "a");
        return page;
    }

    private static XElement Drawing(XDocument page) =>
        page.Descendants("figure").Single(figure => figure.Attribute("class")?.Value == "graph").Descendants("svg").Single();

    private static List<(double Left, double Top, string[] Texts)> Boxes(XDocument page) =>
    [
        .. from box in Drawing(page).Descendants("rect")
           select (Number(box, "x"), Number(box, "y"), box.Parent!.Elements("text").Select(text => text.Value).ToArray()),
    ];

    private static void RequireApart(XDocument page)
    {
        var boxes = Boxes(page);
        var size = Drawing(page).Attribute("viewBox")!.Value.Split(' ').Select(part => double.Parse(part, CultureInfo.InvariantCulture))
            .ToArray();
        for (var i = 0; i < boxes.Count; i++)
        {
            var (left, top, _) = boxes[i];
            Assert.InRange(left, 0, size[2] - BoxWidth);
            Assert.InRange(top, 0, size[3] - BoxHeight);
            for (var j = 0; j < i; j++)
                Assert.True(Math.Abs(left - boxes[j].Left) >= BoxWidth || Math.Abs(top - boxes[j].Top) >= BoxHeight);
        }
    }

    private static double Number(XElement element, string attribute) =>
        double.Parse(element.Attribute(attribute)!.Value, CultureInfo.InvariantCulture);

    private static List<string[]> Cells(XDocument page) =>
    [
        .. page.Descendants("tr").Select(row => row.Elements("td").Select(cell => cell.Value).ToArray()).Where(cells => cells.Length > 0),
    ];
}
