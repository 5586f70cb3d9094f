namespace Microsoft.ML
{
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
            => ChosenRows.Of(input, rows =>
            {
                var order = Enumerable.Range(0, rows).ToArray();
                RandomOf(seed).Shuffle(order);
                return order;
            });

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
            return (from, to) => new TrainTestData(Chosen(x => x < from || x >= to), Chosen(x => x >= from && x < to));

            IDataView Chosen(Func<double, bool> isIn) => ChosenRows.Of(data, rows =>
            {
                var random = new Random(drawn);
                return Enumerable.Range(0, rows).Where(_ => isIn(random.NextDouble()));
            });
        }

        private Random RandomOf(int? seed) => (seed ?? _context.Seed) is { } value ? new Random(value) : new Random();

        public readonly struct TrainTestData
        {
            public readonly IDataView TrainSet;
            public readonly IDataView TestSet;
            internal TrainTestData(IDataView trainSet, IDataView testSet) => (TrainSet, TestSet) = (trainSet, testSet);
        }
    }
}

namespace Microsoft.ML.Data
{
    public static class ColumnCursorExtensions
    {
        public static IEnumerable<T> GetColumn<T>(this IDataView data, string columnName) => data.GetColumn<T>(data.Schema[columnName]);

        public static IEnumerable<T> GetColumn<T>(this IDataView data, DataViewSchema.Column column)
        {
            // A class with one member stands for the column, so that arrays and strings are read as everywhere else.
            var definition = SchemaDefinition.Create(typeof(OneColumn<T>));
            definition[0].ColumnName = column.Name;
            return new MLContext().Data.CreateEnumerable<OneColumn<T>>(data, false, false, definition).Select(row => row.Value);
        }

        private sealed class OneColumn<T> { public T Value { get; set; } }
    }

    public static class SchemaAnnotationsExtensions
    {
        public static bool HasSlotNames(this DataViewSchema.Column column) => column.Type is VectorDataViewType { Size: > 0 } vector
            && column.Annotations.Schema.GetColumnOrNull(SchemaExtensions.SlotNames)?.Type is VectorDataViewType { ItemType: TextDataViewType } names
            && names.Size == vector.Size;
        public static void GetSlotNames(this DataViewSchema.Column column, ref VBuffer<ReadOnlyMemory<char>> slotNames)
            => column.Annotations.GetValue(SchemaExtensions.SlotNames, ref slotNames);
        public static bool HasKeyValues(this DataViewSchema.Column column, PrimitiveDataViewType keyValueItemType = null)
            => column.Annotations.Schema.GetColumnOrNull(SchemaExtensions.KeyValues)?.Type is VectorDataViewType values
                && (keyValueItemType ?? TextDataViewType.Instance).Equals(values.ItemType);
        public static void GetKeyValues<TValue>(this DataViewSchema.Column column, ref VBuffer<TValue> keyValues)
            => column.Annotations.GetValue(SchemaExtensions.KeyValues, ref keyValues);
        public static bool IsNormalized(this DataViewSchema.Column column)
            => column.Annotations.Schema.GetColumnOrNull(SchemaExtensions.IsNormalized) is not null;
    }
}
