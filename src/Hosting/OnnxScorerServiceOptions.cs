using Microsoft.Extensions.Options;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Hosting;

/// <summary>
/// Which model a scorer runs, and how. Every property but <see cref="Configure"/> can stand in a configuration file. They are checked when
/// the service starts; a later change in the configuration is taken like a change of the file.
/// </summary>
public sealed class OnnxScorerServiceOptions
{
    /// <summary>
    /// The ONNX file. A relative path starts at the content root of the host, or where there is none at the current folder.
    /// </summary>
    public string ModelPath { get; set; } = string.Empty;

    /// <summary>
    /// <see cref="ExecutionOptions.Device"/>, as <see cref="Device.Parse"/> reads it. Default: <c>cpu</c>.
    /// </summary>
    public string Device { get; set; } = "cpu";

    /// <summary><see cref="ExecutionOptions.Threads"/>. Default: 1, the best for a service whose requests run side by side.</summary>
    public int Threads { get; set; } = 1;

    /// <summary><see cref="ExecutionOptions.BatchSize"/>. Default: 1024.</summary>
    public int BatchSize { get; set; } = 1024;

    /// <summary><see cref="OnnxScorerOptions.Outputs"/>; empty (the default) = all.</summary>
    public IList<string> Outputs { get; init; } = [];

    /// <summary>
    /// How often the file's date and size are looked at. A change is taken when two looks in a row saw the same, so that no half-written
    /// file is read. Default: 1 second. Zero = never, and the options are not looked at again either. Read once, at the start.
    /// </summary>
    public TimeSpan ReloadInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Changes to the settings that the properties above make; null (the default) = none. For what only code can say.</summary>
    public Func<OnnxScorerOptions, OnnxScorerOptions>? Configure { get; set; }

    internal OnnxScorerOptions ToSettings()
    {
        var settings = new OnnxScorerOptions
        {
            Device = MlNetBatchNorm.Device.Parse(Device),
            Threads = Threads,
            BatchSize = BatchSize,
            Outputs = Outputs.Count == 0 ? null : [.. Outputs],
        };
        return Configure?.Invoke(settings) ?? settings;
    }
}

/// <summary>Says everything that is wrong with the options at once.</summary>
internal sealed class OnnxScorerServiceOptionsValidator : IValidateOptions<OnnxScorerServiceOptions>
{
    public ValidateOptionsResult Validate(string? name, OnnxScorerServiceOptions options)
    {
        var failures = new List<string>();
        if (string.IsNullOrWhiteSpace(options.ModelPath))
            Add(nameof(options.ModelPath), "is empty; give the path of an ONNX file.");
        else if (!File.Exists(options.ModelPath))
            Add(nameof(options.ModelPath), $"is '{options.ModelPath}', but there is no such file.");
        if (Refusal(options.Device) is { } refusal) Add(nameof(options.Device), $"is wrong: {refusal}");
        if (options.Threads < 0) Add(nameof(options.Threads), $"is {options.Threads}; give 1 or more, or 0 for one per core.");
        if (options.BatchSize < 1) Add(nameof(options.BatchSize), $"is {options.BatchSize}; give 1 or more rows.");
        if (options.ReloadInterval < TimeSpan.Zero)
            Add(nameof(options.ReloadInterval), $"is {options.ReloadInterval}; give a time such as 00:00:01, or 00:00:00 for no reload.");
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void Add(string property, string what) =>
            failures.Add($"{(string.IsNullOrEmpty(name) ? "The scorer" : $"The scorer '{name}'")}: {property} {what}");
    }

    private static string? Refusal(string device)
    {
        try
        {
            MlNetBatchNorm.Device.Parse(device ?? string.Empty);
            return null;
        }
        catch (FormatException exception)
        {
            return exception.Message;
        }
    }
}
