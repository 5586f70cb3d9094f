using System.Globalization;
using MlNetBatchNorm.Onnx.Tables;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>A column of free text, of which the model takes the words.</summary>
internal sealed class WordsRowColumn(TextFeature feature, int cell) : RowColumn(feature.Name)
{
    /// <inheritdoc/>
    public override string Expected => "a text";

    /// <inheritdoc/>
    public override void Missing(RowCells cells) => cells.Terms[cell] = TextTerms.None;

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text)
    {
        var trimmed = text.Trim().ToString();
        cells.Terms[cell] = feature.Encode(trimmed);
        if (cells.Terms[cell].IsUnknown) cells.NoteUnknown(Name, trimmed);
    }

    /// <inheritdoc/>
    public override void Number(RowCells cells, double number)
    {
        if (double.IsNaN(number)) Missing(cells);
        else Text(cells, number.ToString("R", CultureInfo.InvariantCulture));
    }

    /// <inheritdoc/>
    public override void Whole(RowCells cells, long number) => Text(cells, number.ToString(CultureInfo.InvariantCulture));
}
