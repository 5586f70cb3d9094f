using System.Globalization;
using MlNetBatchNorm.Cli.Tests;

namespace MlNetBatchNorm.Pages.Tests;

/// <summary>A page that the tool writes: the command that makes it, in a folder of its own, and where it is then.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Arguments">The command.</param>
internal sealed record ToolPage(string Name, params string[] Arguments)
{
    /// <summary>All pages that are looked at. Another one is another line.</summary>
    public static IReadOnlyList<ToolPage> All { get; } =
    [
        Train("binary", SampleTables.PathOf("churn.csv"), "churn", Fast),
        Train("multiclass", SampleTables.PathOf("letters.csv"), "lettr", ["--task", "multiclass", .. Fast]),
        Train("regression", SampleTables.PathOf("ames.csv"), "Sale_Price", ["--task", "regression", .. Fast]),
        Train("ensemble", SampleTables.PathOf("churn.csv"), "churn", ["--epochs", "2", "--whole-pipeline"]),
        Train("long names", "long.csv", "kind", Fast),
        Train("many classes", "many.csv", "class", ["--task", "multiclass", .. Fast]),
        Train("thirty classes", "thirty.csv", "settlement_and_neighborhood", ["--task", "multiclass", .. Fast]),
        Train("groups and costs", SampleTables.PathOf("churn.csv"), "churn",
            ["--group", "monthly_charges", "--cost-false-negative", "5", .. Fast]),
        Train("large numbers", "large.csv", LongName("amount"), ["--task", "regression", .. Fast]),
        Train("diagnosed", SampleTables.PathOf("churn.csv"), "churn", ["--diagnose", .. Fast]),
        new("model", "inspect", "out/model.batchnorm.onnx", "--html", "model.html")
        {
            Before = Train("a model", SampleTables.PathOf("churn.csv"), "churn", Fast), File = "model.html",
        },
        new("layers", "reproduce", "layers", "--out", "out"),
        Reproduce("bias"),
        Reproduce("batchsize", "--epochs", "1"),
        Reproduce("dropout"),
        Reproduce("momentum"),
        Reproduce("landscape", "--steps", "60"),
        Reproduce("depth", "--depths", "2,4", "--epochs", "1"),
        OfImages("figure1", "--steps", "120", "--rates", "0.1,1"),
        OfImages("mnist", "--epochs", "1"),
        OfImages("fashion", "--epochs", "1", "--normalizations", "batch,none"),
    ];

    /// <summary>The file, in the command's folder.</summary>
    public string File { get; init; } = "out/report.html";

    private static string[] Fast => ["--preset", "fast", "--epochs", "3"];

    private static ToolPage Reproduce(string name, params string[] more) => On(SampleTables.PathOf("letters.csv"), name, more);

    // The digits and clothes are not in the repository; what the pages look like does not depend on what is in the images.
    private static ToolPage OfImages(string name, params string[] more) => On("images", name, more);

    private static ToolPage On(string data, string name, string[] more) =>
        new(name, ["reproduce", name, "--quick", "--data", data, "--out", "out", .. more]);

    private static ToolPage Train(string name, string table, string label, string[] more) =>
        new(name, ["train", table, "--label", label, "--out", "out", .. more]);

    /// <summary>What is run before it; null = nothing.</summary>
    public ToolPage? Before { get; init; }

    /// <summary>Runs the command, and gives the page.</summary>
    public string Make(TemporaryFolder folder)
    {
        Before?.Make(folder);
        WriteTables(folder);
        SampleImages.Write(folder, "images", training: 640, test: 120);
        var result = Tool.Run(folder.Path, Arguments);
        Assert.True(result.ExitCode == 0, $"{Name}: {result.Error}");
        return folder.File(File);
    }

    // What no table should be like, and some are.
    private static void WriteTables(TemporaryFolder folder)
    {
        var rows = Enumerable.Range(0, 240).ToArray();
        folder.Write("long.csv", Csv(
            [LongName("a measurement"), LongName("Donaudampfschifffahrt").Replace(" ", "", StringComparison.Ordinal), "kind"],
            rows.Select(row => new[]
            {
                $"{row % 17}", $"{LongName("value")} {row % 4}", row % 3 == 0 ? LongName("yes and") : LongName("no or").Replace(' ', '_'),
            })));
        folder.Write("many.csv", Csv(
            ["x", "y", "class"],
            rows.Select(row => new[] { $"{row % 40}", $"{row % 7}", $"class number {row % 40} of 40" })));
        folder.Write("thirty.csv", Csv(
            ["distance_to_the_nearest_station", "inhabitants_per_square_kilometre", "settlement_and_neighborhood"],
            Enumerable.Range(0, 900).Select(row => new[]
            {
                $"{row % 30}", $"{row % 7}", $"{(row % 30 < 4 ? "Incomprehensible" : "Residential_Low_Density")} {row % 30}",
            })));
        folder.Write("large.csv", Csv(
            ["x", LongName("amount")],
            rows.Select(row => new[] { $"{row % 13}", $"{(12_345_678L * (row % 13)) + row}" })));
    }

    private static string LongName(string name) => $"{string.Join(' ', Enumerable.Repeat(name, 9))} 漢字 <&>";

    private static string Csv(string[] header, IEnumerable<string[]> rows) => string.Concat(
        rows.Prepend(header).Select(cells => string.Create(
            CultureInfo.InvariantCulture, $"{string.Join(',', cells.Select(cell => $"\"{cell}\""))}\n")));
}
