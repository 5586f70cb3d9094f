using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>A network that was just trained, as a transformer that adds the columns of its task.</summary>
public abstract class BatchNormTransformer : NetworkTransformer, ISingleFeaturePredictionTransformer<TrainedNetwork>
{
    private readonly FittedNetwork _fitted;

    private protected BatchNormTransformer(FittedNetwork fitted, NetworkTask task)
        : base(task, Scorer.Load(fitted.Export.Deployed, new ScorerSettings { Device = fitted.Device, Outputs = task.Outputs }), fitted.Export.Deployed.Proto, fitted.FeatureColumnName)
    {
        _fitted = fitted;
        Network = fitted.Network;
        Export = fitted.Export;
    }

    /// <summary>The network with its parameters and the history of its training.</summary>
    public TrainedNetwork Network { get; }

    /// <summary>The network as ONNX: unfolded, folded, and in the precision that the options ask for; and how far they differ.</summary>
    public ExportedNetwork Export { get; }

    TrainedNetwork IPredictionTransformer<TrainedNetwork>.Model => Network;

    /// <summary>
    /// A transformer with the same weights whose batch normalizations have the statistics of given rows (Ioffe and Szegedy 2015, Algorithm 2): for
    /// rows that differ from those it was trained on, or where training warned that its statistics are far off. This one stays as it is.
    /// </summary>
    /// <param name="rows">A view with the feature column; a label is not looked at.</param>
    /// <exception cref="ArgumentException">The column is missing or does not fit, or the rows are too few to have a variance.</exception>
    /// <exception cref="InvalidDataException">A feature is not a finite number; the row is named.</exception>
    /// <exception cref="NotSupportedException">The network was trained for fewer bits than float32 has.</exception>
    public abstract BatchNormTransformer RecomputeStatistics(IDataView rows);

    /// <summary>
    /// Writes the network as an ONNX file: its batch normalizations folded, in the operator set and the precision that the options say, whatever it
    /// scores in itself. The file is compared with the network on the rows given and only written when it stays within what the options allow.
    /// </summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="rows">
    /// Rows with the feature column and, for fewer bits than float32 has, with the label column (and that of the weights, where it was trained with
    /// one): best those of a test set, as they went into <c>Fit</c>.
    /// </param>
    /// <param name="options">Operator set, precision, what may be lost, and further metadata; null = float32 in operator set 17.</param>
    /// <returns>What was written (<see cref="ExportedNetwork.Deployed"/>), and what fewer bits cost (<see cref="ExportedNetwork.Reduced"/>).</returns>
    /// <exception cref="ArgumentException">A column is missing or does not fit, or its classes are not those of the training.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">There are no rows, or a value cannot be used; the row is named.</exception>
    /// <exception cref="NotSupportedException">Nothing in the network can have that precision.</exception>
    /// <exception cref="VerificationException">The file would be worse by more than is allowed; nothing is written.</exception>
    public ExportedNetwork ExportToOnnx(string path, IDataView rows, ExportOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(rows);
        options ??= new ExportOptions();
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no folder '{folder}' to write '{Path.GetFileName(path)}' to.");
        var data = options.Precision == ModelPrecision.Float32 ? ReadFeatures(rows) : _fitted.ReadRows(rows);
        var metadata = Description();
        foreach (var (key, value) in options.Metadata) metadata[key] = value;
        var export = NetworkExporter.Export(Network, data, options with { Metadata = metadata });
        export.Deployed.Save(path);
        return export;
    }

    DataViewType ISingleFeaturePredictionTransformer<TrainedNetwork>.FeatureColumnType =>
        new VectorDataViewType(NumberDataViewType.Single, Scorer.RowLength);

    private protected FittedNetwork Recompute(IDataView rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (Export.Reduced is { } reduced)
            throw new NotSupportedException(
                $"The statistics of a network in {PrecisionNames.NameOf(reduced.Precision)} cannot be recomputed: without labels nobody could say what those bits cost then. Train it in float32, recompute, and reduce the exported model.");

        var data = ReadFeatures(rows);
        var options = new ExportOptions { Opset = (int)Export.Unfolded.Proto.OpsetImport.First(opset => opset.Domain.Length == 0).Version, Metadata = Description() };
        return FittedNetwork.Create(Network.RecomputeStatistics(data), data, options, FeatureColumnName, _fitted.Device, _fitted.ReadRows);
    }

    // What training wrote about task and columns; the statistics are described anew.
    private Dictionary<string, string> Description() => Export.Unfolded.Proto.MetadataProps
        .Where(entry => entry.Key != ModelMetadata.Statistics)
        .ToDictionary(entry => entry.Key, entry => entry.Value, StringComparer.Ordinal);

    // The features stand in for a label, which nobody looks at.
    private LabeledRows ReadFeatures(IDataView rows)
    {
        var reader = new TrainingRowReader(rows, FeatureColumnName, FeatureColumnName, weight: null, Network.Network.InputShape, UnusableRows.Fail);
        return reader.Read<VBuffer<float>>((int)Network.Network.OutputShape.Count, (_, _) => null, CancellationToken.None);
    }
}
