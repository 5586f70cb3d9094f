using System.Globalization;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>The keys under which this library keeps facts about a model in the model's own metadata.</summary>
internal static class ModelMetadata
{
    /// <summary>
    /// The format of all that this library keeps in a model, as a number; where it is absent, 1. A later format is one that earlier
    /// programs would misread; what is merely new needs no new number.
    /// </summary>
    public const string Format = "mlnetbn.format";

    /// <summary>The columns that a saved <c>ApplyOnnxModelBatched</c> reads and adds, as JSON.</summary>
    public const string ScoreOnnx = "mlnetbn.scoreOnnx";

    /// <summary>The format that this version writes, and the latest that it reads.</summary>
    public const int CurrentFormat = 1;

    /// <summary>What the model predicts: <see cref="Binary"/>, <see cref="Multiclass"/> or <see cref="Regression"/>.</summary>
    public const string Task = "mlnetbn.task";

    /// <summary>One of two classes.</summary>
    public const string Binary = "binary";

    /// <summary>One of several classes.</summary>
    public const string Multiclass = "multiclass";

    /// <summary>A number.</summary>
    public const string Regression = "regression";

    /// <summary>The name of the output with the network's own values: logits for the cross-entropies. In a pipeline of several classes
    /// it has the probabilities, as in ML.NET.</summary>
    public const string ScoreOutput = "Score";

    /// <summary>The name of the output with the network's own values without the <see cref="LabelOffset"/>, where there is one.</summary>
    public const string ScoreAboveOffsetOutput = "ScoreAboveOffset";

    /// <summary>The name of the output with probabilities.</summary>
    public const string ProbabilityOutput = "Probability";

    /// <summary>The classes as a JSON array of texts, in the order of the outputs; for two classes the negative one first.</summary>
    public const string Labels = "mlnetbn.labels";

    /// <summary>The name of the label column.</summary>
    public const string LabelColumn = "mlnetbn.labelColumn";

    /// <summary>
    /// What was taken off the labels before they became float32, as a number; not there where nothing was. The output <c>Score</c> has it
    /// in it, <c>ScoreAboveOffset</c> does not.
    /// </summary>
    public const string LabelOffset = "mlnetbn.labelOffset";

    /// <summary>The names of the features as a JSON array of texts, in the order of the input.</summary>
    public const string FeatureNames = "mlnetbn.featureNames";

    /// <summary>How each feature is made from the columns of a table, as JSON.</summary>
    public const string FeatureMap = "mlnetbn.features";

    /// <summary>The rule by which the running statistics were averaged.</summary>
    public const string Statistics = "mlnetbn.statistics";

    /// <summary>The threads that shared the operators of a training step, on which the last digits of the weights depend.</summary>
    public const string Threads = "mlnetbn.threads";

    /// <summary>
    /// The largest absolute difference between the folded and the unfolded model over the rows that they were compared on.
    /// </summary>
    public const string LargestAbsoluteDifference = "mlnetbn.largestAbsoluteDifference";

    /// <summary>The largest difference in relation to the scale of its output.</summary>
    public const string LargestRelativeDifference = "mlnetbn.largestRelativeDifference";

    /// <summary>How many rows the folded and the unfolded model were compared on.</summary>
    public const string VerifiedRows = "mlnetbn.verifiedRows";

    /// <summary>The precision of the weights: <c>float16</c>, <c>float16-arithmetic</c> or <c>int8</c>; not there for float32.</summary>
    public const string Precision = "mlnetbn.precision";

    /// <summary>The largest absolute difference between the model and the float32 one that it was made from.</summary>
    public const string PrecisionAbsoluteDifference = "mlnetbn.precisionLargestAbsoluteDifference";

    /// <summary>The largest difference to the float32 model in relation to the scale of its output.</summary>
    public const string PrecisionRelativeDifference = "mlnetbn.precisionLargestRelativeDifference";

    /// <summary>Makes sure that a model was not written in a later format than this version knows.</summary>
    /// <param name="metadata">The model's metadata.</param>
    /// <param name="what">What to call the model in the message.</param>
    /// <exception cref="InvalidModelException">It was, or the format is not a number.</exception>
    public static void RequireKnownFormat(IEnumerable<KeyValuePair<string, string>> metadata, string what)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        var format = metadata.FirstOrDefault(entry => entry.Key == Format).Value ?? "1";
        if (!int.TryParse(format, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > CurrentFormat)
            throw new InvalidModelException(
                $"{what} was written in format '{format}', by a later version of {ModelFile.Producer} than this one "
                    + $"({ModelFile.ProducerVersion}), which reads formats up to {CurrentFormat}. Update {ModelFile.Producer}.");
    }
}
