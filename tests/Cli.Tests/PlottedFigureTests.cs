using System.Xml.Linq;
using MlNetBatchNorm.Cli.Reporting.Html;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Figures: where things are drawn, and what stands in their files.</summary>
public class PlottedFigureTests
{
    [Fact]
    public void Logarithmic_Values_StandAtTheirPowersOfTen()
    {
        var axis = Axis.Logarithmic("x", [2e-23, 0.185, 0, double.NaN]);

        Assert.Equal((1e-23, 1), (axis.From, axis.To));
        Assert.Equal(20.0 / 23, axis.Place(1e-3), 1e-9);
        Assert.True(double.IsNaN(axis.Place(0)));
        Assert.Equal(["1E-23", "1E-19", "1E-15", "1E-11", "1E-7", "0.001"], axis.Ticks().Select(axis.Text));
        Assert.Equal(["0.01", "0.1", "1", "10"], Axis.Logarithmic("x", [0.02, 9]).Ticks().Select(axis.Text));
    }

    [Fact]
    public void Ticks_FarFromZero_AreRoundValues()
    {
        var axis = Axis.For("x", [3e12, 3e12 + 10]);

        Assert.InRange(axis.Ticks().Count(), 3, 10);
        Assert.All(axis.Ticks(), tick => Assert.InRange(tick, axis.From, axis.To));
    }

    [Fact]
    public void Line_PointWithoutAPlace_InterruptsIt()
    {
        var chart = new Chart("t", new Axis("x", 0, 4), Axis.Logarithmic("y", [1, 100])).Line([(0, 1), (1, 10), (2, 0), (3, 100)], "a");

        Assert.Equal(
            [2, 1], chart.ToSvg().Elements("polyline").Select(line => line.Attribute("points")!.Value.Split(' ').Length));
    }

    [Fact]
    public void Histogram_OfValues_CountsEachOnce()
    {
        var bars = PlottedBars.Of("h", "a", [0, 0, 0.5f, 1, 1, 1, 2, 4, float.NaN], bins: 4).Bars;

        Assert.Equal([(0, 1, 3 / 8.0), (1, 2, 3 / 8.0), (2, 3, 1 / 8.0), (3, 4, 1 / 8.0)], bars);

        // One value is a bin that has some width.
        Assert.Equal([(2, 6, 1)], PlottedBars.Of("h", "a", [4, 4]).Bars);
    }

    [Fact]
    public void ToCsv_AllKinds_HasALineForEachMark()
    {
        var (x, y) = (new PlottedAxis("step", "count"), new PlottedAxis("loss", "nats"));
        var figure = new PlottedFigure(
            "f",
            "F",
            new PlottedPanel(
                "one, two",
                x,
                y,
                new PlottedLine("for the eye", "guide", [(0, 0), (1, 1)]),
                new PlottedBand("middle half", "a", [(0, 0.25, 0.75), (1, 1e-23, 2)]),
                new PlottedLine("median", "a", [(0, 0.5), (1, double.NaN)])),
            new PlottedPanel("bars", x, y, new PlottedBars("b", "b", [(0, 0.5, 0.1)])));

        Assert.Equal(
            """
            panel,series,step (count),to step (count),loss (nats),to loss (nats)
            "one, two",middle half,0,,0.25,0.75
            "one, two",middle half,1,,1E-23,2
            "one, two",median,0,,0.5,
            "one, two",median,1,,,
            bars,b,0,0.5,0.1,

            """.ReplaceLineEndings("\n"),
            figure.ToCsv().ReplaceLineEndings("\n"));
        Assert.Equal("f.csv", figure.FileName);
    }

    [Fact]
    public void ToHtml_ManyNumbers_ShowsEveryNth()
    {
        var figure = new PlottedFigure("f", "F", new PlottedPanel(
            "p",
            new PlottedAxis("step", "count"),
            new PlottedAxis("accuracy", "share"),
            new PlottedLine("l", "c", [.. Enumerable.Range(0, 100).Select(i => ((double)i, i / 100.0))])));

        var page = figure.ToHtml();

        Assert.Equal(["step (count)", "accuracy (share)"], Labels(page));
        Assert.Equal(34, page.Descendants("tbody").Single().Elements().Count());
        Assert.Equal("One in 3 of 100 numbers; all are in f.csv", page.Descendants("summary").Single().Value);
        Assert.Equal("swatch c", page.Descendants("span").Single().Attribute("class")!.Value);

        static IEnumerable<string> Labels(XElement page) => page.Descendants("text").TakeLast(2).Select(text => text.Value);
    }
}
