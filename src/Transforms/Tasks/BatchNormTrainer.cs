using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Trainers;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Verification;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// What the trainers of all tasks do alike: read the rows, train, fold, compare, describe. A task adds its label, its loss and its columns.
/// </summary>
/// <typeparam name="TTransformer">What a trained network is.</typeparam>
public abstract class BatchNormTrainer<TTransformer> : ITrainerEstimator<TTransformer, TrainedNetwork>
    where TTransformer : BatchNormTransformer
{
    private readonly BatchNormNetworkOptions _options;
    private readonly IHost? _host;
    private readonly int _seed;

    private protected BatchNormTrainer(BatchNormNetworkOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _host = (options.Context as IHostEnvironment)?.Register("BatchNormNetwork");
        _seed = options.Seed ?? _host?.Rand.Next() ?? 0;
    }

    /// <summary>
    /// What ML.NET may ask a trainer about: it needs no normalized features (see <see cref="BatchNormNetworkOptions.Standardize"/>) and no
    /// cached ones (it reads them once).
    /// </summary>
    public TrainerInfo Info { get; } = CreateInfo();

    /// <summary>What is predicted.</summary>
    public abstract TaskKind Task { get; }

    private protected abstract Loss DefaultLoss { get; }

    /// <summary>The type of the label that the task needs: what one value is in memory, whether it is a key, and how an error says it.</summary>
    private protected abstract (Type RawType, bool IsKey, string Advice) ExpectedLabel { get; }

    /// <summary>Trains the network, folds its batch normalizations and compares both on the training rows.</summary>
    /// <param name="input">Data with the columns that the options name.</param>
    /// <exception cref="ArgumentException">A column is missing or has another type, or an option is out of its range.</exception>
    /// <exception cref="InvalidDataException">
    /// A feature, label or weight cannot be used, rows have different lengths, or all labels are the same; row and column are named. Or the checkpoint of
    /// the options is damaged or of another training.
    /// </exception>
    /// <exception cref="ModelVerificationException">In the precision of the options the network is worse than they allow.</exception>
    /// <exception cref="NotSupportedException">Nothing in the network can have that precision.</exception>
    /// <exception cref="OperationCanceledException">The options' token was cancelled.</exception>
    public TTransformer Fit(IDataView input) => Fit(input, validation: null);

    /// <summary>Trains as <see cref="Fit(IDataView)"/> does, and measures each epoch on rows of its own instead of a part held out.</summary>
    /// <param name="input">Data with the columns that the options name.</param>
    /// <param name="validation">Data with the same columns; null = a part of <paramref name="input"/> is held out.</param>
    public TTransformer Fit(IDataView input, IDataView? validation)
    {
        ArgumentNullException.ThrowIfNull(input);
        _options.RequireOneArchitecture();
        var options = _options.WithDefaults(Task);
        using var log = new TrainingLog(options, _host);
        var reader = OpenRows(input);
        var rows = Read(reader, "training", log);
        RequireDifferentLabels(rows);
        var validationRows = validation is null ? null : Read(OpenRows(validation), "validation", log);
        var export = new NetworkExportOptions
        {
            Opset = options.Opset,
            Metadata = Describe(input.Schema, reader.Label),
            Precision = options.Precision,
            AllowedMetricLoss = options.PrecisionLoss,
        };
        var loss = CreateLoss(rows, reader.Label);
        var architecture = options.CreateNetwork((int)rows.Shape.Count, rows.Outputs);
        log.Started(architecture, rows, options.Device);
        var network = NetworkTrainer.Train(
            architecture,
            loss,
            rows,
            options.ToTrainingOptions(_seed) with { Progress = log.Epoch, Warning = log.Warning },
            validationRows,
            options.CancellationToken);
        var fitted = FittedNetwork.Create(network, rows, export, options.FeatureColumnName, options.Device, ReadAgain(Classes(reader.Label)));
        var transformer = CreateTransformer(fitted, reader.Label);
        log.Finished(network, fitted.Export, transformer.Scorer);
        return transformer;
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        var label = RequireColumn(inputSchema, _options.LabelColumnName, "label");
        if (label.Kind != SchemaShape.Column.VectorKind.Scalar)
            throw new ArgumentException($"The label column '{label.Name}' is a vector; {ExpectedLabel.Advice}", nameof(inputSchema));
        RequireLabelType(label.Name, label.ItemType.RawType, label.IsKey, $"{(label.IsKey ? "key of " : string.Empty)}{label.ItemType}");
        RequireColumn(inputSchema, _options.FeatureColumnName, "feature");
        if (_options.ExampleWeightColumnName is { } weight) RequireColumn(inputSchema, weight, "weight");
        return AppendColumns(inputSchema, label.Name);
    }

    /// <summary>Reads the rows with the task's targets.</summary>
    private protected abstract TrainingData ReadRows(TrainingRowReader reader, CancellationToken cancellation);

    /// <summary>Rejects rows that all say the same, from which nothing can be learned.</summary>
    private protected abstract void RequireDifferentLabels(TrainingData rows);

    /// <summary>The texts of the classes, in the order of the outputs; none for a number.</summary>
    private protected abstract IReadOnlyList<string> Classes(DataViewSchema.Column label);

    private protected abstract TTransformer CreateTransformer(FittedNetwork fitted, DataViewSchema.Column label);

    /// <summary>The shape of the input with the columns that the transformer adds.</summary>
    private protected abstract SchemaShape AppendColumns(SchemaShape input, string label);

    /// <summary>The name of the label column, for messages.</summary>
    private protected string LabelName => _options.LabelColumnName;

    private Loss CreateLoss(TrainingData rows, DataViewSchema.Column label)
    {
        var loss = _options.Loss ?? DefaultLoss;
        if (loss.IsRegression != DefaultLoss.IsRegression)
            throw new ArgumentException(
                $"The loss '{loss.Kind}' is one for {(loss.IsRegression ? "numbers" : "classes")}, which the task {TaskNames.NameOf(Task)} does not predict; leave Loss out, or use another.");
        return _options.ClassWeights is { } weights ? loss.WithClassWeights(weights.For(Classes(label), rows)) : loss;
    }

    // TrainerInfo has no public constructor; one that is all false is what is true of these trainers.
    private static TrainerInfo CreateInfo() => (TrainerInfo)RuntimeHelpers.GetUninitializedObject(typeof(TrainerInfo));

    private TrainingData Read(TrainingRowReader reader, string what, TrainingLog log)
    {
        var rows = ReadRows(reader, _options.CancellationToken);
        log.LeftOut(reader.LeftOut, what);
        return rows;
    }

    // Keys that another MapValueToKey made would mean other classes.
    private Func<IDataView, TrainingData> ReadAgain(IReadOnlyList<string> classes) => data =>
    {
        var reader = OpenRows(data);
        return Classes(reader.Label).SequenceEqual(classes)
            ? ReadRows(reader, CancellationToken.None)
            : throw new ArgumentException(
                $"The label column '{reader.Label.Name}' has the classes {string.Join(", ", Classes(reader.Label))}, but the network was trained on {string.Join(", ", classes)}; transform the rows by the pipeline that made its training rows.");
    };

    private TrainingRowReader OpenRows(IDataView data)
    {
        var reader = new TrainingRowReader(
            data,
            _options.LabelColumnName,
            _options.FeatureColumnName,
            _options.ExampleWeightColumnName,
            _options.Network?.InputShape,
            _options.UnusableRows);
        RequireLabelType(reader.Label.Name, reader.Label.Type.RawType, reader.Label.Type is KeyDataViewType, reader.Label.Type.ToString()!);
        return reader;
    }

    private Dictionary<string, string> Describe(DataViewSchema schema, DataViewSchema.Column label)
    {
        var metadata = new Dictionary<string, string>
        {
            [ModelMetadata.Task] = TaskNames.NameOf(Task),
            [ModelMetadata.Labels] = TextList.ToJson(Classes(label)),
            [ModelMetadata.LabelColumn] = label.Name,
        };
        if (Columns.SlotNames(Columns.RequireFeatures(schema, _options.FeatureColumnName)) is { } names)
            metadata[ModelMetadata.FeatureNames] = TextList.ToJson(names);
        return metadata;
    }

    private void RequireLabelType(string name, Type rawType, bool isKey, string type)
    {
        var expected = ExpectedLabel;
        if (rawType != expected.RawType || isKey != expected.IsKey)
            throw new ArgumentException($"The label column '{name}' has the type {type}; {expected.Advice}");
    }

    private static SchemaShape.Column RequireColumn(SchemaShape schema, string name, string role)
    {
        foreach (var column in schema)
            if (column.Name == name) return column;
        throw new ArgumentException(
            $"There is no {role} column '{name}'; the columns are {string.Join(", ", schema.Select(column => column.Name))}.", nameof(schema));
    }
}
