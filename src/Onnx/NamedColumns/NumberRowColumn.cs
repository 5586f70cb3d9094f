using System.Globalization;
using MlNetBatchNorm.Onnx.Tables;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>A column of numbers, written in a table as its map says.</summary>
internal sealed class NumberRowColumn(NumericFeature feature, int cell) : RowColumn(feature.Name)
{
    /// <summary>How its numbers are written in a table.</summary>
    public NumberFormat Format => feature.Format;

    /// <inheritdoc/>
    public override string Expected => "a number, as 12.5";

    /// <inheritdoc/>
    public override void Missing(RowCells cells) => cells.Numbers[cell] = double.NaN;

    /// <inheritdoc/>
    public override void Number(RowCells cells, double number)
    {
        if (double.IsInfinity(number)) throw Refused("a number that is not finite");
        if (float.IsInfinity(feature.Map.Apply(number)))
            throw new ColumnValueException(
                Name,
                $"{number.ToString("R", CultureInfo.InvariantCulture)} is more than a feature of this column, float32, can be; fix it or "
                + "give none.");
        cells.Numbers[cell] = number;
    }

    /// <inheritdoc/>
    public override void Truth(RowCells cells, bool truth) =>
        throw new ColumnValueException(Name, $"{(truth ? "true" : "false")} was given; give a number, as {(truth ? 1 : 0)}{OrMissing}.");

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text)
    {
        var trimmed = text.Trim().ToString();
        var value = CellValue.Read(trimmed, feature.Format);
        if (value.Kind == CellKind.Missing) Missing(cells);
        else if (value.Kind == CellKind.Number) Number(cells, value.Number);
        else if (value.Kind == CellKind.Infinite) throw Refused($"{NameList.Quote(trimmed)}, which is not finite,");
        else if (feature.Numbers is null) throw Refused($"the text {NameList.Quote(trimmed)}");
        else throw Refused(
            $"the text {NameList.Quote(trimmed)}, which is no number as those of this column are written ({feature.Format}),");
    }
}
