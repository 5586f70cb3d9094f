using Microsoft.ML;
using Microsoft.ML.Runtime;
using Microsoft.ML.Trainers;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Transforms.Interop;
using MlNetBatchNorm.Transforms.Rows;
using MlNetBatchNorm.Transforms.Tasks;
using MlNetBatchNorm.Transforms.Training;

namespace MlNetBatchNorm;

/// <summary>
/// What the trainers of all tasks do alike: read the rows, train, fold, compare, describe. A task adds its label, its loss and its columns.
/// </summary>
/// <remarks>Safe for many threads: each <c>Fit</c> is a training of its own, with the same seed.</remarks>
/// <typeparam name="TTransformer">What a trained network is.</typeparam>
public abstract class BatchNormTrainer<TTransformer> : ITrainerEstimator<TTransformer, TrainedNetwork>
    where TTransformer : BatchNormTransformer
{
    // What depends on the size of the table is filled in when it is there, and is right for any.
    private const int ValidatedRows = 1000, ValidatedFeatures = 1;

    private readonly NetworkTask _task;
    private readonly BatchNormNetworkOptions _options;
    private readonly TrainingInput _input;
    private readonly IHostEnvironment? _environment;
    private readonly IHost? _host;
    private readonly int _seed;

    private protected BatchNormTrainer(NetworkTask task, BatchNormNetworkOptions options, IHostEnvironment? environment)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.RequireOneArchitecture();
        _task = task;
        _options = options.Copy();
        _input = new TrainingInput(task, _options);
        task.Complete(_options, ValidatedRows, ValidatedFeatures).Validate();
        RequireNames();
        _environment = environment;
        _host = environment?.Register("BatchNormNetwork");
        _seed = options.Seed ?? _host?.Rand.Next() ?? 0;
    }

    /// <summary>
    /// What ML.NET may ask a trainer about: it needs no normalized features (see <see cref="BatchNormNetworkOptions.StandardizeFeatures"/>)
    /// and no cached ones (it reads them once).
    /// </summary>
    public TrainerInfo Info { get; } = MlNetInternals.CreateTrainerInfo();

    /// <summary>What is predicted.</summary>
    public LearningTask LearningTask => _task.Kind;

    /// <summary>Trains the network, folds its batch normalizations and compares both on the training rows.</summary>
    /// <param name="input">Data with the columns that the options name.</param>
    /// <exception cref="ArgumentException">A column is missing or has another type, or an option does not fit the data.</exception>
    /// <exception cref="InvalidDataException">
    /// A feature, label or weight cannot be used, rows have different lengths, or all labels are the same; row and column are named. Or the
    /// checkpoint of the options is damaged or of another training.
    /// </exception>
    /// <exception cref="InsufficientMemoryException">The rows need more memory than there is.</exception>
    /// <exception cref="ModelVerificationException">In the precision of the options the network is worse than they allow.</exception>
    /// <exception cref="NotSupportedException">Nothing in the network can have that precision.</exception>
    /// <exception cref="OperationCanceledException">The options' token, or the context, was cancelled.</exception>
    public TTransformer Fit(IDataView input) => Fit(input, validation: null);

    /// <summary>
    /// Trains as <see cref="Fit(IDataView)"/> does, and measures each epoch on rows of its own instead of a part held out.
    /// </summary>
    /// <param name="input">Data with the columns that the options name.</param>
    /// <param name="validation">
    /// Data with the same columns; null = those of <see cref="BatchNormNetworkOptions.ValidationSet"/>, or else a part of
    /// <paramref name="input"/> that is held out.
    /// </param>
    public TTransformer Fit(IDataView input, IDataView? validation)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var log = new TrainingLog(_options, _environment, _host);
        _options.Watch?.Stage("reading the features");
        var reader = _input.Open(input);
        var rows = _input.Read(reader, "training", log);
        if (rows.FeatureRows.File is not null) RowFile.GiveMemoryBack();
        foreach (var lost in reader.LostDigits(rows)) log.Warning(new TrainingWarning(TrainingWarningKind.DigitsLost, null, lost));
        _task.RequireDifferentLabels(rows, _options.LabelColumnName);
        if (!_options.IsEvaluatedElsewhere && _task.Doubt(rows, reader.Label) is { } doubt) log.Warning(doubt);
        validation ??= _options.ValidationSet;
        var validationRows = validation is null ? null : _input.Read(_input.Open(validation), "validation", log);
        var classes = _task.Classes(reader.Label);
        var export = new NetworkExportOptions
        {
            Opset = _options.Opset,
            Metadata = Describe(input.Schema, reader.Label, classes),
            Precision = _options.Precision,
            AllowedMetricLoss = _options.AllowedMetricLoss,
        };
        var shared = _options.Communicator is { Size: > 1 } ranks ? new SharedRows(ranks, rows) : null;
        var count = shared is null ? rows.Count : (int)Math.Min(int.MaxValue, shared.Counts.Sum());
        var complete = _task.Complete(_options, count, (int)rows.Shape.Count, out var wide);
        if (wide is not null)
            log.Warning(new TrainingWarning(TrainingWarningKind.NarrowFirstLayer, null, wide.Describe(complete.HiddenLayers!)));
        var architecture = complete.CreateNetwork((int)rows.Shape.Count, rows.Outputs);
        var device = _options.Device ?? MlNetInternals.GpuOf(_environment) ?? Device.Auto;
        log.Started(rows, device);
        _options.Watch?.Stage("preparing the training");
        var network = NetworkTrainer.Train(
            architecture,
            _input.CreateLoss(shared?.Targets() ?? rows, classes, validationRows is null ? complete.Loss : _options.Loss),
            rows,
            complete.ToTrainingOptions(_seed, device) with
            {
                Progress = log.Epoch,
                Warning = log.Warning,

                // What is refused or fails below is no reason to train again.
                Checkpoint = _options.Checkpoint is { } checkpoint ? checkpoint with { Keep = true } : null,
            },
            validationRows,
            _options.CancellationToken);
        _options.Watch?.Stage("folding, and comparing with the network as it was trained");
        var training = NetworkTraining.Create(network, rows, export, ReadAgain(classes));
        var parts = new NetworkParts(training.Export.Deployed, _options.FeatureColumnName, classes, device)
        {
            Training = training,
            Environment = _environment,
        };
        var transformer = (TTransformer)_task.CreateTransformer(parts);
        log.Finished(network, training.Export, transformer.Scorer);
        if (_options.Checkpoint is { Keep: false } finished) finished.Remove();
        return transformer;
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        var label = RequireColumn(inputSchema, _options.LabelColumnName, "label");
        if (label.Kind != SchemaShape.Column.VectorKind.Scalar)
            throw new ArgumentException($"The label column '{label.Name}' is a vector; {_task.ExpectedLabel.Advice}", nameof(inputSchema));
        _input.RequireLabelType(
            label.Name, label.ItemType.RawType, label.IsKey, $"{(label.IsKey ? "key of " : string.Empty)}{label.ItemType}");
        RequireColumn(inputSchema, _options.FeatureColumnName, "feature");
        if (_options.ExampleWeightColumnName is { } weight) RequireColumn(inputSchema, weight, "weight");
        return _task.AppendColumns(inputSchema, label.Name);
    }

    // What would go wrong without a word, or only once the network is trained.
    private void RequireNames()
    {
        var (label, features) = (_options.LabelColumnName, _options.FeatureColumnName);
        if (label == features)
            throw new ArgumentException($"The label and the features cannot both be the column '{label}'.");
        if (!_options.IsEvaluatedElsewhere && _task.ColumnNames.Contains(label))
            throw new ArgumentException(
                $"The label column '{label}' has the name of a column that the trainer adds, which would hide it: an evaluator would "
                + $"compare the predictions with themselves. Put CopyColumns(\"Target\", \"{label}\") in front, and train on the label "
                + "'Target'.");
        if (_task.SavedNames.Contains(features))
            throw new ArgumentException(
                $"The feature column '{features}' has the name of a column that a saved network adds, so that it could not be saved. Put "
                + $"CopyColumns(\"Features\", \"{features}\") in front, and train on the copy.");
    }

    // Keys that another MapValueToKey made would mean other classes.
    private Func<IDataView, TrainingData> ReadAgain(ClassLabels trained) => data =>
    {
        var reader = _input.Open(data);
        var classes = _task.Classes(reader.Label);
        return classes.Texts.SequenceEqual(trained.Texts)
            ? _task.ReadRows(reader, CancellationToken.None)
            : throw new ArgumentException(
                $"The label column '{reader.Label.Name}' has the classes {string.Join(", ", classes.Texts)}, but the network was trained "
                + $"on {string.Join(", ", trained.Texts)}; transform the rows by the pipeline that made its training rows.");
    };

    private Dictionary<string, string> Describe(DataViewSchema schema, DataViewSchema.Column label, ClassLabels classes)
    {
        var metadata = new Dictionary<string, string>
        {
            [ModelMetadata.Task] = _task.Name,
            [ModelMetadata.Labels] = TextList.ToJson(classes.Texts),
            [ModelMetadata.LabelColumn] = label.Name,
        };
        if (Columns.SlotNames(Columns.RequireFeatures(schema, _options.FeatureColumnName)) is { } names)
            metadata[ModelMetadata.FeatureNames] = TextList.ToJson(names);
        foreach (var (key, value) in _options.Metadata) metadata[key] = value;
        return metadata;
    }

    private static SchemaShape.Column RequireColumn(SchemaShape schema, string name, string role)
    {
        foreach (var column in schema)
            if (column.Name == name) return column;
        throw new ArgumentException(
            $"There is no {role} column '{name}'; the columns are {string.Join(", ", schema.Select(column => column.Name))}.",
            nameof(schema));
    }
}
