using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Hosting;

/// <summary>What is known of a loaded model.</summary>
public sealed record LoadedModelInfo
{
    /// <summary>The file that it came from, as a full path.</summary>
    public required string Path { get; init; }

    /// <summary>1 for the model that the service started with, one more with each reload.</summary>
    public required int Generation { get; init; }

    /// <summary>When it was loaded.</summary>
    public required DateTimeOffset LoadedAt { get; init; }

    /// <summary>The device that it runs on.</summary>
    public required Device Device { get; init; }

    /// <summary>The numbers in one row; of an <see cref="IBatchNormScorer"/> the columns.</summary>
    public required int RowLength { get; init; }

    /// <summary>The numbers in one row's result: all outputs one behind the other.</summary>
    public required int ResultLength { get; init; }

    /// <summary>
    /// The inputs, in the order in which a row holds them one behind the other. The shape of each is the number of rows, which is open, and
    /// then the sizes of one row.
    /// </summary>
    public IReadOnlyList<TensorInfo> Inputs { get; init; } = [];

    /// <summary>The outputs, in the order of the result.</summary>
    public required IReadOnlyList<TensorInfo> Outputs { get; init; }

    /// <summary>The metadata in the file; see <see cref="ModelMetadata"/>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>The names of the features, in the order of a row; empty if the file does not say.</summary>
    public IReadOnlyList<string> FeatureNames { get; init; } = [];

    /// <summary>
    /// The columns that a row of an <see cref="IBatchNormScorer"/> has; empty for an <see cref="IOnnxScorer"/>, whose rows are numbers.
    /// </summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>
    /// The classes, in the order of the probabilities (for two classes the negative one first); empty if the file does not say.
    /// </summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>The part of a result that belongs to one output. Allocates nothing.</summary>
    /// <param name="output">The name of the output.</param>
    /// <param name="result">What <see cref="IOnnxScorer.Score"/> or <see cref="IOnnxScorer.ScoreBatch"/> filled.</param>
    /// <param name="count">The number of rows scored.</param>
    /// <returns>The output's numbers for the first row, then for the second, and so on.</returns>
    /// <exception cref="ArgumentException">There is no such output, or the result is shorter than that.</exception>
    public ReadOnlySpan<float> Read(string output, ReadOnlySpan<float> result, int count = 1)
    {
        if (count < 0 || result.Length < count * ResultLength)
            throw new ArgumentException(
                $"The results of {count} row(s) are {count * ResultLength} numbers, but {result.Length} were given.", nameof(result));
        var start = 0;
        for (var i = 0; i < Outputs.Count; i++)
        {
            var length = count;
            for (var axis = 1; axis < Outputs[i].Shape.Count; axis++) length *= (int)Outputs[i].Shape[axis].Size!.Value;
            if (Outputs[i].Name == output) return result.Slice(start, length);
            start += length;
        }

        throw new ArgumentException(
            $"There is no output '{output}'; the outputs are {string.Join(", ", Outputs.Select(one => one.Name))}.", nameof(output));
    }

    internal static LoadedModelInfo Of(OnnxScorer scorer, string path, int generation, DateTimeOffset loadedAt)
    {
        var metadata = new Dictionary<string, string>(scorer.Metadata, StringComparer.Ordinal);
        return new LoadedModelInfo
        {
            Path = path,
            Generation = generation,
            LoadedAt = loadedAt,
            Device = scorer.Device,
            RowLength = scorer.RowLength,
            ResultLength = scorer.ResultLength,
            Inputs =
            [
                .. scorer.Rows.Inputs.Select(input => new TensorInfo(
                    input.Name, input.Type, [TensorDimension.Rows, .. input.Shape.Select(size => (TensorDimension)size)])),
            ],
            Outputs = scorer.Outputs,
            Metadata = metadata,
            FeatureNames = List(metadata, ModelMetadata.FeatureNames),
            Labels = List(metadata, ModelMetadata.Labels),
        };
    }

    internal static LoadedModelInfo Of(BatchNormScorer scorer, string path, int generation, DateTimeOffset loadedAt)
    {
        var metadata = new Dictionary<string, string>(scorer.Metadata, StringComparer.Ordinal);
        return new LoadedModelInfo
        {
            Path = path,
            Generation = generation,
            LoadedAt = loadedAt,
            Device = scorer.DeviceReport.Actual,
            RowLength = scorer.Columns.Count,
            ResultLength = scorer.Model.Outputs.Width,
            Outputs = scorer.Outputs,
            Metadata = metadata,
            FeatureNames = List(metadata, ModelMetadata.FeatureNames),
            Columns = scorer.Columns,
            Labels = scorer.Labels,
        };
    }

    /// <summary>Whether callers that prepared their rows and results for this model can use the other without noticing.</summary>
    internal bool HasTheShapesOf(LoadedModelInfo other) => Columns.Count > 0
        ? Columns.ToHashSet(StringComparer.Ordinal).SetEquals(other.Columns) && Task == other.Task
        : RowLength == other.RowLength && Outputs.Select(Shape).SequenceEqual(other.Outputs.Select(Shape));

    internal string DescribeShapes() => Columns.Count > 0
        ? $"the columns {TextList.First(Columns, 20)} in, {Task} out"
        : $"{RowLength} features in, {string.Join(" and ", Outputs.Select(output => output.Name))} ({ResultLength} numbers) out";

    private string? Task => Metadata.GetValueOrDefault(ModelMetadata.Task);

    private static string[] List(Dictionary<string, string> metadata, string key) =>
        metadata.TryGetValue(key, out var json) ? TextList.FromJson(json) : [];

    private static (string Name, string Row) Shape(TensorInfo output) => (output.Name, string.Join(',', output.Shape.Skip(1)));
}

/// <summary>
/// A model and the count of those who use it: the holder, from the start, and each call while it runs. The last one to leave disposes of
/// it.
/// </summary>
internal sealed class LoadedModel<TScorer>(TScorer scorer, LoadedModelInfo model)
    where TScorer : class, IDisposable
{
    private int _users = 1;

    public TScorer Scorer => scorer;

    public LoadedModelInfo Model => model;

    /// <summary>Counts the caller in, unless everybody has left already.</summary>
    public bool TryEnter()
    {
        var users = Volatile.Read(ref _users);
        while (users > 0)
        {
            var found = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (found == users) return true;
            users = found;
        }

        return false;
    }

    public void Leave()
    {
        if (Interlocked.Decrement(ref _users) == 0) scorer.Dispose();
    }
}

/// <summary>Why a changed file or changed options were not taken; the model from before goes on.</summary>
public sealed record ReloadFailure
{
    /// <summary>When it was tried.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>What was wrong, in one line.</summary>
    public required string Message { get; init; }
}
