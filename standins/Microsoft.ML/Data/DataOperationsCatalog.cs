using Microsoft.ML.Data;
using Microsoft.ML.Rows;

namespace Microsoft.ML;

public sealed class DataOperationsCatalog
{
    internal DataOperationsCatalog(MLContext context) => Context = context;

    internal MLContext Context { get; }

    public IDataView LoadFromEnumerable<TRow>(IEnumerable<TRow> data, SchemaDefinition schemaDefinition = null) where TRow : class
    {
        ArgumentNullException.ThrowIfNull(data);
        return new EnumerableDataView<TRow>(data, schemaDefinition);
    }

    public IDataView LoadFromEnumerable<TRow>(IEnumerable<TRow> data, DataViewSchema schema) where TRow : class
        => LoadFromEnumerable(data, SchemaDefinition.Of(typeof(TRow), schema));

    public IEnumerable<TRow> CreateEnumerable<TRow>(IDataView data, bool reuseRowObject, bool ignoreMissingColumns = false,
        SchemaDefinition schemaDefinition = null) where TRow : class, new()
    {
        ArgumentNullException.ThrowIfNull(data);
        var reader = new ObjectReader<TRow>(data.Schema, schemaDefinition, ignoreMissingColumns);
        return Read();

        IEnumerable<TRow> Read()
        {
            using var cursor = data.GetRowCursor(reader.Columns);
            var fill = reader.Bind(cursor);
            TRow row = null;
            while (cursor.MoveNext())
            {
                row = reuseRowObject && row is not null ? row : new TRow();
                fill(row);
                yield return row;
            }
        }
    }

    public IDataView Cache(IDataView input, params string[] columnsToPrefetch) => new CachedDataView(input);

    public IDataView ShuffleRows(IDataView input, int? seed = null, int shufflePoolSize = 1000, bool shuffleSource = true)
        => new ShuffledDataView(new CachedDataView(input), seed ?? Context.Seed);

    public IDataView TakeRows(IDataView input, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        return new FilteredDataView(input, [], _ =>
        {
            var left = count;
            return () => left-- > 0 ? true : null;
        });
    }

    public IDataView SkipRows(IDataView input, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        return new FilteredDataView(input, [], _ =>
        {
            var left = count;
            return () => left-- <= 0;
        });
    }

    public IDataView FilterRowsByMissingValues(IDataView input, params string[] columns)
    {
        var checkedColumns = columns.Select(c => input.Schema.Require(c)).ToArray();
        return new FilteredDataView(input, checkedColumns, row =>
        {
            var missing = checkedColumns.Select(c => MissingValues.Predicate(row, c)).ToArray();
            return () => !Array.Exists(missing, m => m());
        });
    }

    public TrainTestData TrainTestSplit(IDataView data, double testFraction = 0.1, string samplingKeyColumnName = null, int? seed = null)
    {
        if (testFraction is not (> 0 and < 1))
            throw new ArgumentException("Must be between 0 and 1 exclusive", nameof(testFraction));
        return new RowSplit(data, samplingKeyColumnName, seed ?? Context.Seed).Between(0, testFraction);
    }

    public IReadOnlyList<TrainTestData> CrossValidationSplit(IDataView data, int numberOfFolds = 5, string samplingKeyColumnName = null,
        int? seed = null)
    {
        if (numberOfFolds < 2)
            throw new ArgumentException("Must be more than 1", nameof(numberOfFolds));
        var split = new RowSplit(data, samplingKeyColumnName, seed ?? Context.Seed);
        return Enumerable.Range(0, numberOfFolds).Select(i => split.Between((double)i / numberOfFolds, (i + 1.0) / numberOfFolds)).ToArray();
    }

    public readonly struct TrainTestData
    {
        public readonly IDataView TrainSet;

        public readonly IDataView TestSet;

        internal TrainTestData(IDataView trainSet, IDataView testSet)
        {
            TrainSet = trainSet;
            TestSet = testSet;
        }
    }
}
