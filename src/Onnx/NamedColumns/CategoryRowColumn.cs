using System.Globalization;
using MlNetBatchNorm.Onnx.Tables;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>A column of categories.</summary>
internal sealed class CategoryRowColumn : RowColumn
{
    private static readonly HashSet<string> True = new(StringComparer.OrdinalIgnoreCase) { "true", "t", "yes", "y", "1" };
    private static readonly HashSet<string> False = new(StringComparer.OrdinalIgnoreCase) { "false", "f", "no", "n", "0" };

    private readonly CategoricalFeature _feature;
    private readonly int _cell;
    private readonly int _true;
    private readonly int _false;
    private readonly Dictionary<double, int> _numbers = [];

    /// <param name="feature">The column.</param>
    /// <param name="cell">Its cell.</param>
    public CategoryRowColumn(CategoricalFeature feature, int cell)
        : base(feature.Name)
    {
        (_feature, _cell) = (feature, cell);
        (_true, _false) = (OnlyOne(True), OnlyOne(False));
        for (var place = 0; place < feature.Categories.Count; place++)
            if (CellValue.Read(feature.Categories[place]) is { Kind: CellKind.Number } value) _numbers.TryAdd(value.Number, place);

        int OnlyOne(HashSet<string> words)
        {
            int[] places = [.. Enumerable.Range(0, feature.Categories.Count).Where(place => words.Contains(feature.Categories[place]))];
            return places is [var only] ? only : -1;
        }
    }

    /// <inheritdoc/>
    public override string Expected => $"a text, as {string.Join(" or ", _feature.Categories.Take(2).Select(NameList.Quote))}";

    /// <inheritdoc/>
    public override void Missing(RowCells cells)
    {
        cells.Numbers[_cell] = _feature.MissingPlace;
        if (_feature.MissingPlace < 0) cells.NoteUnknown(Name, _feature.MissingText);
    }

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text)
    {
        text = text.Trim();
        var place = _feature.PlaceOf(text);
        cells.Numbers[_cell] = place;
        if (place >= 0) return;
        var other = text.ToString();
        if (CellValue.Read(other).Kind == CellKind.Missing) Missing(cells);
        else if (!_feature.IsRare(other)) cells.NoteUnknown(Name, other);
    }

    /// <inheritdoc/>
    public override void Number(RowCells cells, double number)
    {
        if (double.IsNaN(number)) Missing(cells);
        else if (_numbers.Count == 0) base.Number(cells, number);
        else if (_numbers.TryGetValue(number, out var place)) cells.Numbers[_cell] = place;
        else Text(cells, number.ToString("R", CultureInfo.InvariantCulture));
    }

    /// <inheritdoc/>
    public override void Whole(RowCells cells, long number)
    {
        // To all its digits: a number may be a name.
        Span<char> text = stackalloc char[20];
        if (_numbers.Count > 0 && number.TryFormat(text, out var length, default, CultureInfo.InvariantCulture)
            && _feature.PlaceOf(text[..length]) is >= 0 and var place) cells.Numbers[_cell] = place;
        else Number(cells, number);
    }

    /// <inheritdoc/>
    public override void Truth(RowCells cells, bool truth)
    {
        if (_true < 0 || _false < 0) base.Truth(cells, truth);
        cells.Numbers[_cell] = truth ? _true : _false;
    }
}
