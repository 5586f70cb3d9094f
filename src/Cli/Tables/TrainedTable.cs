using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Rows that were not learned from, and what a network predicts for them.</summary>
/// <param name="Rows">The rows as features and targets (<see cref="TrainingData.Targets"/>), with their weights.</param>
/// <param name="Predictions">
/// The predictions, <c>[N, K]</c> row-major: the probability of the positive class (K = 1), of each class, or the number itself (K = 1).
/// </param>
internal sealed record TestedRows(TrainingData Rows, float[] Predictions);

/// <summary>What training on a table gave.</summary>
internal sealed class TrainedTable : IDisposable
{
    // Of the largest prediction: rows may be divided among threads in another way, and sums then round otherwise.
    private const float SavedTolerance = 1e-4f;

    // Below this, giving memory back costs more than it brings.
    private const long LargeModel = 1 << 20;

    private readonly Lazy<Baseline> _baseRate;
    private readonly Lazy<string?> _baseRateWarning;

    public TrainedTable(
        TableSchema schema,
        ITransformer features,
        BatchNormTransformer network,
        MetricValues testMetrics,
        MetricValues float32TestMetrics,
        int trainingRows,
        TestedRows tested)
    {
        Schema = schema;
        Network = network;
        TestMetrics = testMetrics;
        Float32TestMetrics = float32TestMetrics;
        TrainingRows = trainingRows;
        Tested = tested;
        Pipeline = new TransformerChain<ITransformer>(features, network);
        _baseRate = new Lazy<Baseline>(() => new Baseline(Tested, Schema.Label.Task.HasClasses));
        _baseRateWarning = new Lazy<string?>(() => BaseRate.Warn(this));
    }

    /// <summary>What the columns mean.</summary>
    public TableSchema Schema { get; }

    /// <summary>The whole ML.NET pipeline, from the table's columns to the prediction.</summary>
    public ITransformer Pipeline { get; }

    /// <summary>Its last part, the network.</summary>
    public BatchNormTransformer Network { get; }

    /// <summary>
    /// The figures on the test rows by name: <c>auc</c>, <c>accuracy</c> and <c>logLoss</c> (in nats) for two classes, for several
    /// <c>macroAccuracy</c> instead of <c>auc</c>; <c>rmse</c> and <c>mae</c> (in the unit of the label) and <c>rSquared</c> for
    /// regression.
    /// </summary>
    public MetricValues TestMetrics { get; }

    /// <summary>The same figures of the network before it got the precision of the options; for float32 they are the same.</summary>
    public MetricValues Float32TestMetrics { get; }

    /// <summary>The rows that were learned from, including those held out for validation.</summary>
    public int TrainingRows { get; }

    /// <summary>The rows that were tested on.</summary>
    public int TestRows => Tested.Rows.Count;

    /// <summary>The test rows, those of all ranks, with what the network predicts for them, for figures and curves of one's own.</summary>
    public TestedRows Tested { get; }

    /// <summary>What can be said of the test rows without a model.</summary>
    public Baseline BaseRate => _baseRate.Value;

    /// <summary>What to tell whoever has the model, where it is no better than <see cref="BaseRate"/>; null where it is.</summary>
    public string? BaseRateWarning => _baseRateWarning.Value;

    /// <summary>
    /// By how much it is better than another model by each figure, row by row on the same test rows; below 0 where it is worse.
    /// </summary>
    /// <param name="predictions">What the other one predicts for the test rows.</param>
    /// <param name="clusters">For each test row what it belongs to; empty = nothing.</param>
    public IReadOnlyList<(Metric Metric, Interval Ahead)> AheadOf(float[] predictions, int[] clusters)
    {
        var tested = Tested.Rows;
        var own = new PredictedRows(Tested.Predictions, tested.TargetArray, tested.Outputs, tested.WeightArray);
        var others = new PredictedRows(predictions, tested.TargetArray, tested.Outputs, tested.WeightArray);
        var ahead = new List<(Metric, Interval)>();
        foreach (var (metric, _) in TestMetrics)
        {
            var sign = metric.HigherIsBetter ? 1 : -1;
            double[] difference = [.. metric.ByRow(own).Zip(metric.ByRow(others), (mine, theirs) => sign * (mine - theirs))];
            ahead.Add((metric, Interval.OfMean(difference, tested.WeightArray, clusters)));
        }

        return ahead;
    }

    /// <summary>
    /// Writes <c>model.zip</c> (the pipeline), <c>model.onnx</c> (the network, folded, in the precision of the options) and
    /// <c>model.batchnorm.onnx</c> (the network with its batch normalizations). Each file appears whole or not at all.
    /// </summary>
    /// <param name="folder">The folder; made if it is not there.</param>
    /// <returns>The paths of the files.</returns>
    public IReadOnlyList<string> Save(string folder)
    {
        Directory.CreateDirectory(folder);
        var zip = Path.Combine(folder, "model.zip");
        var deployed = Path.Combine(folder, "model.onnx");
        var unfolded = Path.Combine(folder, "model.batchnorm.onnx");
        AtomicFile.Write(zip, stream => new MLContext().Model.Save(Pipeline, RawSchema, stream));
        Network.SaveOnnx(deployed);
        Network.Export.Unfolded.Save(unfolded);
        return [zip, deployed, unfolded];
    }

    /// <summary>
    /// Reads the models back, as <c>score</c> does, and compares what they say of the test rows with what the network said that was tested.
    /// </summary>
    /// <param name="files">What <see cref="Save"/> wrote.</param>
    /// <param name="test">The test rows.</param>
    /// <exception cref="InvalidDataException">One of them says something else.</exception>
    public void RequireSaved(IReadOnlyList<string> files, TestTable test)
    {
        // Reading a large model back takes as much memory as training and writing did, which have no use for theirs any more.
        if (new FileInfo(files[0]).Length >= LargeModel) RowFile.GiveMemoryBack();

        // The two that are deployed; the third is what they were folded from, and compared with.
        var settings = new OnnxScorerOptions { Device = Network.Model.Device };
        using TableScorer zip = TableScorer.Open(files[0], settings), onnx = TableScorer.Open(files[1], settings);
        var scale = Tested.Predictions.Where(float.IsFinite).Select(Math.Abs).DefaultIfEmpty().Max();
        var allowed = SavedTolerance * (scale > 0 ? scale : 1);
        var width = Tested.Predictions.Length / Tested.Rows.Count;
        var first = 0;
        foreach (var part in test.Parts())
        {
            var tested = Tested.Predictions.AsSpan(first * width, part.RowCount * width);

            // The last output is the one that was tested.
            RequireClose(files[0], zip.Score(part).Values.AsSpan()[^tested.Length..], tested, allowed);
            RequireClose(files[1], onnx.Score(part).Values.AsSpan()[^tested.Length..], tested, allowed);
            first += part.RowCount;
        }
    }

    private static void RequireClose(string file, ReadOnlySpan<float> said, ReadOnlySpan<float> tested, float allowed)
    {
        for (var i = 0; i < said.Length; i++)
            if (!said[i].Equals(tested[i]) && !(Math.Abs(said[i] - tested[i]) <= allowed))
                throw new InvalidDataException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{file}', read back, says {said[i]:R} where the network that was tested said {tested[i]:R}; do not use it. The disk "
                    + $"or the memory of this machine may be at fault: try once more, and elsewhere."));
    }

    /// <summary>
    /// Writes <c>pipeline.onnx</c>: the whole pipeline as one ONNX file, from the table's columns (numbers as float32, or float64 where
    /// <see cref="NumericFeature.Map"/> takes an offset off them, NaN where missing; categories as text, <c>(missing)</c> where missing)
    /// to the prediction.
    /// </summary>
    /// <param name="folder">The folder; made if it is not there.</param>
    /// <param name="rows">Rows to compare with ML.NET's predictions.</param>
    /// <returns>The path of the file, and what is in it.</returns>
    /// <exception cref="ModelVerificationException">The file would not give ML.NET's predictions; it is not written.</exception>
    public (string Path, FoldedPipeline Pipeline) SavePipeline(string folder, CsvTable rows)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, "pipeline.onnx");

        // What its columns are in a table, so that it can be given one.
        var metadata = new Dictionary<string, string> { [ModelMetadata.FeatureMap] = Schema.Features.ToJson() };
        return (path, new MLContext().Model.ConvertToFoldedOnnx(
            Pipeline, new TableDataView(rows, Schema.Features), path, new FoldedPipelineOptions { Metadata = metadata }));
    }

    // The columns that the pipeline takes. They are only for programs to look at, and ML.NET writes them with a buffer for each.
    private DataViewSchema? RawSchema
    {
        get
        {
            const int MostColumns = 5000;
            if (Schema.Features.Columns.Count > MostColumns) return null;
            var builder = new DataViewSchema.Builder();
            foreach (var feature in Schema.Features.Columns) builder.AddColumn(feature.Name, feature.RawType());
            return builder.ToSchema();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Network.Dispose();
}
