using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Transforms.Saving;
using MlNetBatchNorm.Transforms.Scoring;
using MlNetBatchNorm.Transforms.Tasks;
using MlNetBatchNorm.Transforms.Training;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm;

/// <summary>
/// A network as a transformer that adds the columns of its task: one that was just trained, or one out of a saved model, by
/// <c>ml.Model.LoadBatched</c>. A saved model holds the folded network only: what belongs to training is not there after loading
/// (<see cref="IsTrained"/>).
/// </summary>
public abstract class BatchNormTransformer : BatchedTransformer, ISingleFeaturePredictionTransformer<TrainedNetwork>
{
    private readonly NetworkTask _task;
    private readonly NetworkParts _parts;

    private protected BatchNormTransformer(NetworkTask task, NetworkParts parts)
        : this(task, parts, OnnxScorer.Load(parts.Model, parts.ToScorerSettings(task)))
    {
    }

    private BatchNormTransformer(NetworkTask task, NetworkParts parts, OnnxScorer scorer)
        : base(scorer, CreateScoring(task, parts, scorer))
    {
        _task = task;
        _parts = parts;
        Scorer = scorer;
    }

    /// <summary>What is predicted.</summary>
    public LearningTask LearningTask => _task.Kind;

    /// <summary>The classes as texts, for two of them the negative one first; none for regression.</summary>
    public IReadOnlyList<string> Classes => _parts.Classes.Texts;

    /// <summary>The column that is read.</summary>
    public string FeatureColumnName => _parts.FeatureColumnName;

    /// <summary>Whether the network was trained here, so that there is a <see cref="Model"/>; false for one that was loaded.</summary>
    public bool IsTrained => _parts.Training is not null;

    /// <summary>The network with its parameters and the history of its training.</summary>
    /// <exception cref="InvalidOperationException">The network was loaded; see <see cref="IsTrained"/>.</exception>
    public TrainedNetwork Model => Training.Network;

    /// <summary>The network as ONNX, as it scores: its batch normalizations folded.</summary>
    public OnnxModel Onnx => _parts.Model;

    /// <summary>The device in use, and what was tried to get it.</summary>
    public DeviceReport DeviceReport => Scorer.DeviceReport;

    /// <summary>The scorer behind the transformer.</summary>
    internal OnnxScorer Scorer { get; }

    /// <summary>The network as ONNX, as its message.</summary>
    internal ModelProto Proto => Onnx.Proto;

    /// <summary>How it was trained.</summary>
    /// <exception cref="InvalidOperationException">The network was loaded.</exception>
    internal NetworkTraining Training => _parts.Training ?? throw new InvalidOperationException(
        "This network was loaded from a saved model, which holds the folded network but nothing of its training. "
        + "Keep the transformer that Fit gave to ask about that.");

    /// <summary>The same as ONNX: unfolded, folded, and in the precision that the options ask for; and how far they differ.</summary>
    internal NetworkExport Export => Training.Export;

    /// <summary>The task.</summary>
    internal NetworkTask Task => _task;

    /// <summary>
    /// A scorer for the same network without ML.NET, for many threads at once. It is a copy of its own, to be disposed of by the caller.
    /// </summary>
    /// <param name="options">
    /// Device, threads and outputs; null = the device of this transformer and the outputs that its columns are made of.
    /// </param>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public OnnxScorer CreateScorer(OnnxScorerOptions? options = null)
    {
        options ??= new OnnxScorerOptions { Device = _parts.Device };
        return OnnxScorer.Load(Onnx, options with { Outputs = options.Outputs ?? _task.Outputs });
    }

    /// <summary>
    /// Writes the network as it scores as an ONNX file: its batch normalizations folded, in the operator set and the precision that it was
    /// trained for. The file appears whole or not at all.
    /// </summary>
    /// <param name="path">The file to create or replace.</param>
    public void SaveOnnx(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        Onnx.Save(path);
    }

    /// <summary>Writes the network as it scores as an ONNX file.</summary>
    /// <param name="stream">Where to; it stays open.</param>
    public void SaveOnnx(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Onnx.Save(stream);
    }

    /// <summary>
    /// The network as ONNX in another operator set or precision, whatever it scores in itself, its batch normalizations folded: compared
    /// with the network on the rows given, and only there when it stays within what the options allow.
    /// </summary>
    /// <param name="rows">
    /// Rows with the feature column and, for fewer bits than float32 has, with the label column (and that of the weights, where it was
    /// trained with one): best those of a test set, as they went into <c>Fit</c>.
    /// </param>
    /// <param name="options">Operator set, precision, what may be lost, and further metadata; null = float32 in operator set 17.</param>
    /// <returns>The model, and what fewer bits cost.</returns>
    /// <exception cref="ArgumentException">A column is missing or does not fit, or its classes are not those of the training.</exception>
    /// <exception cref="InvalidDataException">There are no rows, or a value cannot be used; the row is named.</exception>
    /// <exception cref="InvalidOperationException">The network was loaded; see <see cref="IsTrained"/>.</exception>
    /// <exception cref="NotSupportedException">Nothing in the network can have that precision.</exception>
    /// <exception cref="ModelVerificationException">The model would be worse by more than is allowed.</exception>
    public NetworkExport ExportOnnx(IDataView rows, NetworkExportOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(rows);
        options ??= new NetworkExportOptions();
        var training = Training;
        var data = options.Precision == ModelPrecision.Float32 ? ReadFeatures(rows) : training.ReadRows(rows);
        var metadata = Description();
        foreach (var (key, value) in options.Metadata) metadata[key] = value;
        return NetworkExporter.Export(training.Network, data, options with { Metadata = metadata });
    }

    /// <summary>
    /// A transformer with the same weights whose batch normalizations have the statistics of given rows (Ioffe and Szegedy 2015, Algorithm
    /// 2): for rows that differ from those it was trained on, or where training warned that its statistics are far off. This one stays as
    /// it is.
    /// </summary>
    /// <param name="rows">A view with the feature column; a label is not looked at.</param>
    /// <exception cref="ArgumentException">The column is missing or does not fit, or the rows are too few to have a variance.</exception>
    /// <exception cref="InvalidDataException">A feature is not a finite number; the row is named.</exception>
    /// <exception cref="InvalidOperationException">The network was loaded; see <see cref="IsTrained"/>.</exception>
    /// <exception cref="NotSupportedException">The network was trained for fewer bits than float32 has.</exception>
    public abstract BatchNormTransformer RecomputeStatistics(IDataView rows);

    DataViewType ISingleFeaturePredictionTransformer<TrainedNetwork>.FeatureColumnType =>
        new VectorDataViewType(NumberDataViewType.Single, Scorer.RowLength);

    private protected BatchNormTransformer Recompute(IDataView rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var training = Training;
        if (training.Export.Reduced is { } reduced)
            throw new NotSupportedException(
                $"The statistics of a network in {PrecisionNames.NameOf(reduced.Precision)} cannot be recomputed: without labels nobody "
                + "could say what those bits cost then. Train it in float32, recompute, and reduce the exported model.");

        var data = ReadFeatures(rows);
        var options = new NetworkExportOptions { Opset = training.Export.Unfolded.Opset, Metadata = Description() };
        var recomputed = NetworkTraining.Create(training.Network.RecomputeStatistics(data), data, options, training.ReadRows);
        return _task.CreateTransformer(_parts with { Model = recomputed.Export.Deployed, Training = recomputed });
    }

    private protected override void Save(ModelSaveContext context)
    {
        var form = _task.ToSaved(Proto, _parts.Classes);
        // ML.NET takes the names of columns from the model.
        SavedGraph.Rename(form.Model.Graph, TrainedNetwork.FeaturesInput, FeatureColumnName);
        ModelFile.SetMetadata(form.Model, ModelMetadata.Format, ModelMetadata.CurrentFormat.ToString(CultureInfo.InvariantCulture));
        form.Save(context, [(FeatureColumnName, new VectorDataViewType(NumberDataViewType.Single, Scorer.RowLength))]);
    }

    // What training wrote about task and columns; the statistics are described anew.
    private Dictionary<string, string> Description() => Export.Unfolded.Metadata
        .Where(entry => entry.Key != ModelMetadata.Statistics)
        .ToDictionary(entry => entry.Key, entry => entry.Value, StringComparer.Ordinal);

    // The features stand in for a label, which nobody looks at.
    private TrainingData ReadFeatures(IDataView rows)
    {
        var network = Model.Network;
        var reader = new TrainingRowReader(
            rows, FeatureColumnName, FeatureColumnName, weight: null, network.InputShape, UnusableRows.Fail);
        return reader.Read<VBuffer<float>>((int)network.OutputShape.Count, (_, _) => null, CancellationToken.None);
    }

    private static RowScoring CreateScoring(NetworkTask task, NetworkParts parts, OnnxScorer scorer)
    {
        var features = new RowTensor(TrainedNetwork.FeaturesInput, DataType.Float, scorer.RowShape);
        return new RowScoring(
            scorer.CreateBlock,
            [new InputColumn(parts.FeatureColumnName, features, 0, IsFeatures: true)],
            task.Columns(parts.Classes),
            scorer.ResultLength,
            parts.BatchSize ?? BatchedScoringOptions.DefaultBatchSize);
    }
}
