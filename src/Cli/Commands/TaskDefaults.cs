using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>
/// What "by the task" stands for in the description of an option: the library's own defaults for each preset and task, looked up only when
/// somebody asks for help.
/// </summary>
internal static class TaskDefaults
{
    private const string Placeholder = "by the task";

    // Neither few rows nor many: what the presets say for these is told in words.
    private const int UsualRows = 5000;

    private static readonly Dictionary<string, (Func<BatchNormNetworkOptions, string> Value, string Beside)> Known = new()
    {
        ["--hidden"] = (options => string.Join(',', options.HiddenLayers!), string.Empty),
        ["--activation"] = (options => Text(options.Activation), string.Empty),
        ["--dropout"] = (options => Text(options.Dropout), "; none above 5,000 rows"),
        ["--epochs"] = (options => Text(options.Epochs), "; accurate more for few rows and fewer for very many"),
        ["--patience"] = (options => Text(options.EarlyStoppingPatience), "; accurate more for few rows, for numbers all epochs"),
        ["--validation-fraction"] = (options => Text(options.ValidationFraction), string.Empty),
        ["--lr"] = (options => Text(options.Optimizer!.LearningRate), string.Empty),
        ["--schedule"] = (options => Text(options.Schedule), string.Empty),
    };

    /// <summary>A description with the numbers in place of "by the task".</summary>
    /// <param name="option">The option.</param>
    /// <param name="description">Its description.</param>
    public static string Fill(Option option, string description)
    {
        if (!description.Contains(Placeholder, StringComparison.Ordinal)) return description;
        var (value, beside) = Known[option.Name];
        var presets = Enum.GetValues<Preset>().Select(preset =>
        {
            var texts = NetworkTask.All.Select(task => (task.Name, Value: value(task.Defaults(preset, UsualRows)))).ToList();
            var others = texts.Where(text => text.Value != texts[0].Value).Select(text => $", {text.Name} {text.Value}");
            return $"{preset.ToString().ToLowerInvariant()} {texts[0].Value}{string.Concat(others)}";
        });
        return description.Replace(Placeholder, string.Join("; ", presets) + beside, StringComparison.Ordinal);
    }

    private static string Text<T>(T value) => Convert.ToString(value, CultureInfo.InvariantCulture)!;
}
