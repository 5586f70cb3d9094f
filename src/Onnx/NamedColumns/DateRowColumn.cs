using MlNetBatchNorm.Onnx.Tables;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>A column of dates, of which the model takes parts.</summary>
internal sealed class DateRowColumn(DateColumn date, (DatePart Part, FeatureColumn Feature, int Cell)[] parts)
    : RowColumn(date.Name)
{
    /// <inheritdoc/>
    public override string Expected => $"a date, {date.Example}";

    /// <inheritdoc/>
    public override void Missing(RowCells cells)
    {
        foreach (var (_, feature, cell) in parts)
        {
            var categories = feature as CategoricalFeature;
            cells.Numbers[cell] = categories?.MissingPlace ?? double.NaN;
            if (categories is { MissingPlace: < 0 }) cells.NoteUnknown(Name, categories.MissingText);
        }
    }

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text)
    {
        var trimmed = text.Trim().ToString();
        if (CellValue.Read(trimmed).Kind == CellKind.Missing) Missing(cells);
        else if (date.TryRead(trimmed, out var time)) Time(cells, time);
        else throw Refused($"the text {NameList.Quote(trimmed)}");
    }

    /// <inheritdoc/>
    public override void Time(RowCells cells, DateTimeOffset time)
    {
        if (!WrittenDate.IsDate(time)) base.Time(cells, time);
        foreach (var (part, feature, cell) in parts)
        {
            if (feature is not CategoricalFeature categories)
            {
                cells.Numbers[cell] = DateColumn.NumberOf(part, time, date.First);
                continue;
            }

            var text = DateColumn.TextOf(part, time, date.First);
            var place = categories.PlaceOf(text);
            cells.Numbers[cell] = place;
            if (place < 0 && !categories.IsRare(text)) cells.NoteUnknown(Name, text);
        }
    }
}
