using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Devices;
using MlNetBatchNorm.Onnx.Execution.Direct;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.NamedColumns;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;
using Spectre.Console;
using Progress = MlNetBatchNorm.Cli.Reporting.Progress;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn inspect</c>: what is in an ONNX file.</summary>
internal static class InspectCommand
{
    // Longer values (a feature map, say) are cut, so that the table stays a table.
    private const int LongestValue = 200;

    // Of wide tables so many columns show what the others are like.
    private const int MostColumns = 50;

    public static Command Create()
    {
        var path = new Argument<string>("MODEL.onnx") { Description = "any ONNX model" };
        var device = CommonOptions.OptionalDevice("also run the model and show where each node ran");
        var served = new Option<bool>("--served")
        {
            Description = "also run the model as this tool and library serve it, and with ONNX Runtime's optimizations off, and compare",
        };
        var html = new Option<string?>("--html")
        {
            Description = "also write the model as a page: its graph before and after folding, what becomes of each batch normalization, "
                + "and what numbers it holds (- is stdout)",
            HelpName = "FILE.html",
        };
        var command = new Command("inspect", "Show the inputs, outputs, operators, parameters and metadata of an ONNX model.")
        {
            path, device, served, html,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(html) is { } page && page != Output.Standard && result.GetValue(path) is { } model
                && Path.GetFullPath(page) == Path.GetFullPath(model))
                result.AddError($"--html '{page}' would replace the model; give the page another name.");
        });
        command.SetAction(arguments =>
        {
            var page = arguments.GetValue(html);
            if (page is not null) Output.Require(page);
            Show(arguments.GetRequiredValue(path), arguments.GetValue(device), arguments.GetValue(served), page);
        });
        return command;
    }

    private static void Show(string path, Device? device, bool isServed, string? page)
    {
        var model = ModelFile.Read(path);
        GraphChecker.Check(model);
        List<(string Name, string Value)> facts = [.. Facts(path, model, device, isServed)];
        var table = new Table().HideHeaders().AddColumns("name", "value").Border(TableBorder.Rounded);
        foreach (var (name, value) in facts) table.AddRow(TerminalText.Cell(name), TerminalText.Cell(value));
        Output.Print(table);
        if (page is null) return;
        ModelPage.Write(model, path, facts, page);
        if (page != Output.Standard) Console.Error.WriteLine($"written to {page}");
    }

    private static IEnumerable<(string Name, string Value)> Facts(string path, ModelProto model, Device? device, bool isServed)
    {
        var graph = model.Graph;
        yield return ("file", $"{path} ({Number(new FileInfo(path).Length)} bytes)");
        yield return ("producer", $"{model.ProducerName} {model.ProducerVersion}".Trim());
        yield return (
            "opset",
            string.Join(
                ", ", model.OpsetImport.Select(opset => $"{(opset.Domain.Length == 0 ? "ai.onnx" : opset.Domain)} {opset.Version}")));
        yield return ("inputs", string.Join("\n", graph.Input.Select(Describe)));
        if (Columns(model) is { } columns) yield return ("columns of a row", columns);
        yield return ("outputs", string.Join("\n", graph.Output.Select(Describe)));
        var kinds = graph.Node.GroupBy(node => node.OpType).OrderBy(group => group.Key, StringComparer.Ordinal);
        yield return ("nodes", $"{graph.Node.Count}: {string.Join(", ", kinds.Select(group => $"{group.Count()} {group.Key}"))}");
        yield return (
            "batch normalizations",
            graph.Node.Count(node => node.OpType == "BatchNormalization").ToString(CultureInfo.InvariantCulture));
        yield return ("parameters", Number(graph.Initializer.Sum(tensor => TensorData.ElementCount(tensor.Dims, tensor.Name))));
        if (DirectNetwork.TryCreate(model.Clone(), [.. graph.Output.Select(output => output.Name)], out var refusal) is { } network)
            yield return (
                "without ONNX Runtime",
                $"possible: {Number(network.Products)} multiplications a row; a scorer chooses while loading, by proof and measurement");
        else yield return ("without ONNX Runtime", $"not possible: {refusal}");
        foreach (var fault in RuntimeFault.In(model, NativeRuntime.Version))
            yield return ("ONNX Runtime is wrong", $"{fault}; switched off when this program or library runs the model, on in all others");
        if (CenteredBatchNorm.In(model) is [_, ..] far)
        {
            yield return (
                "ONNX Runtime is inexact",
                $"at {string.Join(", ", far.Select(node => node.Describe()))}: the mean is far from zero, measured in standard deviations; "
                + "run with the mean taken off first by this program or library, and folded it has the same accuracy elsewhere");
        }

        if (isServed)
        {
            using var progress = Progress.Begin("running the model as it is served, and as it says");
            var file = new ComparedFile(path, $"'{path}'");
            var comparison = FoldCommand.Itself().Compare(file, file, null, device ?? Device.Cpu, FoldFileResult.DefaultTolerance(model));
            yield return (
                "as it is served",
                comparison.WhyNot is { } reason ? $"not compared: {reason}"
                : comparison.Warning ?? string.Create(
                    CultureInfo.InvariantCulture,
                    $"as the model says: on generated inputs at most {comparison.Served!.LargestRelative:G3} of an output's scale off"));
        }

        foreach (var entry in model.MetadataProps)
            yield return (
                entry.Key,
                entry.Value.Length <= LongestValue ? entry.Value : $"{entry.Value[..LongestValue]}… ({entry.Value.Length} characters)");
        if (device is not null)
        {
            foreach (var provider in NodePlacement.Of(path, device).GroupBy(node => node.Provider))
            {
                var nodes = provider.Select(node => node.Node.Length > 0 ? $"{node.Node} ({node.Operator})" : node.Operator);
                yield return ($"on {provider.Key}", $"{provider.Count()}: {string.Join(", ", nodes)}");
            }
        }
    }

    // What 'score' and a service give it, where the inputs alone do not say it, or not how it is written.
    private static string? Columns(ModelProto model)
    {
        try
        {
            if (NamedModel.ColumnsOf(model) is not { All: var columns }) return null;
            var lines = columns.Take(MostColumns).Select(column => $"{column.Name}: {column.Expected}");
            return string.Join("\n", columns.Count <= MostColumns ? lines : [.. lines, $"and {columns.Count - MostColumns} more"]);
        }
        catch (InvalidDataException exception)
        {
            return $"not known: {exception.Message}";
        }
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Describe(ValueInfoProto value)
    {
        var tensor = value.Type?.TensorType;
        if (tensor is null) return value.Name;
        var shape = tensor.Shape is null ? "any shape" : $"[{string.Join(", ", tensor.Shape.Dim.Select(TensorDimension.From))}]";
        return $"{value.Name}: {((TensorProto.Types.DataType)tensor.ElemType).ToString().ToLowerInvariant()} {shape}";
    }
}
