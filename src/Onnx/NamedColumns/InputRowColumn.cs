using MlNetBatchNorm.Onnx.Tables;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>An input of a pipeline that takes texts as they are.</summary>
internal sealed class TextRowColumn(string name, int cell) : RowColumn(name)
{
    /// <inheritdoc/>
    public override string Expected => "a text";

    /// <inheritdoc/>
    public override void Missing(RowCells cells) => cells.Texts[cell] = string.Empty;

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text) => cells.Texts[cell] = text.ToString();
}

/// <summary>An input of a pipeline that takes numbers or truth values as they are.</summary>
internal sealed class InputRowColumn(string name, DataType type, int cell) : RowColumn(name)
{
    private readonly bool _isReal = type is DataType.Float or DataType.Double;

    /// <inheritdoc/>
    private protected override string OrMissing => _isReal ? base.OrMissing : string.Empty;

    /// <inheritdoc/>
    public override string Expected => type == DataType.Bool ? "true or false" : _isReal ? "a number, as 12.5" : "a whole number";

    /// <inheritdoc/>
    public override void Missing(RowCells cells)
    {
        if (!_isReal) throw new ColumnValueException(Name, $"it has no value, but the model needs one; give {Expected}.");
        cells.Numbers[cell] = double.NaN;
    }

    /// <inheritdoc/>
    public override void Number(RowCells cells, double number)
    {
        if (double.IsNaN(number)) Missing(cells);
        else if (double.IsInfinity(number) || !CanHold(number)) base.Number(cells, number);
        else cells.Numbers[cell] = number;
    }

    /// <inheritdoc/>
    public override void Truth(RowCells cells, bool truth)
    {
        if (type != DataType.Bool) base.Truth(cells, truth);
        cells.Numbers[cell] = truth ? 1 : 0;
    }

    /// <inheritdoc/>
    public override void Text(RowCells cells, ReadOnlySpan<char> text)
    {
        var trimmed = text.Trim().ToString();
        var value = CellValue.Read(trimmed);
        if (value.Kind == CellKind.Missing) Missing(cells);
        else if (value.Kind == CellKind.Number) Number(cells, value.Number);
        else if (type == DataType.Bool && bool.TryParse(trimmed, out var truth)) Truth(cells, truth);
        else throw Refused($"the text {NameList.Quote(trimmed)}");
    }

    /// <inheritdoc/>
    public override void Blank(RowCells cells) => cells.Numbers[cell] = _isReal ? double.NaN : 0;

    private bool CanHold(double number)
    {
        var (least, most) = type switch
        {
            DataType.Float => (float.MinValue, float.MaxValue),
            DataType.Double => (double.MinValue, double.MaxValue),
            DataType.Bool => (0, 1),
            DataType.Uint8 => (byte.MinValue, byte.MaxValue),
            DataType.Int8 => (sbyte.MinValue, sbyte.MaxValue),
            DataType.Uint16 => (ushort.MinValue, ushort.MaxValue),
            DataType.Int16 => (short.MinValue, short.MaxValue),
            DataType.Uint32 => (uint.MinValue, uint.MaxValue),
            DataType.Int32 => (int.MinValue, int.MaxValue),
            // Beyond, float64 does not have them all.
            DataType.Uint64 => (0, 1L << 53),
            _ => (-(double)(1L << 53), 1L << 53),
        };
        return number >= least && number <= most && (_isReal || number == Math.Truncate(number));
    }
}
