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
