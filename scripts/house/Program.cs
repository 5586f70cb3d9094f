// What the house looks like in figures: files, lines, public types, folders that use each other, files that switch on what should be
// decided in one place.
//
//   dotnet run -c Release --project scripts/house [CHECKOUT] [--files]

using System.Globalization;
using System.Text.RegularExpressions;
using Mono.Cecil;
using MlNetBatchNorm.Architecture.Tests;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var root = args.FirstOrDefault(argument => argument != "--files") ?? Directory.GetCurrentDirectory();
string[] projects = ["Onnx", "Trainer", "Transforms", "Hosting", "Cli"];
var files = projects.SelectMany(project => FolderUses.Sources(Path.Combine(root, "src", project)))
    .ToDictionary(path => path, File.ReadAllLines);
var lengths = files.Values.Select(lines => lines.Length).Order().ToArray();

Console.WriteLine("| src | |");
Console.WriteLine("| --- | ---: |");
Row("files", lengths.Length);
Row("lines", lengths.Sum());
Row("mean lines", lengths.Average());
Row("median lines", lengths[lengths.Length / 2]);
Row("files of at most 20 lines", lengths.Count(length => length <= 20));
Row("files of more than 300 lines", lengths.Count(length => length > 300));
Row("lines longer than 140", files.Values.Sum(lines => lines.Count(line => line.Length > 140)));
var total = 0;
var pairs = new List<string>();
foreach (var project in projects)
{
    if (Find(project) is not { } assembly)
    {
        Console.WriteLine($"| {project} is not built | |");
        continue;
    }

    using var module = ModuleDefinition.ReadModule(assembly);
    var shown = module.Types.Count(type => type.IsPublic)
        + module.GetTypes().Count(type => type.IsNestedPublic && type.DeclaringType.IsPublic);
    total += shown;
    Row($"public types of {project}", shown);
    var uses = FolderUses.Of(Path.Combine(root, "src", project), assembly);
    foreach (var (one, other) in uses.TwoWay)
        pairs.Add($"{project}: {one} ↔ {other} ({uses.All[(one, other)].First()}; {uses.All[(other, one)].First()})");
}

Row("public types", total);
Row("pairs of folders that use each other", pairs.Count);
Row(
    "files that tell tasks apart",
    Matching(@"(TaskKind|LearningTask)\.(Binary|Multiclass|Regression)\b|(Binary|Multiclass|Regression)Task\b"));
Row(
    "files that tell element types apart",
    Matching(@"(case|is|or|=>)[^\n]*\b(DataType|TensorElementType)\.\w+[^\n]*\n[^\n]*\b(DataType|TensorElementType)\.\w+"));
Row(
    "places that make a name nobody has",
    Matching(@"(while|for) ?\([^\n]*(Contains|TryAdd|Add)\([^\n]*(name|free|fresh|candidate)", RegexOptions.IgnoreCase));
foreach (var pair in pairs) Console.WriteLine($"  {pair}");

void Row(string what, double value) => Console.WriteLine($"| {what} | {value:0.#} |");

int Matching(string pattern, RegexOptions options = RegexOptions.None)
{
    var found = files.Where(file => Regex.IsMatch(Code(file.Value), pattern, options)).Select(file => file.Key).ToList();
    if (args.Contains("--files")) foreach (var path in found) Console.WriteLine($"  {Path.GetRelativePath(root, path)}");
    return found.Count;
}

string Code(string[] lines) => string.Join('\n', lines.Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal)));

string? Find(string project)
{
    var folder = Path.Combine(root, "src", project, "bin", "Release", "net10.0");
    return !Directory.Exists(folder) ? null : new[] { $"MlNetBatchNorm.{project}.dll", "MlNetBatchNorm.dll", "mlnetbn.dll" }
        .Where(name => project == "Cli" || name != "mlnetbn.dll").Where(name => project == "Transforms" || name != "MlNetBatchNorm.dll")
        .Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
