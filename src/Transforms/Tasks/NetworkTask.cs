using Microsoft.ML;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.Rows;
using MlNetBatchNorm.Transforms.Saving;
using MlNetBatchNorm.Transforms.Scoring;
using MlNetBatchNorm.Transforms.Training;

namespace MlNetBatchNorm.Transforms.Tasks;

/// <summary>
/// All that is special about what a network predicts: its label, its loss, the columns that it adds in ML.NET and in ONNX, and the form in
/// which ML.NET saves it. A further task is a class more, in a file of its own with its trainer and its transformer, and a line in
/// <see cref="All"/>.
/// </summary>
internal abstract class NetworkTask
{
    private const int FastBatchSize = 128;

    /// <summary>Every task.</summary>
    public static IReadOnlyList<NetworkTask> All { get; } = [new BinaryTask(), new MulticlassTask(), new RegressionTask()];

    /// <summary>The names of all tasks.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(task => task.Name)];

    /// <summary>What users call it.</summary>
    public abstract LearningTask Kind { get; }

    /// <summary>Its name on the command line, in reports and in the metadata of models.</summary>
    public string Name => Kind.ToString().ToLowerInvariant();

    /// <summary>What training makes small.</summary>
    public abstract Loss Loss { get; }

    /// <summary>The same with a share of each row's target on all classes alike; <see cref="Loss"/> itself where there are none.</summary>
    /// <param name="share">The share, from 0 to below 1.</param>
    public virtual Loss SmoothedLoss(float share) => Loss;

    /// <summary>
    /// What <see cref="Preset.Fast"/> stands for. The options were chosen by the figures on a table of each kind (see <c>sample-data</c>),
    /// over several seeds.
    /// </summary>
    protected abstract BatchNormNetworkOptions FastDefaults { get; }

    /// <summary>The rate of a dropout in front of the last layer in <see cref="Preset.Fast"/>, for so many rows.</summary>
    protected virtual float DropoutFor(int rows) => 0;

    /// <summary>The type of the label: what one value is in memory, whether it is a key, and how an error says it.</summary>
    public abstract (Type RawType, bool IsKey, string Advice) ExpectedLabel { get; }

    /// <summary>Whether a label may be of a type.</summary>
    /// <param name="rawType">What one value is in memory.</param>
    /// <param name="isKey">Whether it is a key.</param>
    public virtual bool TakesLabel(Type rawType, bool isKey) => rawType == ExpectedLabel.RawType && isKey == ExpectedLabel.IsKey;

    /// <summary>The network's outputs that columns are made of, in the order in which columns count them.</summary>
    public abstract IReadOnlyList<string> Outputs { get; }

    /// <summary>The task of users.</summary>
    public static NetworkTask Of(LearningTask kind) => All.FirstOrDefault(task => task.Kind == kind)
        ?? throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such task.");

    /// <summary>The task of a name; null where there is no such task.</summary>
    public static NetworkTask? Find(string? name) => All.FirstOrDefault(task => task.Name == name);

    /// <summary>The task of a model by its metadata; null where it does not say, or says something that is not known here.</summary>
    public static NetworkTask? Of(ModelProto model) => Find(ModelFile.GetMetadata(model, ModelMetadata.Task));

    /// <summary>What options are where the user has left them open.</summary>
    /// <param name="preset">The preset.</param>
    /// <param name="rows">The training rows.</param>
    public BatchNormNetworkOptions Defaults(Preset preset, int rows) => preset switch
    {
        Preset.Accurate => AccurateRecipe.For(Kind, rows),
        Preset.Fast => FastDefaults with
        {
            Members = 1,
            NumericEncoding = NumericEncoding.Standardize,
            TargetTransform = TargetTransform.None,
            Dropout = DropoutFor(rows),
            HiddenDropout = 0,
            BatchSize = FastBatchSize,
        },
        _ => throw new ArgumentOutOfRangeException(nameof(preset), preset, "There is no such preset."),
    };

    /// <summary>The options with every one filled in that was left open.</summary>
    /// <param name="options">The options.</param>
    /// <param name="rows">The training rows.</param>
    /// <param name="features">The features of each.</param>
    public BatchNormNetworkOptions Complete(BatchNormNetworkOptions options, int rows, int features) =>
        Complete(options, rows, features, out _);

    /// <summary>The same, and whether the table is so wide that it gets less than usual.</summary>
    /// <param name="options">The options.</param>
    /// <param name="rows">The training rows.</param>
    /// <param name="features">The features of each.</param>
    /// <param name="wide">What was made of that; null where the table is not so wide.</param>
    public BatchNormNetworkOptions Complete(BatchNormNetworkOptions options, int rows, int features, out WideTable? wide)
    {
        var preset = options.Preset ?? (options.Network is null ? Preset.Accurate : Preset.Fast);
        var open = Defaults(preset, rows) with { Preset = preset };
        var complete = options.CopyWithDefaults(open);
        wide = WideTable.Find(options, complete, rows, features);
        return wide is null ? complete : options.CopyWithDefaults(wide.Narrow(open));
    }

    /// <summary>The classes of a label column, in the order of the network's outputs.</summary>
    public abstract ClassLabels Classes(DataViewSchema.Column label);

    /// <summary>Reads the rows with the targets of the label.</summary>
    public abstract TrainingData ReadRows(TrainingRowReader reader, CancellationToken cancellationToken);

    /// <summary>Rejects rows that all say the same, from which nothing can be learned.</summary>
    /// <exception cref="InvalidDataException">They do.</exception>
    public abstract void RequireDifferentLabels(TrainingData rows, string label);

    /// <summary>What can be learned from, but will mislead whoever looks at the predictions with ML.NET's own means; or null.</summary>
    public virtual TrainingWarning? Doubt(TrainingData rows, DataViewSchema.Column label) => null;

    /// <summary>The columns that are added.</summary>
    public abstract IReadOnlyList<ScoreColumn> Columns(ClassLabels classes);

    /// <summary>The names of the columns that are added.</summary>
    public abstract IReadOnlyList<string> ColumnNames { get; }

    /// <summary>The names of the columns that ML.NET makes of a saved network, which therefore cannot be those of its features.</summary>
    public abstract IReadOnlyList<string> SavedNames { get; }

    /// <summary>A schema's shape with the columns that are added.</summary>
    public abstract SchemaShape AppendColumns(SchemaShape input, string label);

    /// <summary>
    /// The columns that are added, as nodes: what they are in an exported pipeline. A predicted class of several is a key.
    /// </summary>
    /// <param name="nodes">The graph.</param>
    /// <param name="outputs">The network's outputs.</param>
    public abstract IReadOnlyDictionary<string, Value> EmitColumns(GraphBuilder nodes, IReadOnlyDictionary<string, Value> outputs);

    /// <summary>
    /// The form in which ML.NET saves a network. Columns that ML.NET makes of a model's outputs are vectors, whatever their shape; scalars
    /// are made by mappings that know nothing of the network, since ML.NET saves no more of a mapping than its name.
    /// </summary>
    public abstract SavedForm ToSaved(ModelProto folded, ClassLabels classes);

    /// <summary>Whether a transformer behind a saved network is the mapping of this task.</summary>
    public abstract bool IsMapping(ITransformer transformer);

    /// <summary>The classes of a saved network, by the schema behind it.</summary>
    public abstract ClassLabels SavedClasses(DataViewSchema output);

    /// <summary>
    /// Makes the network of a saved form again what it was: with its own outputs, and a free number of rows.
    /// </summary>
    /// <param name="graph">The graph of the form, which is changed.</param>
    /// <param name="classes">The classes of the network.</param>
    /// <param name="names">
    /// New names, that of the input among them: all values are to be renamed at once, since one may have another's.
    /// </param>
    public abstract void Restore(GraphProto graph, ClassLabels classes, Dictionary<string, string> names);

    /// <summary>The transformer of a network.</summary>
    public abstract BatchNormTransformer CreateTransformer(NetworkParts parts);

    /// <summary>The node that gives a value in a saved form.</summary>
    /// <exception cref="InvalidModelException">There is none.</exception>
    protected static NodeProto Giving(GraphProto graph, string name) => graph.Node.FirstOrDefault(node => node.Output.Contains(name))
        ?? throw new InvalidModelException(
            $"The saved network has no node that gives '{name}'; the file has been changed since it was saved.");
}
