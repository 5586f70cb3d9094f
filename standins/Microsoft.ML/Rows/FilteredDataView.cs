using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.Rows;

/// <summary>Some of the rows of a data view. The test is made anew for each cursor, and says true: keep, false: skip, null: stop.</summary>
internal sealed class FilteredDataView(IDataView input, IReadOnlyCollection<DataViewSchema.Column> tested, Func<DataViewRow, Func<bool?>> test) : IDataView
{
    public FilteredDataView(IDataView input, IReadOnlyCollection<DataViewSchema.Column> tested, Func<DataViewRow, Func<bool>> test)
        : this(input, tested, row =>
        {
            var keep = test(row);
            return () => (bool?)keep();
        })
    {
    }

    public DataViewSchema Schema => input.Schema;

    // Which rows are kept may depend on their order.
    public bool CanShuffle => false;

    public long? GetRowCount() => null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
        => new Cursor(input.GetRowCursor(columnsNeeded.Concat(tested)), test);

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(DataViewRowCursor input, Func<DataViewRow, Func<bool?>> test) : ForwardingCursor(input)
    {
        private readonly Func<bool?> _test = test(input);
        private long _position = -1;

        public override long Position => _position;

        public override bool MoveNext()
        {
            while (input.MoveNext())
            {
                if (_test() is not { } keep)
                    return false;
                if (keep)
                {
                    _position++;
                    return true;
                }
            }
            return false;
        }
    }
}

/// <summary>A number in [0, 1) for each row, at random or from a key column, by which a data view is split.</summary>
internal sealed class RowSplit(IDataView data, string keyColumn, int? seed)
{
    private readonly int _seed = seed ?? Random.Shared.Next();

    /// <summary>The rows whose number is within the range as test set, the others as training set.</summary>
    public DataOperationsCatalog.TrainTestData Between(double from, double to)
        => new(Select(x => x < from || x >= to), Select(x => x >= from && x < to));

    private FilteredDataView Select(Func<double, bool> keep)
    {
        DataViewSchema.Column[] read = keyColumn is null ? [] : [data.Schema.Require(keyColumn, "SamplingKeyColumn")];
        return new FilteredDataView(data, read, row =>
        {
            var next = Numbers(row, read);
            return () => keep(next());
        });
    }

    private Func<double> Numbers(DataViewRow row, DataViewSchema.Column[] key)
    {
        var random = new Random(_seed);
        return key.Length == 0 ? random.NextDouble : key[0].Type.RawType.For<Func<double>>(KeyNumbers<int>, row, key[0]);
    }

    private Func<double> KeyNumbers<T>(DataViewRow row, DataViewSchema.Column key)
    {
        var getter = row.GetGetter<T>(key);
        T value = default;
        return () =>
        {
            getter(ref value);
            return new Random(Hash(Convert.ToString(value, CultureInfo.InvariantCulture))).NextDouble();
        };
    }

    // FNV-1a: the same in every process, unlike string.GetHashCode.
    private int Hash(string text) => (int)text.Aggregate((uint)_seed ^ 2166136261, (hash, c) => (hash ^ c) * 16777619);
}

/// <summary>Which values count as missing: NaN, and the key 0.</summary>
internal static class MissingValues
{
    public static Func<bool> Predicate(DataViewRow row, DataViewSchema.Column column)
        => column.Type.ItemType().RawType.For<Func<bool>>(Predicate<int>, row, column);

    public static Func<T, bool> Test<T>(DataViewType item) => item switch
    {
        KeyDataViewType => value => EqualityComparer<T>.Default.Equals(value, default),
        _ when typeof(T) == typeof(float) => (Func<T, bool>)(object)(Func<float, bool>)float.IsNaN,
        _ when typeof(T) == typeof(double) => (Func<T, bool>)(object)(Func<double, bool>)double.IsNaN,
        _ => _ => false,
    };

    private static Func<bool> Predicate<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var isMissing = Test<T>(column.Type.ItemType());
        if (column.Type is not VectorDataViewType)
        {
            var getter = row.GetGetter<T>(column);
            T value = default;
            return () =>
            {
                getter(ref value);
                return isMissing(value);
            };
        }
        var vectorGetter = row.GetGetter<VBuffer<T>>(column);
        VBuffer<T> vector = default;
        return () =>
        {
            vectorGetter(ref vector);
            return vector.DenseValues().Any(isMissing);
        };
    }
}
