namespace Microsoft.ML;

public sealed class DataOperationsCatalog
{
    private readonly MLContext _context;
    internal DataOperationsCatalog(MLContext context) => _context = context;
    public IDataView LoadFromEnumerable<TRow>(IEnumerable<TRow> data, SchemaDefinition schemaDefinition = null) where TRow : class
        => ObjectRow<TRow>.ViewOf(data, schemaDefinition);
    public IDataView LoadFromEnumerable<TRow>(IEnumerable<TRow> data, DataViewSchema schema) where TRow : class
        => LoadFromEnumerable(data, SchemaDefinition.Of(typeof(TRow), schema));

    public IEnumerable<TRow> CreateEnumerable<TRow>(IDataView data, bool reuseRowObject, bool ignoreMissingColumns = false,
        SchemaDefinition schemaDefinition = null) where TRow : class, new()
    {
        var reader = new ObjectReader<TRow>(data.Schema, schemaDefinition, ignoreMissingColumns);
        return Read();

        IEnumerable<TRow> Read()
        {
            using var cursor = data.GetRowCursor(reader.Columns);
            var (fill, row) = (reader.Bind(cursor), new TRow());
            for (; cursor.MoveNext(); row = reuseRowObject ? row : new TRow())
            {
                fill(row);
                yield return row;
            }
        }
    }

    public IDataView Cache(IDataView input, params string[] columnsToPrefetch) => ChosenRows.Of(input, rows => Enumerable.Range(0, rows));
    public IDataView ShuffleRows(IDataView input, int? seed = null, int shufflePoolSize = 1000, bool shuffleSource = true)
        => ChosenRows.Of(input, rows => Numbers(RandomOf(seed), rows).OrderBy(n => n.Item).Select(n => n.Index));
    public IDataView TakeRows(IDataView input, long count) => ChosenRows.Of(input, rows => Enumerable.Range(0, (int)Math.Min(count, rows)));
    public IDataView SkipRows(IDataView input, long count) => ChosenRows.Of(input, rows => Enumerable.Range(0, rows).Skip((int)count));
    public TrainTestData TrainTestSplit(IDataView data, double testFraction = 0.1, string samplingKeyColumnName = null, int? seed = null)
        => Split(data, samplingKeyColumnName, seed)(0, testFraction is > 0 and < 1 ? testFraction
            : throw new ArgumentException("Must be between 0 and 1 exclusive", nameof(testFraction)));

    public IReadOnlyList<TrainTestData> CrossValidationSplit(IDataView data, int numberOfFolds = 5, string samplingKeyColumnName = null,
        int? seed = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(numberOfFolds, 2);
        var split = Split(data, samplingKeyColumnName, seed);
        return Enumerable.Range(0, numberOfFolds).Select(i => split((double)i / numberOfFolds, (i + 1.0) / numberOfFolds)).ToArray();
    }

    /// <summary>Each row draws a number in [0, 1); those within a range are the test set, the others the training set.</summary>
    private Func<double, double, TrainTestData> Split(IDataView data, string samplingKey, int? seed)
    {
        if (samplingKey is not null)
            throw new NotSupportedException("The stand-in for ML.NET does not split by a key column.");
        var drawn = RandomOf(seed).Next();
        IDataView Chosen(Func<double, bool> isIn)
            => ChosenRows.Of(data, rows => Numbers(new Random(drawn), rows).Where(n => isIn(n.Item)).Select(n => n.Index));
        return (from, to) => new TrainTestData(Chosen(x => x < from || x >= to), Chosen(x => x >= from && x < to));
    }

    private static IEnumerable<(int Index, double Item)> Numbers(Random random, int rows)
        => Enumerable.Range(0, rows).Select(row => (row, random.NextDouble()));
    private Random RandomOf(int? seed) => (seed ?? _context.Seed) is { } value ? new Random(value) : new Random();

    public readonly struct TrainTestData
    {
        public readonly IDataView TrainSet;
        public readonly IDataView TestSet;
        internal TrainTestData(IDataView trainSet, IDataView testSet) => (TrainSet, TestSet) = (trainSet, testSet);
    }
}
