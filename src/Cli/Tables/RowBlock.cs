namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Some rows, column by column.</summary>
internal sealed class RowBlock(int columns, int rows)
{
    private readonly List<TextPool> _pools = [];

    /// <summary>As what its columns are read.</summary>
    public CellReading[] Readings { get; private set; } = [];

    /// <summary>The columns that were read as numbers and have other cells.</summary>
    public bool[] IsBroken { get; } = new bool[columns];

    /// <summary>The numbers of each column that has any.</summary>
    public double[]?[] Numbers { get; } = new double[]?[columns];

    /// <summary>Of each column of texts the number of the pool, in the upper half, and the place there.</summary>
    public long[]?[] Texts { get; } = new long[]?[columns];

    /// <summary>The line of each row; with a minus where it has nothing.</summary>
    public int[] Lines { get; } = new int[rows];

    /// <summary>The rows.</summary>
    public int Count { get; set; }

    /// <summary>Makes it known where texts are.</summary>
    public int Add(TextPool pool)
    {
        lock (_pools)
        {
            _pools.Add(pool);
            return _pools.Count - 1;
        }
    }

    /// <summary>Gives the texts of some rows to a column.</summary>
    public void AddTo(TextCells.Builder texts, int column, int first, int count)
    {
        for (var i = first; i < first + count; i++)
        {
            var cell = Texts[column]![i];
            texts.Add(_pools[(int)(cell >> 32)], (int)cell);
        }
    }

    public void Begin(CellReading[] readings)
    {
        Readings = readings;
        Array.Clear(IsBroken);
        _pools.Clear();
        for (var i = 0; i < readings.Length; i++)
        {
            if (readings[i] is CellReading.Point or CellReading.Comma) Numbers[i] ??= new double[Lines.Length];
            else Numbers[i] = null;
            if (readings[i] == CellReading.Text) Texts[i] ??= new long[Lines.Length];
        }
    }

    public void Keep(List<int> rows)
    {
        for (var to = 0; to < rows.Count; to++)
        {
            Lines[to] = Lines[rows[to]];
            foreach (var numbers in Numbers)
                if (numbers is not null) numbers[to] = numbers[rows[to]];
            foreach (var texts in Texts)
                if (texts is not null) texts[to] = texts[rows[to]];
        }

        Count = rows.Count;
    }
}
