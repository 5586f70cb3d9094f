using System.Collections;

namespace Microsoft.ML.Data;

/// <summary>The lines of text files that hold data: no header, no empty lines, no comments.</summary>
internal sealed class LineReader(IMultiStreamSource source, TextLoader.Options options, bool keepHeader) : IEnumerable<string>
{
    /// <summary>The number of the current line in its file, from 1 on.</summary>
    public long Line { get; private set; }

    public IEnumerator<string> GetEnumerator()
    {
        var left = options.MaxRows ?? long.MaxValue;
        for (var file = 0; file < source.Count; file++)
        {
            using var reader = source.OpenTextReader(file);
            Line = 0;
            var inPreamble = true;
            while (Next(reader) is { } line && left > 0)
            {
                if (line.Length == 0 || line.StartsWith("//", StringComparison.Ordinal) || (inPreamble && line[0] == '#'))
                    continue;
                var isHeader = inPreamble && options.HasHeader;
                inPreamble = false;
                if (isHeader && !keepHeader)
                    continue;
                left--;
                yield return line;
            }
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private string Next(TextReader reader)
    {
        var line = reader.ReadLine();
        Line++;
        // An odd number of quotes: the field goes on in the next line.
        while (options is { ReadMultilines: true, AllowQuoting: true } && line is not null && line.Count(c => c == '"') % 2 == 1
            && reader.ReadLine() is { } more)
        {
            line += "\n" + more;
            Line++;
        }
        return line;
    }
}
