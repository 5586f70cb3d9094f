using System.Text;

namespace Microsoft.ML.Data;

public enum DataKind : byte
{
    SByte = 1, Byte = 2, Int16 = 3, UInt16 = 4, Int32 = 5, UInt32 = 6, Int64 = 7, UInt64 = 8, Single = 9, Double = 10, String = 11, Boolean = 12,
}

public interface IMultiStreamSource
{
    int Count { get; }
    TextReader OpenTextReader(int index);
}

public sealed class MultiFileSource(params string[] paths) : IMultiStreamSource
{
    public int Count => paths.Length;
    public TextReader OpenTextReader(int index) => new StreamReader(paths[index]);
}

/// <summary>Reads delimited text. Left out, among others: sparse rows, columns of variable length, fields over several lines, keys.</summary>
public sealed class TextLoader
{
    private readonly Options _options;
    private readonly DataViewSchema _schema;

    internal TextLoader(Options options, IMultiStreamSource dataSample, Column[] columns = null)
    {
        options.Columns = columns ?? options.Columns;
        _options = options.Columns is { Length: > 0 } ? options : throw new ArgumentException("The columns of a text file must be named.", nameof(options));
        var header = options.HasHeader && dataSample is not null ? Lines(dataSample, true).Select(l => Split(l.Text)).FirstOrDefault() : null;
        _schema = DataViewSchema.Of(options.Columns.Select(column =>
        {
            var names = column.Fields.Select(f => f < header?.Count ? header[f].Trim() : default).ToArray();
            return new DataViewSchema.DetachedColumn(column.Name, column.Type, column.Type is not VectorDataViewType || header is null ? null
                : DataViewSchema.Annotations.Empty.With(SchemaExtensions.SlotNames, TextDataViewType.Instance, names));
        }));
    }

    public DataViewSchema GetOutputSchema() => _schema;
    public IDataView Load(IMultiStreamSource source) => new View(_schema, (active, _) => new Cursor(this, source, active));

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
        var text = new StringBuilder();
        for (var i = 1; i < line.Length; text.Append(line.Span[i++]))
        {
            if (line.Span[i] == '"' && (i + 1 == line.Length || line.Span[i + 1] != '"'))
            {
                line = line[(i + 1)..];
                return text.ToString().AsMemory();
            }
            i += line.Span[i] == '"' ? 1 : 0;
        }
        return line = default;
    }

    private sealed class Cursor : GetterRow
    {
        private readonly TextLoader _loader;
        private readonly IEnumerator<(string Text, long Number)> _lines;
        private List<ReadOnlyMemory<char>> _fields;

        public Cursor(TextLoader loader, IMultiStreamSource source, IEnumerable<DataViewSchema.Column> active) : base(loader._schema, active)
        {
            (_loader, _lines) = (loader, loader.Lines(source).GetEnumerator());
            Activate(column => column.Type.ItemType().RawType.For<Delegate>(Getter<int>, loader._options.Columns[column.Index]));
        }

        public override bool MoveNext()
        {
            var more = _lines.MoveNext();
            (Current, _fields) = more ? (Current + 1, _loader.Split(_lines.Current.Text)) : (Current, null);
            return more;
        }

        protected override void Dispose(bool disposing) => _lines.Dispose();

        private Delegate Getter<T>(Column column)
        {
            var (parse, isVector) = (TextParser.For<T>(_loader._options.MissingRealsAsNaNs), column.Type is VectorDataViewType);
            return Values.Getter(isVector, () => Array.ConvertAll(column.Fields, f => Parse(parse, f < _fields.Count ? _fields[f] : default, column)));
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

    public sealed class Column
    {
        public string Name;
        private readonly bool _isVector;
        public Column(string name, DataKind dataKind, int index) : this(name, dataKind, [index], false) { }
        public Column(string name, DataKind dataKind, int minIndex, int maxIndex)
            : this(name, dataKind, Enumerable.Range(minIndex, maxIndex - minIndex + 1).ToArray(), true) { }
        private Column(string name, DataKind kind, int[] fields, bool isVector) => (Name, DataKind, Fields, _isVector) = (name, kind, fields, isVector);
        public DataKind DataKind { get; set; }
        internal int[] Fields { get; }
        internal DataViewType Type => _isVector
            ? new VectorDataViewType(SchemaExtensions.PrimitiveOf(DataKind), Fields.Length) : SchemaExtensions.PrimitiveOf(DataKind);

        internal static Column[] AllOf(Type type) => SchemaDefinition.MembersOf(type, SchemaDefinition.Direction.Read).Select(member =>
        {
            var load = member.GetCustomAttribute<LoadColumnAttribute>()
                ?? throw new InvalidOperationException($"'{member.Name}' is missing the LoadColumnAttribute attribute");
            var item = SchemaDefinition.ItemOf(SchemaDefinition.TypeOf(member)) ?? SchemaDefinition.TypeOf(member);
            return new Column(member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name, Enum.Parse<DataKind>(item.Name), load.Fields, load.IsVector);
        }).ToArray();
    }
}
