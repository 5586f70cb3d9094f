using System.Collections;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using MlNetBatchNorm.Onnx.Tables;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>Reads a row into the cells of a model.</summary>
/// <typeparam name="TRow">What rows are.</typeparam>
/// <param name="row">The row.</param>
/// <param name="cells">Where to.</param>
/// <exception cref="ArgumentException">A column is missing, is none of the model's, or has a value that it cannot have.</exception>
internal delegate void RowReader<in TRow>(TRow row, RowCells cells);

/// <summary>Makes what reads rows: of JSON objects by the names in them, of any type by its properties, once for each type.</summary>
/// <param name="columns">The columns of the model.</param>
internal sealed class RowReaders(RowColumns columns)
{
    private const string NameAdvice =
        "a property has a column's name (whatever its case, and without what is neither letter nor digit) or says it by [JsonPropertyName]";

    private readonly ConcurrentDictionary<Type, Delegate> _readers = new();
    private readonly byte[][] _names = [.. columns.All.Select(column => Encoding.UTF8.GetBytes(column.Name))];

    /// <summary>What reads rows of a type.</summary>
    /// <exception cref="ArgumentException">
    /// The type has no property for a column, one for none, or one of a type that it cannot have.
    /// </exception>
    public RowReader<TRow> For<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>() =>
        (RowReader<TRow>)(_readers.TryGetValue(typeof(TRow), out var reader) ? reader : _readers.GetOrAdd(typeof(TRow), Create<TRow>()));

    private Delegate Create<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>() =>
        typeof(TRow) == typeof(JsonElement) ? new RowReader<JsonElement>(ReadJson)
        : typeof(TRow) == typeof(JsonDocument) ? new RowReader<JsonDocument>((row, cells) => ReadJson(row.RootElement, cells))
        : typeof(IEnumerable).IsAssignableFrom(typeof(TRow)) ? throw new ArgumentException(
            $"A row is a JSON object, as a JsonElement, or of a type with a property for each column; {typeof(TRow).Name} is neither.")
        : OfProperties<TRow>();

    private void ReadJson(JsonElement row, RowCells cells)
    {
        if (row.ValueKind != JsonValueKind.Object)
            throw new ArgumentException(
                $"A row is a JSON object with a value for each column, as {{ \"{columns.All[0].Name}\": … }}; given was "
                + $"{Describe(row.ValueKind)}.");
        var (mark, next, count) = (cells.Begin(), 0, 0);
        foreach (var property in row.EnumerateObject())
        {
            // Most rows name their columns in the model's order.
            var place = next < _names.Length && property.NameEquals(_names[next]) ? next : columns.PlaceOf(property.Name);
            if (place < 0)
            {
                if (property.Name == columns.Label) continue;
                throw columns.Unknown(property.Name, "leave it out.");
            }

            var column = columns.All[place];
            if (cells.Given[place] == mark) throw new ColumnValueException(column.Name, "it is there twice; give it once.");
            cells.Given[place] = mark;
            Read(property.Value, column, cells);
            next = place + 1;
            count++;
        }

        if (count < columns.All.Count) throw Lacks(cells, mark);
    }

    // By itself, as a closure would be made for each row.
    private ArgumentException Lacks(RowCells cells, int mark) => RowColumns.Lacks(
        [.. columns.All.Where((_, place) => cells.Given[place] != mark).Select(column => column.Name)],
        "give each a value, or null where there is none.");

    /// <summary>Reads a value into the cells of its column.</summary>
    public static void Read(JsonElement value, RowColumn column, RowCells cells)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Null:
                column.Missing(cells);
                break;
            case JsonValueKind.True or JsonValueKind.False:
                column.Truth(cells, value.ValueKind == JsonValueKind.True);
                break;
            case JsonValueKind.Number when value.TryGetInt64(out var whole):
                column.Whole(cells, whole);
                break;
            case JsonValueKind.Number:
                column.Number(cells, value.GetDouble());
                break;
            case JsonValueKind.String:
                ReadText(value, column, cells);
                break;
            default:
                throw column.Refused(Describe(value.ValueKind));
        }
    }

    // Between its quotes a text without a backslash stands as it is.
    private static void ReadText(JsonElement value, RowColumn column, RowCells cells)
    {
        var quoted = JsonMarshal.GetRawUtf8Value(value);
        Span<char> text = stackalloc char[256];
        if (quoted.Length > text.Length || quoted.Contains((byte)'\\')) column.Text(cells, value.GetString());
        else column.Text(cells, text[..Encoding.UTF8.GetChars(quoted[1..^1], text)]);
    }

    private static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        JsonValueKind.Undefined => "nothing",
        _ => "true or false",
    };

    private RowReader<TRow> OfProperties<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>()
    {
        var properties = PropertiesOf(typeof(TRow));
        if (columns.All.Where((_, place) => properties[place] is null).ToList() is [_, ..] missing)
            throw RowColumns.Lacks(
                [.. missing.Select(column => column.Name)], $"{NameList.Quote(typeof(TRow).Name)} has no property for it: {NameAdvice}.");
        var readers = columns.All.Select((column, place) => RowProperties<TRow>.Of(properties[place]!, column)).ToArray();
        return (row, cells) =>
        {
            cells.Begin();
            foreach (var read in readers) read(ref row, cells);
        };
    }

    private PropertyInfo?[] PropertiesOf([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] Type type)
    {
        var found = new PropertyInfo?[columns.All.Count];
        var keys = columns.All.Select((column, place) => (Key: KeyOf(column.Name), place)).ToLookup(pair => pair.Key, pair => pair.place);
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetMethod is not { IsPublic: true } || property.GetIndexParameters().Length > 0
                || property.GetCustomAttribute<JsonIgnoreAttribute>() is { Condition: JsonIgnoreCondition.Always }) continue;
            var said = property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name;
            var name = said ?? property.Name;
            var place = columns.PlaceOf(name);
            int[] alike = place >= 0 ? [place] : said is null ? [.. keys[KeyOf(name)]] : [];
            if (alike.Length == 0 && IsLabel(name, isExact: said is not null)) continue;
            if (alike.Length == 0)
                throw columns.Unknown($"{type.Name}.{name}", $"mark it with [JsonIgnore], or give it a column: {NameAdvice}.");
            if (alike is not [var only])
                throw new ArgumentException(
                    $"Property '{type.Name}.{name}' may be any of the columns "
                    + $"{NameList.Of(alike.Select(other => NameList.Quote(columns.All[other].Name)))}; say which by [JsonPropertyName].");
            if (found[only] is { } other)
                throw new ArgumentException(
                    $"Properties '{other.Name}' and '{property.Name}' of {type.Name} are both column "
                    + $"{NameList.Quote(columns.All[only].Name)}; mark one with [JsonIgnore].");
            found[only] = property;
        }

        return found;
    }

    private bool IsLabel(string name, bool isExact) =>
        columns.Label is { } label && (name == label || (!isExact && KeyOf(name) == KeyOf(label)));

    private static string KeyOf(string name) => string.Concat(name.Where(char.IsLetterOrDigit)).ToUpperInvariant();
}
