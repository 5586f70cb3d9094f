using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>
/// A small network that is evaluated here rather than by ONNX Runtime, whose runs of a few microseconds are mostly its own: steps over one
/// piece of scratch memory, in vectorized code. For any number of threads; each brings a <see cref="DirectMemory"/>.
/// </summary>
internal sealed unsafe class DirectNetwork
{
    // The numbers that a block of rows has in between stay in the core's own cache.
    private const int NumbersInBlock = 48 << 10;
    private const int MostRows = 64;

    private readonly DirectStep[] _steps;
    private readonly Slot[] _inputs;
    private readonly Slot[] _outputs;
    private readonly int _memory;

    private DirectNetwork(DirectCompiler compiled, Kernels kernels)
    {
        (_steps, _inputs, _outputs) = ([.. compiled.Steps], [.. compiled.Inputs], [.. compiled.Outputs]);
        (Kernels, Products) = (kernels, compiled.Products);
        Codes = compiled.Codes;
        Points = [.. compiled.Points.Select(points => points.Order().Distinct().ToArray())];
        (RowsInBlock, _memory) = Place(_steps, _inputs, _outputs);
        InputWidths = [.. _inputs.Select(slot => slot.Width)];
        OutputWidths = [.. _outputs.Select(slot => slot.Width)];
    }

    /// <summary>Whose arithmetic.</summary>
    public Kernels Kernels { get; }

    /// <summary>The multiplications of one row, about.</summary>
    public long Products { get; }

    /// <summary>For each number of a row, input by input, where the model does something new: edges of bins, centers.</summary>
    public IReadOnlyList<IReadOnlyList<float>> Points { get; }

    /// <summary>For each number of a row that is an index into a table how many entries that has; 0 for the others.</summary>
    public IReadOnlyList<int> Codes { get; }

    /// <summary>The numbers of a row in each input.</summary>
    public IReadOnlyList<int> InputWidths { get; }

    /// <summary>The numbers of a row in each output.</summary>
    public IReadOnlyList<int> OutputWidths { get; }

    /// <summary>The most rows that go through the steps together.</summary>
    public int RowsInBlock { get; }

    /// <summary>Makes the steps of a model.</summary>
    /// <param name="model">The model; it may be changed, but not what it computes.</param>
    /// <param name="outputs">The outputs to compute.</param>
    /// <param name="refusal">Why there are none: the first node that is not known here, and what of it.</param>
    /// <param name="kernels">Whose arithmetic; null = the best.</param>
    public static DirectNetwork? TryCreate(ModelProto model, IReadOnlyList<string> outputs, out string? refusal, Kernels? kernels = null)
    {
        try
        {
            var compiler = new DirectCompiler(model, outputs);
            refusal = compiler.Run();
            return refusal is null ? new DirectNetwork(compiler, kernels ?? Kernels.Best) : null;
        }
        catch (Exception exception) when (exception
            is InvalidModelException or IndexOutOfRangeException or ArgumentException or OverflowException or NotSupportedException)
        {
            // Sizes or attributes that do not fit together: what becomes of them is ONNX Runtime's to say.
            refusal = exception.Message;
            return null;
        }
    }

    /// <summary>Memory for one call at a time.</summary>
    public DirectMemory CreateMemory() => new(_memory * RowsInBlock);

    /// <summary>Evaluates rows.</summary>
    /// <param name="memory">The call's own.</param>
    /// <param name="rows">The rows, input by input.</param>
    /// <param name="count">Their number.</param>
    /// <param name="results">Room for the results, output by output.</param>
    /// <returns>False where ONNX Runtime has to answer; then the results are to be written again.</returns>
    public bool Run(DirectMemory memory, ReadOnlySpan<float> rows, int count, Span<float> results)
    {
        var inputs = stackalloc float*[_inputs.Length];
        var outputs = stackalloc float*[_outputs.Length];
        fixed (float* row = rows, result = results)
        {
            var next = row;
            for (var i = 0; i < _inputs.Length; i++, next += (nint)count * _inputs[i - 1].Width) inputs[i] = next;
            next = result;
            for (var i = 0; i < _outputs.Length; i++, next += (nint)count * _outputs[i - 1].Width) outputs[i] = next;
            return Run(memory, inputs, outputs, count);
        }
    }

    /// <summary>Evaluates rows, wherever each input and output lies.</summary>
    /// <param name="memory">The call's own.</param>
    /// <param name="inputs">For each input the first of the rows, which lie one behind the other.</param>
    /// <param name="outputs">For each output room for the results.</param>
    /// <param name="rows">The number of rows.</param>
    /// <returns>False where ONNX Runtime has to answer; then the results are to be written again.</returns>
    public bool Run(DirectMemory memory, float** inputs, float** outputs, int rows)
    {
        for (var first = 0; first < rows; first += RowsInBlock)
        {
            var count = Math.Min(RowsInBlock, rows - first);
            for (var i = 0; i < _inputs.Length; i++) Copy(inputs[i], first, memory.Numbers, _inputs[i], count, isInput: true);
            foreach (var step in _steps)
                if (!step.Run(Kernels, memory.Numbers, count)) return false;
            for (var i = 0; i < _outputs.Length; i++) Copy(outputs[i], first, memory.Numbers, _outputs[i], count, isInput: false);
        }

        GC.KeepAlive(memory);
        GC.KeepAlive(this);
        return true;
    }

    private static void Copy(float* outside, int first, float* memory, Slot slot, int rows, bool isInput)
    {
        var (width, stride) = (slot.Width, slot.Stride);
        var there = outside + ((nint)first * width);
        var here = memory + slot.Offset;
        if (width == stride) (width, rows) = (width * rows, 1);
        for (var row = 0; row < rows; row++, there += width, here += stride)
        {
            if (isInput) new ReadOnlySpan<float>(there, width).CopyTo(new Span<float>(here, width));
            else new ReadOnlySpan<float>(here, width).CopyTo(new Span<float>(there, width));
        }
    }

    // What is read for the last time makes room for what is written next.
    private static (int Rows, int Numbers) Place(DirectStep[] steps, Slot[] inputs, Slot[] outputs)
    {
        var lastUse = new Dictionary<Slot, int>();
        for (var i = 0; i < steps.Length; i++)
            foreach (var slot in steps[i].Inputs.Append(steps[i].Output))
                if (slot is not null) lastUse[slot] = i;
        foreach (var output in outputs) lastUse[output] = steps.Length;
        var (starts, free, total) = (new Dictionary<Slot, int>(), new List<(int Start, int Size)>(), 0);
        foreach (var input in inputs) Take(input);
        for (var i = 0; i < steps.Length; i++)
        {
            var (step, due) = (steps[i], i);
            var ending = step.Inputs.OfType<Slot>().Distinct().Where(slot => lastUse[slot] == due && slot != step.Output).ToList();
            if (!starts.ContainsKey(step.Output))
            {
                if (step.CanBeInPlace && ending.FirstOrDefault(slot => slot.Stride == step.Output.Stride) is { } same)
                {
                    starts.Add(step.Output, starts[same]);
                    ending.Remove(same);
                }
                else
                {
                    Take(step.Output);
                }
            }

            foreach (var slot in ending) free.Add((starts[slot], slot.Stride));
        }

        var rows = Math.Clamp(NumbersInBlock / Math.Max(total, 1) / 4 * 4, 4, MostRows);
        foreach (var (slot, start) in starts) slot.Offset = start * rows;
        return (rows, total);

        void Take(Slot slot)
        {
            var found = free.FindIndex(place => place.Size == slot.Stride);
            if (found >= 0)
            {
                starts.Add(slot, free[found].Start);
                free.RemoveAt(found);
                return;
            }

            starts.Add(slot, total);
            total += slot.Stride;
        }
    }
}

/// <summary>What one call at a time has in between.</summary>
/// <param name="numbers">How many numbers.</param>
internal sealed unsafe class DirectMemory(int numbers)
{
    private readonly AlignedNumbers _numbers = new(numbers);

    public float* Numbers => _numbers.Pointer;
}
