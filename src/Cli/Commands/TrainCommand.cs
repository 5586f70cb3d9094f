using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn train</c>: from a CSV file to a tested, folded model.</summary>
internal static class TrainCommand
{
    public static Command Create() => Create("train", "Train a network on a table, test it, fold it and write it to a folder.");

    /// <summary>The command, or one with a search for options before the training.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="tuning">The options of the search; null = there is none.</param>
    public static Command Create(string name, string description, TuningOptions? tuning = null)
    {
        var data = new TableOptions("the table to learn from, where missing values are empty fields");
        var label = new Option<string>("--label") { Description = "the column to predict", Required = true, HelpName = "COLUMN" };
        var task = new Option<string>("--task")
        {
            Description = "what to predict: one of two classes, one of several, or a number",
            HelpName = string.Join('|', NetworkTask.Names),
            DefaultValueFactory = _ => NetworkTask.Names[0],
        };
        task.AcceptOnlyFromAmong([.. NetworkTask.Names]);
        var output = new Option<string>("--out") { Description = "the folder for the results", Required = true, HelpName = "DIR" };
        var test = new Option<string?>("--test") { Description = "a table to test on, a file or a pattern", HelpName = "TEST.csv" };
        var rows = new SplitChoices();
        var positive = new Option<string?>("--positive")
        {
            Description = "the positive class; without it yes, true or 1, otherwise the rarer one",
            HelpName = "VALUE",
        };
        var categorical = new Option<string[]>("--categorical")
        {
            Description = "a column to take as categories although it holds numbers",
            HelpName = "COLUMN",
        };
        var text = new Option<string[]>("--text")
        {
            Description = "a column to take as free text, whose words are features, however short its texts are",
            HelpName = "COLUMN",
        };
        var ignore = new Option<string[]>("--ignore") { Description = "a column to leave out", HelpName = "COLUMN" };
        var weight = new Option<string?>("--weight-column")
        {
            Description = "a column that says how much each row counts, in training and in the test figures",
            HelpName = "COLUMN",
        };
        var whole = new Option<bool>("--whole-pipeline")
        {
            Description = "also write pipeline.onnx, from the table's own columns to the prediction, compared on the test rows",
        };
        var resume = new Option<bool>("--resume")
        {
            Description = "keep the state after each epoch in DIR, and go on from there if training was stopped: by the same command again",
        };
        var diagnose = new Option<bool>("--diagnose")
        {
            Description = "look into the network after epochs: what each layer gives, gradients, batch normalizations and steps, in "
                + "report.html, metrics.json and diagnostics.csv, and warnings of what is unusual",
        };
        var bare = new Option<bool>("--no-explain")
        {
            Description = "leave out of the report what takes some time: which columns matter, a linear model beside, figures by group",
        };
        var falsePositive = Cost("--cost-false-positive", "a row that is called positive and is not");
        var falseNegative = Cost("--cost-false-negative", "a row that is positive and is not called so");
        var numbers = new NumberOptions();
        var deployment = new DeploymentOptions();
        var architecture = new ArchitectureOptions();
        var learning = new LearningOptions();
        var command = new Command(name, description) { data.Files };
        (string, IReadOnlyList<Option>)[] search = tuning is null ? [] : [("Tuning", tuning.All)];
        GroupedHelp.AddTo(
            command,
            [
                (
                    "What to learn",
                    [.. data.All, label, task, positive, categorical, text, ignore, weight, .. numbers.All, test, .. rows.All]),
                ("What to write", [output, .. deployment.All, whole, bare, falsePositive, falseNegative]),
                .. search,
                (tuning is null ? "The network" : "The network: what is given is not tuned", architecture.All),
                ("Training", tuning is null ? [.. learning.All, resume, diagnose] : [.. learning.All, diagnose]),
            ]);
        command.Validators.Add(result =>
        {
            data.Validate(result);
            rows.Validate(result, test);
            var chosen = TableTask.Find(result.Given(task)) ?? TableTask.All[0];
            if (result.GetResult(positive) is not null && !chosen.HasPositiveClass)
                result.AddError("--positive says which of two classes is the positive one; it goes with --task binary only.");
            foreach (var cost in new[] { falsePositive, falseNegative })
                if (!chosen.HasPositiveClass && result.GetResult(cost) is { Implicit: false })
                    result.AddError($"{cost.Name} says what a mistake between two classes costs; it goes with --task binary only.");
            if (IsZero(falsePositive) && IsZero(falseNegative))
                result.AddError("--cost-false-positive and --cost-false-negative are both 0; one of the two mistakes costs something.");
            if ((result.GetValue(text) ?? []).Intersect(result.GetValue(categorical) ?? []).FirstOrDefault() is { } both)
                result.AddError($"Column '{both}' is taken as free text (--text) or as categories (--categorical), not as both.");
            architecture.Validate(result);
            learning.Validate(result, chosen);

            bool IsZero(Option cost) => double.TryParse(result.Given(cost), CultureInfo.InvariantCulture, out var value) && value == 0;
        });
        command.SetAction(arguments =>
        {
            var chosen = TableTask.Find(arguments.GetRequiredValue(task))!;
            string[] texts =
                [.. rows.TextColumns(arguments), .. arguments.GetValue(categorical) ?? [], .. arguments.GetValue(text) ?? []];
            if (chosen.HasClasses) texts = [.. texts, arguments.GetRequiredValue(label)];
            var ranks = Ranks.Meet();
            var options = new TableTrainingOptions
            {
                Label = arguments.GetRequiredValue(label),
                Task = chosen.Kind,
                Schema = rows.Apply(new TableSchemaOptions
                {
                    Positive = arguments.GetValue(positive),
                    Categorical = arguments.GetValue(categorical) ?? [],
                    Text = arguments.GetValue(text) ?? [],
                    Ignore = arguments.GetValue(ignore) ?? [],
                    Weight = arguments.GetValue(weight),
                    Marks = numbers.Read(arguments),
                    DateOrder = numbers.ReadDateOrder(arguments),
                }, arguments),
                WholePipeline = arguments.GetValue(whole),
                Network = deployment.Apply(new BatchNormNetworkOptions(), arguments),
            };
            options = learning.Apply(architecture.Apply(options, arguments), arguments);
            var folder = arguments.GetRequiredValue(output);
            var assessment = new AssessmentOptions
            {
                Explains = !arguments.GetValue(bare),
                Costs = new MisclassificationCosts(arguments.GetValue(falsePositive), arguments.GetValue(falseNegative)),
            };
            if (tuning is null && arguments.GetValue(resume))
                options = options with { Network = options.Network with { Checkpoint = Output.Checkpoint(folder) } };
            if (arguments.GetValue(diagnose))
                options = options with { Network = options.Network with { Diagnostics = new DiagnosticsOptions() } };
            var testPath = arguments.GetValue(test);
            if (ranks is not null && tuning is not null)
                throw new UsageException("tune runs in one process; under mpirun, give the settings that it finds to train.");
            if (ranks is not null)
            {
                if (data.Paths(arguments) is not [var path])
                    throw new NotSupportedException("Several processes train on one file, of which each reads its share.");
                var (share, known) = RankedTable.Read(path, ranks, texts, rows.Read(arguments, options), testPath);
                TrainingRun.Execute(share, options with { Ranks = ranks, Known = known }, folder, assessment);
                ranks.Dispose();
                return;
            }

            Output.RequireMemory(data.Paths(arguments));
            var table = Output.Read(data.Open(arguments), texts);
            var testing = testPath is null ? null : TestTable.Of(CsvSource.OfFile(testPath));
            var classes = chosen.HasClasses ? options.Label : null;
            var splitting = rows.Read(arguments, options);
            var split = TableSplit.Create(table, classes, splitting, testing);
            TrainingRun.Execute(split, options, folder, assessment, tuning?.Read(arguments, split.Training, splitting));
        });
        return command;
    }

    private static Option<double> Cost(string name, string mistake)
    {
        var cost = new Option<double>(name)
        {
            Description = $"for two classes: what {mistake} costs, in any unit; the report says from which probability on to call it so",
            HelpName = "COST",
            DefaultValueFactory = _ => 1,
        };
        cost.RequireRange(0, 1e12);
        return cost;
    }
}
