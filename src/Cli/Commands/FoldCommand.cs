using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn fold</c>: any ONNX model without its batch normalizations, and the proof that it is the same function.</summary>
internal static class FoldCommand
{
    public static Command Create()
    {
        var input = new Argument<string>("IN.onnx") { Description = "any ONNX model" };
        var output = new Argument<string?>("OUT.onnx")
        {
            Description = "the folded model; may be the same file (- is stdout); left out with --dry-run or --explain",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var dry = new Option<bool>("--dry-run") { Description = "fold, prove and report, but write no model" };
        var explain = new Option<string?>("--explain")
        {
            Description = "say of one batch normalization what it is, what was done, and what would have to be true for a fold",
            HelpName = "NAME",
        };
        var report = new Option<string?>("--report")
        {
            Description = "also write what was done as JSON (- is stdout)",
            HelpName = "REPORT.json",
        };
        var inputs = new Option<string?>("--inputs")
        {
            Description = "rows to compare both models on: an .npz file, a table (.csv, .parquet), or a folder with input_0.pb, …; "
                + "default: generated",
            HelpName = "FILE|FOLDER",
        };
        var tolerance = new Option<double?>("--tolerance")
        {
            Description = "the largest difference allowed, relative to the output's scale (default 1e-4; float16 1e-2)",
            HelpName = "X",
        };
        tolerance.RequireRange(0, double.MaxValue);
        var precision = CommonOptions.Precision();
        var precisionTolerance = new Option<double?>("--precision-tolerance")
        {
            Description =
                "with --precision: the largest difference allowed, relative to the output's scale (default: float16 0.01, "
                + "float16-arithmetic 0.02, int8 0.1)",
            HelpName = "X",
        };
        precisionTolerance.RequireRange(0, double.MaxValue);
        var label = new Option<string?>("--label")
        {
            Description = "with --precision: the array or column of --inputs with the right answers, to judge the model by its figures",
            HelpName = "NAME",
        };
        var judged = new Option<string?>("--label-output")
        {
            Description = "with --label: the output that is judged (default: the last)",
            HelpName = "OUTPUT",
        };
        var loss = new Option<double>("--precision-loss")
        {
            Description =
                "with --label: the most that accuracy or AUC may fall, or RMSE grow in relation to itself; above it nothing is written",
            HelpName = "X",
            DefaultValueFactory = _ => MetricComparison.DefaultAllowedLoss,
        };
        loss.RequireRange(0, 1);
        var expand = new Option<bool>("--expand") { Description = "turn what nothing takes in into Mul and Add" };
        var force = new Option<bool>("--fold-overridable") { Description = "also fold parameters that are graph inputs with a default" };
        var limit = new Option<double?>("--time-limit")
        {
            Description = "the longest that folding may take, proofs not counted; what is left then stays as it is (default: 600)",
            HelpName = "SECONDS",
        };
        limit.RequireRange(0, 1e6);
        var growth = new Option<double?>("--maximum-growth")
        {
            Description = "how many times the size of the model's constants folding may add; what adds more is declined (default: 4)",
            HelpName = "X",
        };
        growth.RequireRange(0, 1e6);
        var proof = new Option<FoldProof?>("--proof")
        {
            Description =
                "how folding is proved: served (each part that changed, then both models as wholes, also as they are served), parts (the "
                + "parts alone: any operators, any size) or none (default: served, and parts for more than 20,000 nodes)",
            HelpName = "PROOF",
            CustomParser = result => CommonOptions.Parse(result, ParseProof, FoldProof.Served),
        };
        var unverified = new Option<bool>("--no-verify") { Description = "the same as --proof none" };
        var seconds = new Option<double?>("--proof-seconds")
        {
            Description = "the longest that the models as wholes may take to compare (default: 600)",
            HelpName = "SECONDS",
        };
        seconds.RequireRange(0.001, 1e6);
        var memory = new Option<double?>("--proof-memory")
        {
            Description = "the most memory that comparing the models as wholes may take, in MiB (default: nine tenths of what there is)",
            HelpName = "MIB",
        };
        memory.RequireRange(1, 1e9);
        var device = CommonOptions.Device(Device.Cpu);
        var command = new Command("fold", "Fold the batch normalizations of an ONNX model into the operators around them, and prove it.")
        {
            input, output, dry, explain, report, inputs, tolerance, precision, precisionTolerance, label, judged, loss, expand, force,
            limit, growth, proof, unverified, seconds, memory, device,
        };
        command.Validators.Add(result =>
        {
            var (hasOutput, isDry) = (result.GetResult(output) is { Tokens.Count: > 0 }, result.GetResult(dry) is { Implicit: false });
            if (isDry && hasOutput) result.AddError("--dry-run writes no model; leave OUT.onnx out.");
            if (!isDry && !hasOutput && result.GetResult(explain) is null)
                result.AddError("OUT.onnx is missing: the file for the folded model (or --dry-run, which writes none).");
            if (result.Given(report) is { } written
                && (IsSame(result.GetValue(input), written) || IsSame(result.GetValue(output), written)))
                result.AddError($"--report {written} would replace the model; give the report another name.");
            if (result.GetResult(unverified) is { Implicit: false } && result.GetResult(proof) is { Implicit: false })
                result.AddError("--no-verify is --proof none; give one of them.");
            foreach (var option in new Option[] { judged, loss })
                if (result.GetResult(label) is null && result.GetResult(option) is { Implicit: false })
                    result.AddError($"{option.Name} goes with --label.");
            if (result.GetResult(label) is null) return;
            if (result.GetResult(inputs) is null) result.AddError("--label is an array or a column of --inputs; give both.");
            if (result.GetResult(precision) is null or { Implicit: true })
                result.AddError("--label says what fewer bits cost; it goes with --precision.");
            if (result.Given(proof) == "none") result.AddError("--label and --proof none exclude each other.");
            if (result.GetResult(unverified) is { Implicit: false }) result.AddError("--label and --no-verify exclude each other.");
        });
        command.SetAction(arguments => Run(
            arguments.GetRequiredValue(input),
            arguments.GetValue(output),
            arguments.GetValue(report),
            arguments.GetValue(explain),
            new FoldFileOptions
            {
                Fold = Within(
                    new FoldOptions { Expand = arguments.GetValue(expand), FoldOverridable = arguments.GetValue(force) },
                    arguments.GetValue(limit),
                    arguments.GetValue(growth)),
                Proof = arguments.GetValue(unverified) ? FoldProof.None : arguments.GetValue(proof),
                Process = Itself(arguments.GetValue(seconds), arguments.GetValue(memory)),
                Tolerance = arguments.GetValue(tolerance),
                Inputs = arguments.GetValue(inputs) is not { } path ? null
                    : TableRows.IsTable(path) ? new ModelInputs(model => TableRows.Read(path, model.Proto, arguments.GetValue(label)))
                    : ModelInputs.FromFile(path, arguments.GetValue(label)),
                LabeledOutput = arguments.GetValue(judged),
                PrecisionLoss = arguments.GetValue(loss),
                Precision = arguments.GetValue(precision),
                PrecisionTolerance = arguments.GetValue(precisionTolerance),
                Device = arguments.GetValue(device)!,
            }));
        return command;
    }

    /// <summary>The process that <c>fold</c> compares models in, which is this tool again; see <see cref="ComparisonProcess"/>.</summary>
    public static Command CreateComparison()
    {
        var request = new Argument<string>("REQUEST.json");
        var command = new Command("compare-models", "Answers a request of 'fold'.") { request };
        command.Hidden = true;
        command.SetAction(arguments =>
        {
            EndWithParent();
            Console.WriteLine(ComparisonProcess.Answer(arguments.GetRequiredValue(request)));
        });
        return command;
    }

    // The end of stdin is that of the process that asked: nobody waits for the answer any more.
    private static void EndWithParent() => new Thread(() =>
    {
        using var input = Console.OpenStandardInput();
        while (input.ReadByte() >= 0)
        {
        }

        Interruption.Exit(ExitCode.Failed);
    })
    { IsBackground = true }.Start();

    private static FoldOptions Within(FoldOptions options, double? seconds, double? growth) => options with
    {
        TimeLimit = seconds is { } limit ? TimeSpan.FromSeconds(limit) : options.TimeLimit,
        MaximumGrowth = growth ?? options.MaximumGrowth,
    };

    private static FoldProof ParseProof(string text) => text switch
    {
        "served" => FoldProof.Served,
        "parts" => FoldProof.Parts,
        "none" => FoldProof.None,
        _ => throw new FormatException($"'{text}' is no proof; write one of served, parts, none."),
    };

    /// <summary>This tool as the process to compare models in: a program of its own, or one that 'dotnet' runs.</summary>
    public static ComparisonProcess Itself(double? seconds = null, double? memory = null)
    {
        var path = Environment.ProcessPath!;
        var isHost = Path.GetFileNameWithoutExtension(path) == "dotnet";
        var process = new ComparisonProcess
        {
            FileName = path,
            Arguments = isHost ? [Path.Combine(AppContext.BaseDirectory, "mlnetbn.dll")] : [],
        };
        if (seconds is { } limit) process = process with { TimeLimit = TimeSpan.FromSeconds(limit) };
        return memory is { } most ? process with { MemoryLimit = (long)(most * (1 << 20)) } : process;
    }

    private static bool IsSame(string? one, string other) =>
        one is not null && string.Equals(Path.GetFullPath(one), Path.GetFullPath(other), StringComparison.Ordinal);

    private static void Run(string inputPath, string? outputPath, string? reportPath, string? explained, FoldFileOptions options)
    {
        if (reportPath is not null) Output.Require(reportPath);
        if (outputPath == Output.Standard) RequireReader();
        if (outputPath is not null) Output.Require(outputPath);

        // Without a file to write, the model that is compared lies in a folder of its own, and goes with it.
        using var folder = outputPath is null or Output.Standard ? new ScratchFolder("fold") : null;
        var written = folder?.File("folded.onnx") ?? outputPath!;
        var result = Fold(inputPath, written, options);
        if (!result.IsFoldWithin) throw Refuse(inputPath, result.Comparison!, result.Tolerance);
        if (result.Reduction is { WhyRefused: { } reason } refused)
            throw new ModelVerificationException(
                $"'{inputPath}' with {PrecisionNames.NameOf(refused.Result.Precision)}: {reason}; nothing was written.");

        foreach (var warning in result.Fold.Warnings) Console.Error.WriteLine($"warning: {warning}");
        if (result.ServedCulprit is { } culprit) Console.Error.WriteLine($"warning: {ServedComparison.Describe(result.Served!, culprit)}");
        IReadOnlyList<PrecisionSpeed> speed = result.Reduction is { Comparison: not null } reduction
            ? PrecisionSpeed.Measure(result.Fold.Model.Proto, reduction.Result.Model.Proto)
            : [];
        if (explained is null) FoldReport.Print(result, speed);
        else FoldExplanation.Print(inputPath, result, explained);
        if (reportPath is not null) FoldReport.Write(result, speed, reportPath);
        if (outputPath == Output.Standard)
        {
            using var model = File.OpenRead(written);
            Output.Write(outputPath, model.CopyTo);
        }

        Console.Error.WriteLine(outputPath switch
        {
            null => "nothing was written",
            Output.Standard => "written to stdout",
            _ => $"written to {outputPath}",
        });
    }

    private static FoldFileResult Fold(string inputPath, string outputPath, FoldFileOptions options)
    {
        using var progress = Progress.Begin("reading the model");
        var stage = string.Empty;
        return BatchNormFolder.FoldFile(inputPath, outputPath, options with
        {
            Stage = (work, done, all) =>
            {
                if (work == stage && done > 0) progress.Reach(done);
                else progress.Stage(stage = work, all > 0 ? "parts" : string.Empty, all > 0 ? all : null, done);
            },
        });
    }

    private static void RequireReader()
    {
        if (!Console.IsOutputRedirected) throw new IOException("OUT.onnx is stdout, and that is a terminal; send it to a file or program.");
    }

    private static ModelVerificationException Refuse(string path, ComparisonResult comparison, double tolerance) =>
        new(string.Create(CultureInfo.InvariantCulture,
            $"the output '{comparison.Worst!.Output}' of '{path}' changed by {comparison.LargestRelative:G3} of its scale when folded, "
                + $"more than the tolerance {tolerance:G3}; nothing was written."));
}
