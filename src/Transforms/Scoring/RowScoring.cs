using Microsoft.ML;
using MlNetBatchNorm.Onnx.Execution.Scoring;

namespace MlNetBatchNorm.Transforms.Scoring;

/// <summary>A model with the columns it reads and adds: all that the row-wise and the batched way of scoring have in common.</summary>
internal sealed class RowScoring
{
    // Rows of many values (images) go in smaller batches, so that a cursor stays within a few dozen megabytes.
    private const long BytesInBatch = 16 << 20;
    private const int BytesOfValue = 8;

    private readonly Func<int, RowBlock> _createBlock;
    private readonly int _batchSize;

    // The name of the transformer that was disposed of.
    private volatile string? _ended;

    /// <summary>Describes a model.</summary>
    /// <param name="createBlock">Makes buffers for a number of rows.</param>
    /// <param name="inputs">The columns it reads, in the order of its inputs.</param>
    /// <param name="columns">The columns it adds, in order.</param>
    /// <param name="outputValues">The values that it gives for a row.</param>
    /// <param name="batchSize">The most rows at once.</param>
    public RowScoring(
        Func<int, RowBlock> createBlock,
        IReadOnlyList<InputColumn> inputs,
        IReadOnlyList<ScoreColumn> columns,
        int outputValues,
        int batchSize = BatchedScoringOptions.DefaultBatchSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        _createBlock = createBlock;
        Inputs = inputs;
        Columns = columns;
        var bytes = BytesOfValue * (inputs.Sum(input => (long)input.Tensor.Count) + outputValues);
        _batchSize = (int)Math.Clamp(BytesInBatch / Math.Max(bytes, 1), 1, batchSize);
    }

    /// <summary>The columns that are read.</summary>
    public IReadOnlyList<InputColumn> Inputs { get; }

    /// <summary>The columns that are added.</summary>
    public IReadOnlyList<ScoreColumn> Columns { get; }

    /// <summary>Who is told of rows without an answer; null = nobody.</summary>
    public ScoreWatch? Watch { get; init; }

    /// <summary>Buffers for a batch.</summary>
    public RowBlock CreateBatch() => CreateBlock(_batchSize);

    /// <summary>Buffers for single rows.</summary>
    public RowBlock CreateSingle() => CreateBlock(1);

    /// <summary>Scores the first rows of a block.</summary>
    public void Run(RowBlock block, int rows)
    {
        RequireAlive();
        block.Run(rows);
    }

    /// <summary>Lets everything fail from now on, and say why.</summary>
    /// <param name="owner">The transformer that is disposed of.</param>
    public void End(string owner) => _ended = owner;

    /// <summary>The input's columns and behind them the added ones.</summary>
    public DataViewSchema OutputSchema(DataViewSchema input)
    {
        RequireAlive();
        RequireInputs(input);
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input);
        foreach (var column in Columns) builder.AddColumn(column.Name, column.Type, column.Annotations);
        return builder.ToSchema();
    }

    /// <summary>The columns of a schema that are read.</summary>
    /// <exception cref="ArgumentException">One is missing, or has another type or size.</exception>
    public DataViewSchema.Column[] RequireInputs(DataViewSchema input) => [.. Inputs.Select(column => column.Require(input))];

    /// <summary>What writes the current row of <paramref name="row"/> into a block.</summary>
    public RowFeed[] CreateFeeds(DataViewRow row, RowBlock block) =>
        [.. Inputs.Select(input => input.CreateFeed(row, input.Require(row.Schema), block))];

    /// <summary>A getter of an added column.</summary>
    /// <param name="index">Its place among the added columns.</param>
    /// <param name="block">The scored rows.</param>
    /// <param name="at">The row to read.</param>
    public ValueGetter<TValue> CreateGetter<TValue>(int index, RowBlock block, ICurrentRow at) =>
        Columns[index].CreateGetter(block, at) as ValueGetter<TValue>
            ?? throw new InvalidOperationException(
                $"The column '{Columns[index].Name}' has the type {Columns[index].Type}, not {typeof(TValue).Name}.");

    private RowBlock CreateBlock(int rows)
    {
        RequireAlive();
        return _createBlock(rows);
    }

    private void RequireAlive()
    {
        if (_ended is { } owner)
            throw new ObjectDisposedException(
                owner,
                $"This {owner} was disposed of: by a 'using', with the chain that it is part of, or by a PredictionEngine that was made "
                + "from it. An engine disposes of its transformer unless it is made with new PredictionEngineOptions { OwnsTransformer = "
                + "false }.");
    }
}
