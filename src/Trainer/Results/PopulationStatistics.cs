using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Graphs;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Results;

/// <summary>
/// The statistics of a network's batch normalizations over given rows, with its weights frozen: E = mean of μ over mini-batches,
/// Var = m/(m−1) · mean of σ² (Ioffe and Szegedy 2015, Algorithm 2, steps 8 to 10), averaged in float64. A last batch that is smaller
/// counts in proportion. Dropout is off, as it is at inference.
/// </summary>
internal sealed class PopulationStatistics : IDisposable
{
    private const string FeaturesInput = "features";

    private readonly OnnxSession _session;
    private readonly TrainingData _rows;
    private readonly FeatureRows _ordered;
    private readonly int _batchSize;
    private readonly string[] _parameters;
    private readonly Dictionary<string, IReadOnlyList<long>> _shapes;
    private readonly string[] _statistics;
    private readonly (string Name, Func<StepContext, float> Compute)[] _scalars;
    private readonly bool _needsOnes;
    private readonly Communicator? _ranks;

    /// <summary>Prepares the pass.</summary>
    /// <param name="network">The architecture.</param>
    /// <param name="rows">The rows, as they go into the first layer (standardized).</param>
    /// <param name="batchSize">Rows in a mini-batch.</param>
    /// <param name="random">Deals out the rows: in an order by class, say, a mini-batch would have too little variance.</param>
    /// <param name="settings">Device and threads.</param>
    /// <param name="largestCount">The most rows to look at.</param>
    /// <param name="ranks">The ranks whose rows count together; null = there is but this one.</param>
    public PopulationStatistics(
        Network network,
        TrainingData rows,
        int batchSize,
        Random random,
        ExecutionOptions settings,
        int largestCount = int.MaxValue,
        Communicator? ranks = null)
    {
        _ranks = ranks;
        var order = FirstShuffled(rows.Count, Math.Min(largestCount, rows.Count), random);
        _rows = rows.Take(order, order.Length);
        _ordered = _rows.FeatureRows.Arranged();
        _batchSize = Math.Min(batchSize, _rows.Count);
        if (_batchSize < network.MinimumBatchRows)
            throw new ArgumentException(
                $"{_rows.Count} row has no variance; give at least {network.MinimumBatchRows} rows to measure statistics on.",
                nameof(rows));

        var nodes = new GraphBuilder("population statistics");
        var graph = new TrainingGraph(nodes, unbiasedVariance: true, random, isNoisy: false);
        var x = nodes.Input(
            FeaturesInput, DataType.Float, [TensorDimension.Rows, .. network.InputShape.Sizes.Select(size => (TensorDimension)size)]);
        graph.Train(network.Sites, x);
        foreach (var (name, value) in graph.Statistics) nodes.Output($"{name}.batch", value, DataType.Float, "C");
        _statistics = [.. graph.Statistics.Select(statistic => statistic.Name)];
        _scalars = [.. graph.HostScalars];
        _needsOnes = graph.NeedsOnes;
        _parameters = [.. network.Parameters.Select(parameter => parameter.Name).Where(graph.Reads)];
        _shapes = network.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Shape, StringComparer.Ordinal);
        MinimumRows = network.MinimumBatchRows;
        _session = OnnxSession.Load(nodes.Build(), settings with { Name = "the pass for population statistics" });
    }

    private int MinimumRows { get; }

    /// <summary>
    /// The first of the numbers from 0 to below another, as <see cref="Random.Shuffle{T}(T[])"/> would leave them: it puts at each place,
    /// from the first on, one of those that are left. Only what was moved is kept.
    /// </summary>
    internal static int[] FirstShuffled(int count, int wanted, Random random)
    {
        if (wanted == count)
        {
            int[] all = [.. Enumerable.Range(0, count)];
            random.Shuffle(all);
            return all;
        }

        var (first, moved) = (new int[wanted], new Dictionary<int, int>());
        for (var place = 0; place < wanted; place++)
        {
            var from = random.Next(place, count);
            first[place] = moved.GetValueOrDefault(from, from);
            moved[from] = moved.GetValueOrDefault(place, place);
        }

        return first;
    }

    /// <summary>Makes the pass.</summary>
    /// <param name="parameters">The network's parameters by full name.</param>
    /// <returns>Means and variances by full name.</returns>
    public IReadOnlyDictionary<string, float[]> Measure(Func<string, float[]> parameters)
    {
        var width = (int)_rows.Shape.Count;
        var features = new float[_batchSize * width];
        var sums = _statistics.ToDictionary(name => name, name => new double[_shapes[name][0]], StringComparer.Ordinal);
        var inputs = _parameters.ToDictionary(
            name => name, name => HostTensor.Of(parameters(name), [.. _shapes[name]]), StringComparer.Ordinal);
        long seen = 0;
        for (var first = 0; _rows.Count - first >= Math.Max(1, MinimumRows); first += _batchSize)
        {
            var count = Math.Min(_batchSize, _rows.Count - first);
            _ordered.CopyTo(first, count, features);
            inputs[FeaturesInput] = HostTensor.Of(
                count == _batchSize ? features : features[..(count * width)], [count, .. _rows.Shape.Sizes]);
            foreach (var (name, compute) in _scalars) inputs[name] = HostTensor.Of([compute(new StepContext(1, count, 0))]);
            if (_needsOnes)
            {
                var ones = new float[count];
                Array.Fill(ones, 1);
                inputs[TrainingGraph.OnesInput] = HostTensor.Of(ones, count);
            }

            var batch = _session.Run(inputs);
            foreach (var (name, sum) in sums)
            {
                var values = (float[])batch[$"{name}.batch"].Data;
                for (var i = 0; i < sum.Length; i++) sum[i] += (double)count * values[i];
            }

            seen += count;
        }

        if (_ranks is not null)
        {
            seen = (long)_ranks.Sum([seen])[0];
            foreach (var name in _statistics) sums[name] = _ranks.Sum(sums[name]);
        }

        return sums.ToDictionary(
            sum => sum.Key, sum => Array.ConvertAll(sum.Value, value => (float)(value / seen)), StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();
}
