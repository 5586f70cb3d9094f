using System.Collections;

namespace Microsoft.ML;

public sealed class DataViewSchema : IReadOnlyList<DataViewSchema.Column>
{
    private readonly Column[] _columns;
    private readonly Dictionary<string, int> _indexOfName = [];

    private DataViewSchema(IReadOnlyList<DetachedColumn> columns)
    {
        // Of two columns with one name, the later hides the earlier.
        for (var i = 0; i < columns.Count; i++)
            _indexOfName[columns[i].Name] = i;
        _columns = columns.Select((c, i) => new Column(c.Name, i, _indexOfName[c.Name] != i, c.Type, c.Annotations)).ToArray();
    }

    internal static DataViewSchema Of(IEnumerable<DetachedColumn> columns) => new([.. columns]);
    public int Count => _columns.Length;
    public Column this[string name]
        => GetColumnOrNull(name) ?? throw new ArgumentOutOfRangeException(nameof(name), $"Column '{name}' not found");
    public Column this[int columnIndex] => columnIndex >= 0 && columnIndex < _columns.Length
        ? _columns[columnIndex] : throw new ArgumentOutOfRangeException(nameof(columnIndex));
    public Column? GetColumnOrNull(string name) => _indexOfName.TryGetValue(name, out var index) ? _columns[index] : null;
    public IEnumerator<Column> GetEnumerator() => ((IEnumerable<Column>)_columns).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    public override string ToString() => $"{Count} columns";

    public readonly struct Column
    {
        internal Column(string name, int index, bool isHidden, DataViewType type, Annotations annotations)
            => (Name, Index, IsHidden, Type, Annotations) = (name, index, isHidden, type, annotations);
        public string Name { get; }
        public int Index { get; }
        public bool IsHidden { get; }
        public DataViewType Type { get; }
        public Annotations Annotations { get; }
        public override string ToString() => $"{Name}: {Type}{(Annotations.Schema.Count == 0 ? "" : $" {{{Annotations}}}")}";
    }

    public readonly struct DetachedColumn
    {
        public DetachedColumn(string name, DataViewType type, Annotations annotations = null)
        {
            ArgumentException.ThrowIfNullOrEmpty(name);
            ArgumentNullException.ThrowIfNull(type);
            (Name, Type, Annotations) = (name, type, annotations ?? Annotations.Empty);
        }

        public DetachedColumn(Column column) : this(column.Name, column.Type, column.Annotations) { }
        public string Name { get; }
        public DataViewType Type { get; }
        public Annotations Annotations { get; }
    }

    public sealed class Builder
    {
        private readonly List<DetachedColumn> _columns = [];
        public void AddColumn(string name, DataViewType type, Annotations annotations = null) => _columns.Add(new(name, type, annotations));
        public void AddColumns(IEnumerable<DetachedColumn> source) => _columns.AddRange(source);
        public void AddColumns(IEnumerable<Column> source) => _columns.AddRange(source.Select(c => new DetachedColumn(c)));
        public DataViewSchema ToSchema() => new(_columns);
    }

    /// <summary>Named values about a column: names of slots, values of keys.</summary>
    public sealed class Annotations
    {
        private readonly Delegate[] _getters;
        private Annotations(DataViewSchema schema, Delegate[] getters) => (Schema, _getters) = (schema, getters);
        public static Annotations Empty { get; } = new(new DataViewSchema([]), []);
        public DataViewSchema Schema { get; }
        public ValueGetter<TValue> GetGetter<TValue>(Column column) => _getters[column.Index].As<TValue>();
        public void GetValue<TValue>(string kind, ref TValue value) => GetGetter<TValue>(
            Schema.GetColumnOrNull(kind) ?? throw new InvalidOperationException($"There is no annotation '{kind}'."))(ref value);
        public override string ToString() => string.Join(", ", Schema.Select(c => c.Name));

        public sealed class Builder
        {
            private readonly List<DetachedColumn> _columns = [];
            private readonly List<Delegate> _getters = [];

            public void Add(Annotations annotations, Func<string, bool> selector)
            {
                foreach (var column in annotations?.Schema.Where(c => selector(c.Name)) ?? [])
                    Add(column.Name, column.Type, annotations._getters[column.Index], column.Annotations);
            }

            public void Add<TValue>(string name, DataViewType type, ValueGetter<TValue> getter, Annotations annotations = null)
                => Add(name, type, (Delegate)getter, annotations);

            public void Add(string name, DataViewType type, Delegate getter, Annotations annotations = null)
            {
                if (getter.GetType() != typeof(ValueGetter<>).MakeGenericType(type.RawType))
                    throw new ArgumentException($"The getter must be of type ValueGetter<{type.RawType}>.", nameof(getter));
                _columns.Add(new DetachedColumn(name, type, annotations));
                _getters.Add(getter);
            }

            public void AddPrimitiveValue<TValue>(string name, PrimitiveDataViewType type, TValue value, Annotations annotations = null)
                => Add(name, type, (ref TValue destination) => destination = value, annotations);
            public Annotations ToAnnotations() => new(new DataViewSchema(_columns), [.. _getters]);
        }
    }
}
