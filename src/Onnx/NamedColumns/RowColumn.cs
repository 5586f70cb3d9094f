using System.Globalization;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>A column of a row: takes values of any kind, as far as they can be meant, and refuses others.</summary>
internal abstract class RowColumn(string name)
{
    /// <summary>The name.</summary>
    public string Name { get; } = name;

    /// <summary>What it takes, for messages: "a number".</summary>
    public abstract string Expected { get; }

    /// <summary>What may be given in place of it, for messages.</summary>
    private protected virtual string OrMissing => ", or null where there is none";

    /// <summary>Takes no value.</summary>
    public abstract void Missing(RowCells cells);

    /// <summary>Takes a text, which is read as the same text in a table is.</summary>
    public abstract void Text(RowCells cells, ReadOnlySpan<char> text);

    /// <summary>Takes a number.</summary>
    public virtual void Number(RowCells cells, double number) =>
        throw Refused($"the number {number.ToString("R", CultureInfo.InvariantCulture)}");

    /// <summary>Takes a whole number.</summary>
    public virtual void Whole(RowCells cells, long number) => Number(cells, number);

    /// <summary>Takes a truth value.</summary>
    public virtual void Truth(RowCells cells, bool truth) => throw Refused(truth ? "true" : "false");

    /// <summary>Takes a date.</summary>
    public virtual void Time(RowCells cells, DateTimeOffset time) =>
        throw Refused($"the date {time.ToString("O", CultureInfo.InvariantCulture)}");

    /// <summary>Takes what every column takes: no value, or where it has to have one, zero.</summary>
    public virtual void Blank(RowCells cells) => Missing(cells);

    /// <summary>The error that something else was given than is expected.</summary>
    /// <param name="given">What, for people.</param>
    public ColumnValueException Refused(string given) => new(Name, $"{given} was given; give {Expected}{OrMissing}.");
}
