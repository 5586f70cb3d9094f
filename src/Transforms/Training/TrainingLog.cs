using System.Globalization;
using Microsoft.ML.Runtime;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Transforms.Interop;

namespace MlNetBatchNorm.Transforms.Training;

/// <summary>
/// One training, in the log of an ML.NET context and through the callbacks of the options. ML.NET's own progress channels never reach
/// <c>MLContext.Log</c>, so an epoch is a message of its own.
/// </summary>
internal sealed class TrainingLog : IDisposable
{
    private readonly BatchNormNetworkOptions _options;
    private readonly IHostEnvironment? _environment;
    private readonly IChannel? _channel;

    /// <param name="options">The options with the callbacks.</param>
    /// <param name="environment">The context, which may be cancelled; null = there is none.</param>
    /// <param name="host">The trainer's place in it.</param>
    public TrainingLog(BatchNormNetworkOptions options, IHostEnvironment? environment, IHost? host)
    {
        _options = options;
        _environment = environment;
        _channel = host?.Start("Training");
    }

    /// <summary>Says what is trained on what.</summary>
    public void Started(TrainingData rows, Device asked)
    {
        ThrowIfCancelled();
        Info(string.Create(
            CultureInfo.InvariantCulture,
            $"training on {rows.Count:N0} rows of {rows.Shape.Count:N0} features; device asked for: {asked}"));
    }

    /// <summary>Says what rows were left out.</summary>
    public void LeftOut(LeftOutRows rows, string what)
    {
        if (rows.Count > 0)
            Warning(new TrainingWarning(
                TrainingWarningKind.RowsLeftOut,
                null,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{rows.Count:N0} of {rows.Total:N0} {what} rows were left out. The first: {rows.FirstReason}")));
    }

    /// <summary>Says of rows that are more than their memory where they are.</summary>
    public void InFile(TrainingData rows, string what)
    {
        if (rows.FeatureRows.File is { } file)
            Warning(new TrainingWarning(
                TrainingWarningKind.RowsInFile,
                null,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the {what} rows take {file.Length / 1e6:N0} MB, more than the {file.Budget / 1e6:N0} MB of memory for rows; they are "
                        + $"in a file in '{Path.GetTempPath()}' for as long as they are needed.")));
    }

    /// <summary>Says how an epoch went, and ends the training if the context was cancelled.</summary>
    public void Epoch(EpochReport report)
    {
        _channel?.Info(MessageSensitivity.None, report.ToString());
        _options.Progress?.Invoke(report);
        ThrowIfCancelled();
    }

    /// <summary>Says what is probably not as meant.</summary>
    public void Warning(TrainingWarning warning)
    {
        _channel?.Warning(MessageSensitivity.Schema, warning.Message);
        _options.Warning?.Invoke(warning);
    }

    /// <summary>Says what came out of it and where it ran, and warns if that is not where it was to run.</summary>
    public void Finished(TrainedNetwork network, NetworkExport export, OnnxScorer scorer)
    {
        var (kept, difference) = (network.Best.Epoch, export.Verification.LargestRelative);
        Info(FormattableString.Invariant($"kept epoch {kept} of {network.History.Count} of a network with ")
            + FormattableString.Invariant($"{network.Network.ParameterCount:N0} parameters; trained on {network.Device}, ")
            + FormattableString.Invariant(
                $"scoring on {scorer.Device}; folded - unfolded at most {difference:0.0e+0} of the output's scale"));
        foreach (var left in export.Folding.BatchNorms.Where(outcome => outcome.Status == FoldStatus.Declined))
            Info($"the batch normalization {left.Name} is not folded: {left.Reason}");
        if (export.ServedWarning is { } served) _channel?.Warning(MessageSensitivity.None, served);
        if (scorer.DeviceReport.IsSurprising) _channel?.Warning(MessageSensitivity.None, scorer.DeviceReport.ToString());
    }

    public void Dispose() => _channel?.Dispose();

    private void Info(string message) => _channel?.Info(MessageSensitivity.None, message);

    private void ThrowIfCancelled()
    {
        if (_environment is not null && MlNetInternals.IsCancelled(_environment))
            throw new OperationCanceledException("The training was stopped: its context was cancelled.");
    }
}
