using System.CommandLine;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn demo</c>: the main job on a real table that comes with the tool.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var output = new Option<string>("--out")
        {
            Description = "the folder for the results",
            HelpName = "DIR",
            DefaultValueFactory = _ => "demo-output",
        };
        var device = CommonOptions.Device();
        var command = new Command("demo", "Train, test, fold and export on a real table: which customers of a phone company leave?")
        {
            output,
            device,
        };
        command.SetAction(arguments =>
        {
            var path = Path.Combine(AppContext.BaseDirectory, "sample-data", "churn.csv");
            var split = TableSplit.Create(CsvTable.Read(path), "churn", new SplitOptions());
            var options = new TableTrainingOptions
            {
                Label = "churn",
                Network = new BatchNormNetworkOptions { Device = arguments.GetValue(device)! },
            };
            TrainingRun.Execute(split, options, arguments.GetRequiredValue(output));
        });
        return command;
    }
}
