namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>
/// Many clipped straight lines of each feature and the product behind them, which together are one piecewise-linear function of each
/// feature: the sum of weights up to the bin that it is in is in a table, and what is added is the way to the next row of the table.
/// </summary>
/// <remarks>
/// Exact but for rounding: the way is computed with the operators of the model, and at both of its ends the table has the sums that the
/// product would have. A row costs two rows of the table for each feature, rather than all columns.
/// </remarks>
internal sealed unsafe class TableStep : DirectStep
{
    // The features that are looked up together.
    private const int Chunk = 64;

    private readonly Slot _input;
    private readonly AlignedNumbers _starts;
    private readonly AlignedNumbers _table;
    private readonly int _entries;
    private readonly Feature[] _features;
    private readonly Column[] _columns;
    private readonly CombineKind[] _operators;
    private readonly float _least;
    private readonly float _most;

    /// <param name="lines">The lines.</param>
    /// <param name="input">The features.</param>
    /// <param name="output">What the products are added to.</param>
    /// <param name="weights">The weights of each line: matrix [lines, columns].</param>
    public TableStep(ClippedLines lines, Slot input, Slot output, double[] weights)
        : base(output, input, output)
    {
        (_input, _operators, _least, _most) = (input, lines.Operators, lines.Least, lines.Most);
        var width = output.Width;
        var ordered = lines.ByFeature();
        _columns = [.. ordered.SelectMany(lines => lines).Select(line => new Column(line.Constants, line.From, 1 / (line.To - line.From)))];
        _features = new Feature[ordered.Count];
        _starts = new AlignedNumbers(ordered.Sum(lines => Kernels.Padded(lines.Count)));
        _starts.Span.Fill(float.PositiveInfinity);
        _entries = _columns.Length + ordered.Count;
        _table = new AlignedNumbers(_entries * output.Stride);
        var (start, row, column) = (0, 0, 0);
        for (var i = 0; i < ordered.Count; i++)
        {
            var own = ordered[i];
            _features[i] = new Feature(own[0].Feature, start, own.Count, column, row);
            var sums = new double[width];
            foreach (var line in own)
                for (var j = 0; j < width; j++) sums[j] += line.From * weights[(line.Index * width) + j];
            Write(sums, row++);
            foreach (var line in own)
            {
                _starts.Span[start++] = line.Start;
                for (var j = 0; j < width; j++) sums[j] += (line.To - line.From) * weights[(line.Index * width) + j];
                Write(sums, row++);
                column++;
            }

            start = Kernels.Padded(start);
        }

        void Write(double[] sums, int into)
        {
            for (var j = 0; j < width; j++)
                _table.Span[(((j / Kernels.Step * _entries) + into) * Kernels.Step) + (j % Kernels.Step)] = (float)sums[j];
        }
    }

    public override bool Run(Kernels kernels, float* memory, int rows)
    {
        var chunk = Math.Min(Chunk, _features.Length);
        var at = stackalloc int[rows * chunk];
        var between = stackalloc float[rows * chunk];
        for (var first = 0; first < _features.Length; first += chunk)
        {
            var count = Math.Min(chunk, _features.Length - first);
            var x = memory + _input.Offset;
            for (int row = 0, next = 0; row < rows; row++, x += _input.Stride)
            {
                for (var i = 0; i < count; i++, next++)
                {
                    ref readonly var feature = ref _features[first + i];
                    var number = x[feature.Input];
                    var bin = kernels.CountAtMost(_starts.Pointer + feature.Start, Kernels.Padded(feature.Bins), number) - 1;
                    bin = Math.Clamp(bin, 0, feature.Bins - 1);
                    at[next] = feature.Row + bin;
                    between[next] = Way(_columns[feature.Column + bin], number);
                }
            }

            kernels.Interpolate(_table.Pointer, _entries, at, between, count, memory + Output.Offset, Output.Stride, rows);
        }

        return true;
    }

    private float Way(in Column column, float x)
    {
        for (var i = 0; i < _operators.Length; i++)
        {
            var constant = column.Constants[i];
            x = _operators[i] switch
            {
                CombineKind.Add => x + constant,
                CombineKind.Subtract => x - constant,
                CombineKind.Multiply => x * constant,
                _ => x / constant,
            };
        }

        x = x < _least ? _least : x > _most ? _most : x;
        return (x - column.From) * column.Factor;
    }

    private readonly record struct Feature(int Input, int Start, int Bins, int Column, int Row);

    private readonly record struct Column(float[] Constants, float From, float Factor);
}

/// <summary>Columns that are a straight line of one feature each, clipped to the same limits.</summary>
/// <param name="Features">For each column its feature.</param>
/// <param name="Operators">What is done to it, one after the other: addition, subtraction, multiplication, division.</param>
/// <param name="Constants">For each operator the constant of each column.</param>
/// <param name="Least">The lower limit.</param>
/// <param name="Most">The upper limit.</param>
internal sealed record ClippedLines(int[] Features, CombineKind[] Operators, float[][] Constants, float Least, float Most)
{
    // As wide as this, in parts of a line, two lines of a feature may overlap for rounding.
    private const double Tolerance = 1e-4;

    /// <summary>
    /// The lines of each feature from the left to the right, where at most one of them rises or falls at any place; else null.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<Line>>? TryByFeature()
    {
        if (!(Least < Most) || !float.IsFinite(Least) || !float.IsFinite(Most)) return null;
        var result = new SortedDictionary<int, List<Line>>();
        for (var i = 0; i < Features.Length; i++)
        {
            var (slope, shift) = (1.0, 0.0);
            for (var j = 0; j < Operators.Length; j++)
            {
                double constant = Constants[j][i];
                (slope, shift) = Operators[j] switch
                {
                    CombineKind.Add => (slope, shift + constant),
                    CombineKind.Subtract => (slope, shift - constant),
                    CombineKind.Multiply => (slope * constant, shift * constant),
                    _ => (slope / constant, shift / constant),
                };
            }

            var (from, to) = slope > 0 ? (Least, Most) : (Most, Least);
            var (start, end) = ((from - shift) / slope, (to - shift) / slope);
            if (slope == 0 || !double.IsFinite(start) || !double.IsFinite(end) || !float.IsFinite((float)start)) return null;
            if (!result.TryGetValue(Features[i], out var lines)) result.Add(Features[i], lines = []);
            var column = i;
            lines.Add(new Line(i, Features[i], [.. Constants.Select(constants => constants[column])], from, to, (float)start, end));
        }

        foreach (var lines in result.Values)
        {
            lines.Sort((a, b) => a.Start.CompareTo(b.Start));
            for (var i = 1; i < lines.Count; i++)
                if (lines[i - 1].End > lines[i].Start + (Tolerance * (lines[i - 1].End - lines[i - 1].Start))) return null;
        }

        return [.. result.Values];
    }

    /// <inheritdoc cref="TryByFeature"/>
    public IReadOnlyList<IReadOnlyList<Line>> ByFeature() =>
        TryByFeature() ?? throw new InvalidOperationException("Lines of one feature overlap.");

    /// <summary>One column.</summary>
    /// <param name="Index">Which.</param>
    /// <param name="Feature">Its feature.</param>
    /// <param name="Constants">The constant of each operator.</param>
    /// <param name="From">The limit that it has on the left.</param>
    /// <param name="To">The one on the right.</param>
    /// <param name="Start">Where it leaves the left one.</param>
    /// <param name="End">Where it reaches the right one.</param>
    internal readonly record struct Line(int Index, int Feature, float[] Constants, float From, float To, float Start, double End);
}
