using Microsoft.ML.Rows;

namespace Microsoft.ML.Data;

public sealed partial class TextLoader
{
    /// <summary>Which fields of a line make up a column, and how they are parsed.</summary>
    private sealed class ColumnReader
    {
        private readonly int[] _fields;
        private readonly PrimitiveDataViewType _itemType;

        public ColumnReader(Column column, int inputSize)
        {
            if (column.Source is not { Length: > 0 })
                throw new ArgumentException($"Must specify some source column indices for '{column.Name}'.");
            if (column.Source.Any(r => r.VariableEnd || r.AllOther))
                throw new NotSupportedException("The stand-in for ML.NET reads no columns of variable length, nor of all other fields.");
            if (inputSize == 0 && column.Source.Any(r => r.AutoEnd))
                throw new ArgumentException("Can't determine the number of source columns without valid data");
            Name = column.Name;
            _fields = column.Source.SelectMany(r => Enumerable.Range(r.Min, (r.Max ?? (r.AutoEnd ? inputSize - 1 : r.Min)) - r.Min + 1)).ToArray();
            _itemType = column.ItemType;
            var isVector = _fields.Length > 1 || column.Source[0].ForceVector;
            Type = isVector ? new VectorDataViewType(_itemType, _fields.Length) : _itemType;
        }

        public string Name { get; }

        public DataViewType Type { get; }

        public DataViewSchema.Annotations SlotNames(List<ReadOnlyMemory<char>> header)
        {
            if (Type is not VectorDataViewType)
                return null;
            var builder = new DataViewSchema.Annotations.Builder();
            builder.AddSlotNames(_fields.Select(f => f < header.Count ? header[f].Trim() : default).ToArray());
            return builder.ToAnnotations();
        }

        public Delegate Getter(TextRow row) => _itemType.RawType.For<Delegate>(Getter<int>, row);

        private Delegate Getter<T>(TextRow row)
        {
            var parse = TextParser.For<T>(_itemType, row.Options);
            return Type is VectorDataViewType
                ? (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) =>
                {
                    var editor = VBufferEditor.Create(ref value, _fields.Length);
                    for (var i = 0; i < _fields.Length; i++)
                        editor.Values[i] = Parse(parse, row, _fields[i]);
                    value = editor.Commit();
                })
                : (ValueGetter<T>)((ref T value) => value = Parse(parse, row, _fields[0]));
        }

        private T Parse<T>(TextParser.TryParse<T> parse, TextRow row, int field)
        {
            if (!parse(field < row.Fields.Count ? row.Fields[field] : default, out var value))
            {
                if (_itemType is not NumberDataViewType || (typeof(T) != typeof(float) && typeof(T) != typeof(double)))
                    throw new InvalidOperationException($"Could not parse value {row.Fields[field]} in line {row.Line}, column {Name}");
                row.Report($"Bad value at line {row.Line} in column {Name}");
            }
            return value;
        }
    }

    /// <summary>The current line, split into fields; columns are parsed as they are read.</summary>
    private sealed class TextRow : DataViewRow
    {
        private readonly Delegate[] _getters;
        private readonly TextLoader _loader;
        private long _position = -1;
        private int _reports;

        public TextRow(TextLoader loader, IEnumerable<DataViewSchema.Column> active)
        {
            _loader = loader;
            _getters = new Delegate[loader._columns.Length];
            foreach (var column in active)
                _getters[column.Index] = loader._columns[column.Index].Getter(this);
        }

        public List<ReadOnlyMemory<char>> Fields { get; } = [];

        public long Line { get; private set; }

        public Options Options => _loader._options;

        public override long Position => _position;

        public override long Batch => 0;

        public override DataViewSchema Schema => _loader._schema;

        public void Set(string text, long line)
        {
            _loader.Split(text, Fields);
            Line = line;
            _position++;
        }

        public void Report(string message)
        {
            if (_reports++ < 10)
                _loader._log(message);
        }

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)_position, 0);

        public override bool IsColumnActive(DataViewSchema.Column column) => _getters[column.Index] is not null;

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => _getters[column.Index].As<TValue>();
    }

    private sealed class TextDataView(TextLoader loader, IMultiStreamSource source) : IDataView
    {
        public bool CanShuffle => false;

        public DataViewSchema Schema => loader._schema;

        public long? GetRowCount() => null;

        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
            => new Cursor(new TextRow(loader, columnsNeeded), new LineReader(source, loader._options, keepHeader: false));

        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
            => [GetRowCursor(columnsNeeded, rand)];
    }

    private sealed class Cursor(TextRow row, LineReader reader) : ForwardingCursor(row)
    {
        private readonly IEnumerator<string> _lines = reader.GetEnumerator();

        public override bool MoveNext()
        {
            if (!_lines.MoveNext())
                return false;
            row.Set(_lines.Current, reader.Line);
            return true;
        }

        protected override void Dispose(bool disposing)
        {
            _lines.Dispose();
            base.Dispose(disposing);
        }
    }
}
