using System.CommandLine;
using System.CommandLine.Parsing;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Precision;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>Options that several commands have.</summary>
internal static class CommonOptions
{
    public static Option<Device> Device() => new("--device")
    {
        Description = "auto, cpu, cuda or cuda:N",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => Onnx.Execution.Device.Auto,
        CustomParser = result => Parse(result, Onnx.Execution.Device.Parse, Onnx.Execution.Device.Auto),
    };

    public static Option<ModelPrecision> Precision() => new("--precision")
    {
        Description = "the precision of the model that is written: " + string.Join(", ", PrecisionNames.All),
        HelpName = "PRECISION",
        DefaultValueFactory = _ => ModelPrecision.Float32,
        CustomParser = result => Parse(result, PrecisionNames.Parse, ModelPrecision.Float32),
    };

    /// <summary>Runs a parser that throws <see cref="FormatException"/>, and turns that into a usage error.</summary>
    public static T Parse<T>(ArgumentResult result, Func<string, T> parse, T otherwise)
    {
        try
        {
            return parse(result.Tokens.Count == 0 ? string.Empty : result.Tokens[^1].Value);
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException or OverflowException)
        {
            result.AddError(exception.Message.ReplaceLineEndings(" "));
            return otherwise;
        }
    }

    /// <summary>Rejects numbers out of a range.</summary>
    public static void RequireRange<T>(this Option<T> option, T least, T most)
        where T : struct, IComparable<T> =>
        option.Validators.Add(result => RequireRange(result, result.GetValueOrDefault<T>(), least, most));

    /// <summary>Rejects numbers out of a range; the option may be left out.</summary>
    public static void RequireRange<T>(this Option<T?> option, T least, T most)
        where T : struct, IComparable<T> =>
        option.Validators.Add(result => RequireRange(result, result.GetValueOrDefault<T?>(), least, most));

    private static void RequireRange<T>(OptionResult result, T? given, T least, T most)
        where T : struct, IComparable<T>
    {
        if (result.Tokens.Count > 0 && given is { } value && (value.CompareTo(least) < 0 || value.CompareTo(most) > 0))
            result.AddError(FormattableString.Invariant($"{result.Option.Name} is {value}, but must be from {least} to {most}."));
    }
}
