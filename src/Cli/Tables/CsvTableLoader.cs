namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// Reads all of a table: finds out from its first rows which columns are numbers, and reads again, as texts, those that are none after all.
/// </summary>
internal static class CsvTableLoader
{
    // So many rows, or bytes, say what the columns are.
    private const int TriedRows = 1000;
    private const int TriedBytes = 1 << 18;

    /// <summary>Reads all of a table.</summary>
    /// <param name="source">Its bytes.</param>
    /// <param name="texts">Columns whose texts will be asked for, whatever they look like.</param>
    /// <exception cref="TableException">It is no table.</exception>
    public static CsvTable Read(CsvSource source, IReadOnlyCollection<string> texts)
    {
        try
        {
            return ReadAll(source, texts);
        }
        catch (NotUtf8Exception)
        {
            return ReadAll(source, texts);
        }
    }

    private static CsvTable ReadAll(CsvSource source, IReadOnlyCollection<string> texts)
    {
        var guess = Guess(source);
        using var reader = new CsvTableReader(
            source, (column, name) => texts.Contains(name) ? CellReading.Text : guess[column], CellReading.None);
        var header = reader.Header;
        var (lines, builders) = (new List<int>(), Array.ConvertAll(header, _ => new ColumnBuilder()));
        foreach (var block in reader.ReadBlocks())
        {
            lines.AddRange(block.Lines.AsSpan(0, block.Count));
            for (var i = 0; i < builders.Length; i++) builders[i].Add(reader, block, i);
        }

        // All the columns that are no numbers after all, at once.
        if (Array.Exists(builders, builder => builder.IsBroken))
        {
            var broken = Array.ConvertAll(builders, builder => builder.IsBroken);
            using var again = new CsvTableReader(
                source, (column, _) => broken[column] ? CellReading.Text : CellReading.None, CellReading.Text);
            for (var i = 0; i < builders.Length; i++)
                if (broken[i]) builders[i] = new ColumnBuilder();
            foreach (var block in again.ReadBlocks())
                for (var i = 0; i < builders.Length; i++)
                    if (broken[i]) builders[i].Add(again, block, i);
        }

        var columns = new TableColumn[header.Length];
        for (var i = 0; i < columns.Length; i++)
        {
            var column = i;
            columns[i] = new TableColumn(header[i], builders[i].Build(
                () => reader.TraitsOf(column), lines.Count, () => CsvTableReader.ReadTexts(source, column, 0, lines.Count)));
        }

        return new CsvTable(source.Name, columns, [.. lines]) { Separator = reader.Separator, Note = reader.Note };
    }

    // What the columns look like at the start.
    private static CellReading[] Guess(CsvSource source)
    {
        using var reader = new CsvTableReader(source, (_, _) => CellReading.None, CellReading.None);
        var csv = reader.Records;
        var (isPoint, isComma) = (new bool[reader.Header.Length], new bool[reader.Header.Length]);
        Array.Fill(isPoint, true);
        Array.Fill(isComma, true);
        var traits = default(NumberTraits);
        for (var row = 0; row < TriedRows && csv.ByteOffset < TriedBytes && csv.Read(); row++)
        {
            for (var i = 0; i < Math.Min(isPoint.Length, csv.FieldCount); i++)
            {
                if (!isPoint[i] && !isComma[i]) continue;
                var cell = csv.GetSpan(i);
                isPoint[i] &= traits.TryRead(cell, '.', row, false, out _);
                isComma[i] &= traits.TryRead(cell, ',', row, false, out _);
            }
        }

        return [.. isPoint.Zip(isComma, (point, comma) => point ? CellReading.Point : comma ? CellReading.Comma : CellReading.Text)];
    }

    /// <summary>Collects a column.</summary>
    private sealed class ColumnBuilder
    {
        private NumberCells.Builder? _numbers;
        private TextCells.Builder? _texts;
        private bool _isRead;

        /// <summary>Whether it was read as numbers, and is none.</summary>
        public bool IsBroken { get; private set; }

        public void Add(CsvTableReader reader, RowBlock block, int column)
        {
            _isRead = true;
            if (IsBroken) return;
            if (block.Texts[column] is not null && block.Readings[column] == CellReading.Text)
            {
                _texts ??= new TextCells.Builder();
                block.AddTo(_texts, column, 0, block.Count);
                return;
            }

            if (block.IsBroken[column] || block.Numbers[column] is not { } numbers)
            {
                (IsBroken, _numbers) = (true, null);
                return;
            }

            (_numbers ??= new NumberCells.Builder()).Add(numbers.AsSpan(0, block.Count), reader.DecimalsOf(column));
        }

        public ColumnCells Build(Func<NumberTraits> traits, int count, Func<TextCells> texts)
        {
            if (_isRead && _texts is not null)
            {
                var built = _texts.Build();
                return new ColumnCells(count, null, () => built);
            }

            return new ColumnCells(count, _numbers!.Build(traits()), texts);
        }
    }
}
