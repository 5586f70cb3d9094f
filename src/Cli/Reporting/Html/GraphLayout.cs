namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>
/// Where the boxes of a graph lie: in rows, each below all that it reads, and so that few lines cross (Sugiyama, Tagawa and Toda 1981). A
/// line that passes rows has a lane in each of them, so that it meets no box.
/// </summary>
internal sealed class GraphLayout
{
    /// <summary>The width of a box, in pixels.</summary>
    public const double BoxWidth = 188;

    private const double LaneWidth = 8;
    private const double Gap = 18;
    private const int Sweeps = 8;

    private readonly int _boxes;
    private readonly List<int> _rows;
    private readonly List<List<int>> _above = [];
    private readonly List<List<int>> _below = [];
    private readonly List<(int From, int To, List<int> Lanes)> _lines = [];
    private readonly List<List<int>> _inRow = [];
    private readonly double[] _centers;

    /// <summary>Lays out a graph.</summary>
    /// <param name="edges">From which box to which; lines go from a box to one with a higher number only.</param>
    /// <param name="leastRows">For each box the first row that it may lie in, from 0.</param>
    public GraphLayout(IEnumerable<(int From, int To)> edges, IReadOnlyList<int> leastRows)
    {
        _boxes = leastRows.Count;
        (int From, int To)[] lines = [.. edges.Where(edge => edge.From < edge.To).Distinct().Order()];
        _rows = Rows(lines, leastRows);
        for (var box = 0; box < _boxes; box++) AddItem();
        foreach (var reads in lines.GroupBy(edge => edge.From)) AddLines(reads.Key, [.. reads.Select(edge => edge.To)]);
        for (var item = 0; item < _rows.Count; item++)
        {
            while (_inRow.Count <= _rows[item]) _inRow.Add([]);
            _inRow[_rows[item]].Add(item);
        }

        _centers = new double[_rows.Count];
        Sort();
        Place();
    }

    /// <summary>How many rows there are.</summary>
    public int RowCount => _inRow.Count;

    /// <summary>The width of all, in pixels.</summary>
    public double Width { get; private set; }

    /// <summary>The row of a box, from 0.</summary>
    public int Row(int box) => _rows[box];

    /// <summary>The middle of a box, in pixels from the left.</summary>
    public double Center(int box) => _centers[box];

    /// <summary>The lines: from which box to which, and through which places of the rows between them.</summary>
    public IEnumerable<(int From, int To, IEnumerable<(double Center, int Row)> Bends)> Lines =>
        _lines.Select(line => (line.From, line.To, line.Lanes.Select(lane => (_centers[lane], _rows[lane]))));

    // The row behind the last one that is read from; what reads nothing stands just above its first reader.
    private List<int> Rows((int From, int To)[] lines, IReadOnlyList<int> leastRows)
    {
        var rows = leastRows.ToList();
        var (isReader, reader) = (new bool[_boxes], new int[_boxes]);
        Array.Fill(reader, int.MaxValue);
        foreach (var (from, to) in lines)
        {
            rows[to] = Math.Max(rows[to], rows[from] + 1);
            isReader[to] = true;
        }

        foreach (var (from, to) in lines) reader[from] = Math.Min(reader[from], rows[to]);
        for (var box = 0; box < _boxes; box++)
            if (!isReader[box] && reader[box] < int.MaxValue) rows[box] = Math.Max(rows[box], reader[box] - 1);
        return rows;
    }

    private int AddItem()
    {
        _above.Add([]);
        _below.Add([]);
        return _above.Count - 1;
    }

    // All lines from a box share their lanes.
    private void AddLines(int from, int[] to)
    {
        List<int> way = [from];
        foreach (var target in to.OrderBy(target => _rows[target]))
        {
            while (_rows[way[^1]] < _rows[target] - 1)
            {
                var lane = AddItem();
                _rows.Add(_rows[way[^1]] + 1);
                Join(way[^1], lane);
                way.Add(lane);
            }

            Join(way[^1], target);
            _lines.Add((from, target, [.. way.Skip(1)]));
        }

        void Join(int above, int below)
        {
            _below[above].Add(below);
            _above[below].Add(above);
        }
    }

    // In each row by the mean place of the neighbours in the row above, then below, and so on.
    private void Sort()
    {
        var places = new double[_rows.Count];
        foreach (var row in _inRow) Number(row);
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            var isDown = sweep % 2 == 0;
            foreach (var row in isDown ? _inRow : Enumerable.Reverse(_inRow))
            {
                var keys = row.ToDictionary(item => item, item => Mean(isDown ? _above[item] : _below[item], places) ?? places[item]);
                int[] sorted = [.. row.OrderBy(item => keys[item])];
                row.Clear();
                row.AddRange(sorted);
                Number(row);
            }
        }

        void Number(List<int> row)
        {
            for (var i = 0; i < row.Count; i++) places[row[i]] = i;
        }
    }

    private void Place()
    {
        // Under what is above, over what is below, and so on; a row over its successors at last, so that chains are straight.
        foreach (var row in _inRow) Place(row, item => _centers[item]);
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            var isDown = sweep % 2 == 0;
            foreach (var row in isDown ? _inRow : Enumerable.Reverse(_inRow))
                Place(row, item => Mean(isDown ? _above[item] : _below[item], _centers) ?? _centers[item]);
        }

        if (_rows.Count == 0) return;
        var left = Enumerable.Range(0, _rows.Count).Min(item => _centers[item] - HalfWidth(item));
        for (var item = 0; item < _rows.Count; item++) _centers[item] -= left;
        Width = Enumerable.Range(0, _rows.Count).Max(item => _centers[item] + HalfWidth(item));
    }

    // As near to where each wants to be as their order and their widths let it, by least squares: pools of neighbours that would otherwise
    // overlap stand side by side around the mean of what they want.
    private void Place(List<int> row, Func<int, double> wanted)
    {
        var offsets = new double[row.Count];
        for (var i = 1; i < row.Count; i++) offsets[i] = offsets[i - 1] + HalfWidth(row[i - 1]) + HalfWidth(row[i]) + Gap;
        var pools = new Stack<(double Sum, int Count)>();
        for (var i = 0; i < row.Count; i++)
        {
            var pool = (Sum: wanted(row[i]) - offsets[i], Count: 1);
            while (pools.TryPeek(out var last) && last.Sum / last.Count >= pool.Sum / pool.Count)
            {
                pools.Pop();
                pool = (pool.Sum + last.Sum, pool.Count + last.Count);
            }

            pools.Push(pool);
        }

        var next = 0;
        foreach (var (sum, count) in pools.Reverse())
            for (var i = 0; i < count; i++, next++) _centers[row[next]] = (sum / count) + offsets[next];
    }

    private double HalfWidth(int item) => (item < _boxes ? BoxWidth : LaneWidth) / 2;

    private static double? Mean(List<int> items, double[] values) =>
        items.Count == 0 ? null : items.Sum(item => values[item]) / items.Count;
}
