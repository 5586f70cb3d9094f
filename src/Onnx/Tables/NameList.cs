namespace MlNetBatchNorm.Onnx.Tables;

/// <summary>Names joined for a message of one line, cut off where more would hide the message.</summary>
internal static class NameList
{
    /// <summary>The names, separated by commas.</summary>
    public static string Of(IEnumerable<string> names, int limit = 100)
    {
        var all = names.ToList();
        var shown = string.Join(", ", all.Take(limit)).ReplaceLineEndings(" ");
        return all.Count > limit ? $"{shown} and {all.Count - limit} more" : shown;
    }

    /// <summary>A text from the table between quotes, on one line and not too long to read.</summary>
    public static string Quote(string text)
    {
        var line = text.ReplaceLineEndings(" ");
        return line.Length > 60 ? $"'{line[..60]}…'" : $"'{line}'";
    }
}
