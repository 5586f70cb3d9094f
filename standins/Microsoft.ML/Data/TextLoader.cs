using System.Reflection;
using System.Text;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Data;

public enum DataKind : byte
{
    SByte = 1,
    Byte = 2,
    Int16 = 3,
    UInt16 = 4,
    Int32 = 5,
    UInt32 = 6,
    Int64 = 7,
    UInt64 = 8,
    Single = 9,
    Double = 10,
    String = 11,
    Boolean = 12,
}

public sealed class KeyCount
{
    public ulong? Count;
    public KeyCount() { }
    public KeyCount(ulong count) => Count = count;
}

/// <summary>Reads delimited text. Left out, among others: sparse rows, columns of variable length, fields over several lines, keys.</summary>
public sealed class TextLoader : IDataLoader<IMultiStreamSource>
{
    private readonly Options _options;
    private readonly DataViewSchema _schema;

    internal TextLoader(Options options, IMultiStreamSource dataSample)
    {
        if (options.Columns is not { Length: > 0 } || Array.Exists(options.Columns, c => c.Source is not { Length: > 0 }))
            throw new ArgumentException("The columns of a text file must be named, with their fields.", nameof(options));
        _options = options;
        var header = options.HasHeader && dataSample is not null ? Lines(dataSample, true).Select(l => Split(l.Text)).FirstOrDefault() : null;
        var builder = new DataViewSchema.Builder();
        foreach (var column in options.Columns)
        {
            var names = column.Fields.Select(f => f < header?.Count ? header[f].Trim() : default).ToArray();
            var annotations = DataViewSchema.Annotations.Empty;
            builder.AddColumn(column.Name, column.Type, column.Type is VectorDataViewType && header is not null
                ? annotations.With(SchemaExtensions.SlotNames, TextDataViewType.Instance, names) : annotations);
        }
        _schema = builder.ToSchema();
    }

    public DataViewSchema GetOutputSchema() => _schema;
    public IDataView Load(IMultiStreamSource source) => new TextDataView(this, source);
    void ICanSaveModel.Save(ModelSaveContext ctx) => throw new NotSupportedException("The stand-in for ML.NET saves no loaders.");

    /// <summary>The lines that hold data, with their numbers: no header, no empty lines, no comments.</summary>
    private IEnumerable<(string Text, long Number)> Lines(IMultiStreamSource source, bool withHeader = false)
    {
        for (var file = 0; file < source.Count; file++)
        {
            using var reader = source.OpenTextReader(file);
            var skipHeader = _options.HasHeader && !withHeader;
            for (var number = 1L; reader.ReadLine() is { } line; number++)
            {
                if (line.Length == 0 || line.StartsWith("//", StringComparison.Ordinal))
                    continue;
                if (!skipHeader)
                    yield return (line, number);
                skipHeader = false;
            }
        }
    }

    /// <summary>Splits a line into fields; an ill-quoted field is empty, as in the real one.</summary>
    private List<ReadOnlyMemory<char>> Split(string text)
    {
        var fields = new List<ReadOnlyMemory<char>>();
        var line = _options.TrimWhitespace ? text.AsMemory().TrimEnd() : text.AsMemory();
        for (var end = 0; end >= 0; line = end >= 0 ? line[(end + 1)..] : default)
        {
            line = _options.Separators.Contains(' ') ? line : line.TrimStart(' ');
            var isQuoted = _options.AllowQuoting && line.Length > 0 && line.Span[0] == '"';
            var field = isQuoted ? TakeQuoted(ref line) : default;
            end = line.Span.IndexOfAny(_options.Separators);
            var rest = end >= 0 ? line[..end] : line;
            fields.Add(!isQuoted ? rest : rest.Span.Trim(' ').IsEmpty ? field : default);
        }
        return fields;
    }

    private static ReadOnlyMemory<char> TakeQuoted(ref ReadOnlyMemory<char> line)
    {
        var span = line.Span;
        var text = new StringBuilder();
        for (var i = 1; i < span.Length; text.Append(span[i++]))
        {
            if (span[i] == '"' && (i + 1 == span.Length || span[i + 1] != '"'))
            {
                line = line[(i + 1)..];
                return text.ToString().AsMemory();
            }
            i += span[i] == '"' ? 1 : 0;
        }
        line = default;
        return default;
    }

    private sealed class TextDataView(TextLoader loader, IMultiStreamSource source) : IDataView
    {
        public bool CanShuffle => false;
        public DataViewSchema Schema => loader._schema;
        public long? GetRowCount() => null;
        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
            => new Cursor(loader, source, columnsNeeded);
        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
            => [GetRowCursor(columnsNeeded, rand)];
    }

    private sealed class Cursor : GetterRow
    {
        private readonly TextLoader _loader;
        private readonly IEnumerator<(string Text, long Number)> _lines;
        private List<ReadOnlyMemory<char>> _fields;

        public Cursor(TextLoader loader, IMultiStreamSource source, IEnumerable<DataViewSchema.Column> active)
            : base(loader._schema, new Delegate[loader._schema.Count])
        {
            (_loader, _lines) = (loader, loader.Lines(source).GetEnumerator());
            foreach (var column in active)
                Getters[column.Index] = column.Type.ItemType().RawType.For<Delegate>(Getter<int>, loader._options.Columns[column.Index]);
        }

        public override bool MoveNext()
        {
            var more = _lines.MoveNext();
            Current += more ? 1 : 0;
            _fields = more ? _loader.Split(_lines.Current.Text) : null;
            return more;
        }

        protected override void Dispose(bool disposing) => _lines.Dispose();

        private Delegate Getter<T>(Column column)
        {
            var parse = TextParser.For<T>(_loader._options.MissingRealsAsNaNs);
            var (values, fields) = (new T[column.Fields.Length], column.Fields);
            return Values.Getter(column.Type is VectorDataViewType, () =>
            {
                for (var i = 0; i < values.Length; i++)
                    values[i] = Parse(parse, fields[i] < _fields.Count ? _fields[fields[i]] : default, column);
                return values;
            });
        }

        private T Parse<T>(Func<ReadOnlyMemory<char>, T> parse, ReadOnlyMemory<char> text, Column column)
        {
            try
            {
                return parse(text);
            }
            catch (Exception e) when (e is FormatException or OverflowException)
            {
                throw new InvalidOperationException($"Could not parse value {text} in line {_lines.Current.Number}, column {column.Name}", e);
            }
        }
    }

    public class Options
    {
        public bool AllowQuoting;
        public char[] Separators = ['\t'];
        public Column[] Columns;
        public bool TrimWhitespace;
        public bool HasHeader;
        public bool MissingRealsAsNaNs;
    }

    public sealed class Range(int min, int? max)
    {
        public int Min = min;
        public int? Max = max ?? throw new NotSupportedException("The stand-in for ML.NET reads no columns of variable length.");
        public bool ForceVector = true;
        public Range(int index) : this(index, index) => ForceVector = false;
    }

    public sealed class Column
    {
        public string Name;
        public Range[] Source;
        public Column() { }
        public Column(string name, DataKind dataKind, int index) : this(name, dataKind, [new Range(index)]) { }
        public Column(string name, DataKind dataKind, int minIndex, int maxIndex) : this(name, dataKind, [new Range(minIndex, maxIndex)]) { }
        public Column(string name, DataKind dataKind, Range[] source, KeyCount keyCount = null)
            => (Name, DataKind, Source) = (name, dataKind, keyCount is null ? source : throw new NotSupportedException("The stand-in for ML.NET loads no keys."));
        public DataKind DataKind { get; set; } = DataKind.Single;
        internal int[] Fields => Source.SelectMany(r => Enumerable.Range(r.Min, (r.Max ?? r.Min) - r.Min + 1)).ToArray();
        internal DataViewType Type => Fields.Length > 1 || Source[0].ForceVector
            ? new VectorDataViewType(SchemaExtensions.PrimitiveOf(DataKind), Fields.Length) : SchemaExtensions.PrimitiveOf(DataKind);

        internal static Column[] AllOf(Type type) => SchemaDefinition.MembersOf(type, SchemaDefinition.Direction.Read).Select(member =>
        {
            var load = member.GetCustomAttribute<LoadColumnAttribute>()
                ?? throw new InvalidOperationException($"'{member.Name}' is missing the LoadColumnAttribute attribute");
            var item = SchemaDefinition.ItemOf(SchemaDefinition.TypeOf(member)) ?? SchemaDefinition.TypeOf(member);
            return new Column(member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name, Enum.Parse<DataKind>(item.Name), load.Sources);
        }).ToArray();
    }
}
