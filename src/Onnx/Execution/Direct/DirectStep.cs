using System.Runtime.CompilerServices;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>Numbers of each row in the scratch memory of a call.</summary>
/// <param name="width">How many.</param>
internal sealed class Slot(int width)
{
    /// <summary>The numbers that count.</summary>
    public int Width => width;

    /// <summary>From one row to the next.</summary>
    public int Stride { get; } = Kernels.Padded(width);

    /// <summary>Where the first row begins; known when all steps are.</summary>
    public int Offset { get; set; }

    /// <summary>The model's input that it is; null where a step makes it.</summary>
    public int? Input { get; init; }
}

/// <summary>Memory that stays in its place, aligned for the widest vectors; the rest of it is zeros.</summary>
internal sealed unsafe class AlignedNumbers
{
    private const int Alignment = 64;

    private readonly float[] _memory;

    /// <param name="count">The numbers that there is room for; some more may be read behind them.</param>
    public AlignedNumbers(int count)
    {
        _memory = GC.AllocateArray<float>(count + Kernels.Step + (Alignment / sizeof(float)), pinned: true);
        var start = (nint)Unsafe.AsPointer(ref _memory[0]);
        Pointer = (float*)((start + Alignment - 1) / Alignment * Alignment);
        Count = count;
    }

    /// <summary>Rounds numbers.</summary>
    public AlignedNumbers(ReadOnlySpan<double> numbers)
        : this(numbers.Length)
    {
        for (var i = 0; i < numbers.Length; i++) Pointer[i] = (float)numbers[i];
    }

    public float* Pointer { get; }

    public int Count { get; }

    public Span<float> Span => new(Pointer, Count);
}

/// <summary>What a step reads: a slot, or a constant that is the same for each row.</summary>
internal readonly unsafe record struct Source(Slot? Slot, AlignedNumbers? Constant)
{
    public int Stride => Slot?.Stride ?? 0;

    public float* In(float* memory) => Slot is null ? Constant!.Pointer : memory + Slot.Offset;
}

/// <summary>A part of the work on each row: reads slots and writes one.</summary>
internal abstract unsafe class DirectStep(Slot output, params Slot?[] inputs)
{
    public Slot Output => output;

    /// <summary>What is read; null for constants.</summary>
    public Slot?[] Inputs => inputs;

    /// <summary>Whether the output may lie where an input of the same width lies.</summary>
    public virtual bool CanBeInPlace => false;

    /// <summary>Does it.</summary>
    /// <returns>False where only ONNX Runtime knows what is to happen with such numbers.</returns>
    public abstract bool Run(Kernels kernels, float* memory, int rows);
}

/// <summary>A product with constant weights, of all numbers of a row or of each of the groups that it consists of.</summary>
internal sealed unsafe class ProductStep : DirectStep
{
    // Where groups give fewer results than this, they are sums along the weights.
    private const int FewColumns = 16;
    private const int LongSum = 256;

    private readonly Slot _input;
    private readonly int _groups;
    private readonly int _inner;
    private readonly int _columns;
    private readonly AlignedNumbers _weights;
    private readonly int[] _parts;
    private readonly bool _isNarrow;
    private readonly bool _adds;
    private AlignedNumbers? _bias;

    /// <param name="input">What is multiplied: <paramref name="parts"/> × <paramref name="inner"/> numbers a row.</param>
    /// <param name="output">The results: <paramref name="parts"/> × <paramref name="columns"/> numbers a row.</param>
    /// <param name="inner">The numbers of a group.</param>
    /// <param name="columns">Its results.</param>
    /// <param name="weights">Matrices [inner, columns], one behind the other.</param>
    /// <param name="parts">For each group its matrix.</param>
    /// <param name="adds">Whether what is in the output already is kept.</param>
    public ProductStep(Slot input, Slot output, int inner, int columns, double[] weights, int[] parts, bool adds = false)
        : base(output, adds ? [input, output] : [input])
    {
        (_input, _groups, _inner, _columns, _adds) = (input, parts.Length, inner, columns, adds);
        _isNarrow = !adds && ((_groups > 1 && columns < FewColumns) || (columns < FewColumns / 2 && inner >= LongSum));
        var size = inner * columns;
        if (_isNarrow)
        {
            _parts = [];
            _weights = new AlignedNumbers(_groups * size);
            for (var group = 0; group < _groups; group++)
                for (var column = 0; column < columns; column++)
                    for (var k = 0; k < inner; k++)
                        _weights.Span[(((group * columns) + column) * inner) + k] =
                            (float)weights[(parts[group] * size) + (k * columns) + column];
            return;
        }

        var padded = Kernels.Padded(columns);
        _parts = [.. parts.Select(part => part * inner * padded)];
        _weights = new AlignedNumbers(weights.Length / columns * padded);
        for (var start = 0; start < weights.Length; start += size)
        {
            var packed = _weights.Span.Slice(start / columns * padded, inner * padded);
            for (var column = 0; column < columns; column++)
            {
                var (first, within) = (column / Kernels.Panel * Kernels.Panel, column % Kernels.Panel);
                var width = Math.Min(Kernels.Panel, padded - first);
                for (var k = 0; k < inner; k++)
                    packed[(first * inner) + (k * width) + within] = (float)weights[start + (k * columns) + column];
            }
        }
    }

    /// <summary>Whether there is something that is added at the end.</summary>
    public bool HasBias => _bias is not null;

    /// <summary>Adds a number to each result.</summary>
    public void SetBias(ReadOnlySpan<double> bias)
    {
        // Each group has its own, and room behind it that kernels may read.
        var room = Room;
        _bias = new AlignedNumbers(_groups * room);
        for (var i = 0; i < bias.Length; i++) _bias.Span[(i / _columns * room) + (i % _columns)] = (float)bias[i];
    }

    private int Room => _isNarrow ? _columns : Kernels.Padded(_columns);

    public override bool Run(Kernels kernels, float* memory, int rows)
    {
        var x = memory + _input.Offset;
        var y = memory + Output.Offset;
        var bias = _bias is null ? null : _bias.Pointer;
        if (_isNarrow)
        {
            kernels.Dots(_weights.Pointer, bias, _groups, _inner, _columns, x, _input.Stride, y, Output.Stride, rows);
            return true;
        }

        var isExact = _groups > 1 && _columns % Kernels.Step != 0;
        for (var group = 0; group < _groups; group++)
        {
            var part = new PackedProduct
            {
                Weights = _weights.Pointer + _parts[group],
                Bias = bias is null ? null : bias + (group * Room),
                Inner = _inner,
                Columns = _columns,
                Adds = _adds,
                IsExact = isExact,
            };
            kernels.Multiply(part, x + (group * _inner), _input.Stride, y + (group * _columns), Output.Stride, rows);
        }

        return true;
    }
}

/// <summary>A function of each number.</summary>
internal sealed unsafe class MapStep(MapKind kind, Slot input, Slot output, float a, float b) : DirectStep(output, input)
{
    public override bool CanBeInPlace => true;

    public override bool Run(Kernels kernels, float* memory, int rows)
    {
        kernels.Map(kind, memory + input.Offset, memory + Output.Offset, rows * Output.Stride, a, b);
        return true;
    }
}

/// <summary>A function of two numbers, for each of a row.</summary>
internal sealed unsafe class CombineStep(CombineKind kind, Source a, Source b, Slot output) : DirectStep(output, a.Slot, b.Slot)
{
    public override bool CanBeInPlace => true;

    public override bool Run(Kernels kernels, float* memory, int rows)
    {
        var to = memory + Output.Offset;
        var width = Output.Stride;
        if (a.Slot is not null && b.Slot is not null) kernels.Combine(kind, a.In(memory), 0, b.In(memory), 0, to, 0, 1, rows * width);
        else kernels.Combine(kind, a.In(memory), a.Stride, b.In(memory), b.Stride, to, width, rows, width);
        return true;
    }
}

/// <summary>One of two numbers, as a condition says.</summary>
internal sealed unsafe class SelectStep(Source condition, Source a, Source b, Slot output)
    : DirectStep(output, condition.Slot, a.Slot, b.Slot)
{
    public override bool CanBeInPlace => true;

    public override bool Run(Kernels kernels, float* memory, int rows)
    {
        kernels.Select(
            condition.In(memory), condition.Stride, a.In(memory), a.Stride, b.In(memory), b.Stride, memory + Output.Offset, Output.Stride,
            rows, Output.Stride);
        return true;
    }
}

/// <summary>Softmax, or its logarithm, of each of the groups that a row consists of.</summary>
internal sealed unsafe class SoftmaxStep(Slot input, Slot output, int groups, bool isLog) : DirectStep(output, input)
{
    public override bool Run(Kernels kernels, float* memory, int rows)
    {
        kernels.Softmax(memory + input.Offset, memory + Output.Offset, Output.Stride, rows, groups, Output.Width / groups, isLog);
        return true;
    }
}

/// <summary>The sums or means along an axis of each row, which is seen as [outer, axis, inner].</summary>
internal sealed unsafe class ReduceStep(Slot input, Slot output, int outer, int axis, int inner, bool isMean) : DirectStep(output, input)
{
    public override bool Run(Kernels kernels, float* memory, int rows)
    {
        for (var row = 0; row < rows; row++)
        {
            var from = memory + input.Offset + ((nint)row * input.Stride);
            var to = memory + Output.Offset + ((nint)row * Output.Stride);
            for (var i = 0; i < outer; i++)
            {
                for (var j = 0; j < inner; j++)
                {
                    var sum = from[j];
                    for (var k = 1; k < axis; k++) sum += from[(k * inner) + j];
                    *to++ = isMean ? sum / axis : sum;
                }

                from += axis * inner;
            }
        }

        return true;
    }
}

/// <summary>Columns of slots, put together.</summary>
internal sealed unsafe class CopyStep : DirectStep
{
    private readonly (Slot From, int Start, int To, int Count)[] _runs;

    // Where columns are taken one by one.
    private readonly int[]? _columns;

    /// <param name="columns">For each column of the output where it comes from.</param>
    /// <param name="output">The output.</param>
    public CopyStep((Slot From, int Column)[] columns, Slot output)
        : base(output, [.. columns.Select(column => column.From).Distinct()])
    {
        var runs = new List<(Slot, int, int, int)>();
        for (var i = 0; i < columns.Length;)
        {
            var count = 1;
            while (i + count < columns.Length && columns[i + count] == (columns[i].From, columns[i].Column + count)) count++;
            runs.Add((columns[i].From, columns[i].Column, i, count));
            i += count;
        }

        _runs = [.. runs];
        if (Inputs.Length == 1 && runs.Count > columns.Length / 4) _columns = [.. columns.Select(column => column.Column)];
    }

    public override bool Run(Kernels kernels, float* memory, int rows)
    {
        var to = memory + Output.Offset;
        for (var row = 0; row < rows; row++, to += Output.Stride)
        {
            if (_columns is { } columns)
            {
                var from = memory + Inputs[0]!.Offset + ((nint)row * Inputs[0]!.Stride);
                for (var i = 0; i < columns.Length; i++) to[i] = from[columns[i]];
                continue;
            }

            foreach (var run in _runs)
                Unsafe.CopyBlockUnaligned(
                    to + run.To, memory + run.From.Offset + ((nint)row * run.From.Stride) + run.Start, (uint)run.Count * sizeof(float));
        }

        return true;
    }
}

/// <summary>Whole numbers, with the fraction cut off.</summary>
internal sealed unsafe class WholeStep(Slot input, Slot output) : DirectStep(output, input)
{
    // As float32 they are exact up to here.
    private const float Largest = 1 << 24;

    public override bool Run(Kernels kernels, float* memory, int rows)
    {
        for (var row = 0; row < rows; row++)
        {
            var from = memory + input.Offset + ((nint)row * input.Stride);
            var to = memory + Output.Offset + ((nint)row * Output.Stride);
            for (var i = 0; i < Output.Width; i++)
            {
                if (!(MathF.Abs(from[i]) <= Largest)) return false;
                to[i] = MathF.Truncate(from[i]);
            }
        }

        return true;
    }
}

/// <summary>Rows of a constant table, found by whole numbers.</summary>
internal sealed unsafe class LookupStep(Slot input, AlignedNumbers table, int entries, Slot output) : DirectStep(output, input)
{
    public override bool Run(Kernels kernels, float* memory, int rows)
    {
        var width = Output.Width / input.Width;
        for (var row = 0; row < rows; row++)
        {
            var from = memory + input.Offset + ((nint)row * input.Stride);
            var to = memory + Output.Offset + ((nint)row * Output.Stride);
            for (var i = 0; i < input.Width; i++, to += width)
            {
                // Below 0 they count from the end; others are an error, of which ONNX Runtime has the words.
                var entry = (int)from[i];
                if (entry < 0) entry += entries;
                if ((uint)entry >= (uint)entries) return false;
                Unsafe.CopyBlockUnaligned(to, table.Pointer + ((nint)entry * width), (uint)width * sizeof(float));
            }
        }

        return true;
    }
}
