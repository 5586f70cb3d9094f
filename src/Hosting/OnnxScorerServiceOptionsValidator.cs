using Microsoft.Extensions.Options;

namespace MlNetBatchNorm.Hosting;

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
