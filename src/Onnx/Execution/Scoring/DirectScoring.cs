using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using MlNetBatchNorm.Onnx.Execution.Direct;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Execution.Sharing;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// A model that this library evaluates itself: it has proved to give ONNX Runtime's answers, and for the numbers of rows that it
/// <see cref="Takes"/> it was found to be quicker.
/// </summary>
internal sealed class DirectScoring
{
    // About what a core's own cache holds of weights; a larger network is not made of ONNX Runtime's own time.
    private const long MostProducts = 1 << 18;
    private const long LargestModel = 1 << 24;

    // Up to which it is, for batches too, about as quick as ONNX Runtime, whatever the processor.
    private const long MostReproducibleProducts = 1 << 16;

    // It has to take a tenth off.
    private const double WorthIt = 0.9;
    private const int Rounds = 5;
    private static readonly int[] Measured = [1, 4, 16, 64, 256];

    // Of what is measured at once, single rows excepted: what holds for a few long rows holds for more.
    private const long MostNumbers = 1 << 22;
    private static readonly TimeSpan Round = TimeSpan.FromMicroseconds(60);
    private static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(15);

    // A bit for each doubling of the rows.
    private readonly uint _sizes;

    private DirectScoring(DirectNetwork network, RunPlan plan, uint sizes)
    {
        (Network, Plan, _sizes) = (network, plan, sizes);
        TakesOne = Takes(1);
    }

    /// <summary>The network.</summary>
    public DirectNetwork Network { get; }

    /// <summary>How the cores share its rows.</summary>
    public RunPlan Plan { get; }

    /// <summary>Whether single rows are evaluated here.</summary>
    public bool TakesOne { get; }

    /// <summary>Whether so many rows are evaluated here.</summary>
    public bool Takes(int rows) => (_sizes >> BitOperations.Log2((uint)rows) & 1) != 0;

    /// <summary>Prepares a model to be evaluated here, as far as that is wanted and possible.</summary>
    /// <param name="model">The model in ONNX Runtime.</param>
    /// <param name="source">Where it is read again.</param>
    /// <param name="engine">What is wanted.</param>
    /// <param name="run">How it is run.</param>
    /// <returns>What evaluates it, or null; and a clause that says what is evaluated where, or why all is ONNX Runtime's.</returns>
    /// <exception cref="InvalidModelException">It was demanded, and is not possible; the message says why.</exception>
    public static (DirectScoring? Scoring, string Report) Prepare(
        RowModel model, ReloadableModel source, ScoringEngine engine, ExecutionOptions run)
    {
        if (engine == ScoringEngine.OnnxRuntime) return (null, "ONNX Runtime, as was asked for");
        var (scoring, reason) = Try(model, source, engine, run);
        if (scoring is not null) return (scoring, reason);
        if (engine == ScoringEngine.Direct)
            throw new InvalidModelException(
                $"The model cannot be evaluated without ONNX Runtime: {reason}. Choose ScoringEngine.Auto or OnnxRuntime.");
        return (null, $"ONNX Runtime: {reason}");
    }

    /// <summary>What runs rows; for one thread at a time.</summary>
    public DirectRuns CreateRuns() => new(this);

    private static (DirectScoring? Scoring, string Report) Try(
        RowModel model, ReloadableModel source, ScoringEngine engine, ExecutionOptions run)
    {
        var isForced = engine == ScoringEngine.Direct;
        if (model.Device.Kind != DeviceKind.Cpu) return (null, $"it runs on {model.Device}");
        if (model.FixedRows is { } rows) return (null, $"it takes {rows} row(s) at a time");
        if (!model.Layout.IsOfNumbers) return (null, "its inputs and outputs are not all float32 with the rows in front");
        if (!isForced && run.Optimization != GraphOptimization.All) return (null, "ONNX Runtime's optimizations are switched off");
        ModelProto? proto;
        try
        {
            proto = source.Read(isForced ? long.MaxValue : LargestModel);
        }
        catch (Exception exception) when (exception is InvalidModelException or IOException or UnauthorizedAccessException)
        {
            return (null, $"it cannot be read a second time: {exception.Message}");
        }

        if (proto is null) return (null, $"it is larger than {LargestModel >> 20} MiB");
        var network = DirectNetwork.TryCreate(proto, [.. model.Outputs.Select(output => output.Name)], out var refusal);
        if (network is null) return (null, refusal!);
        var mostProducts = engine == ScoringEngine.Reproducible ? MostReproducibleProducts : MostProducts;
        if (!isForced && network.Products > mostProducts)
            return (null, string.Create(CultureInfo.InvariantCulture, $"a row takes {network.Products:N0} multiplications"));
        try
        {
            if (DirectProof.Refute(network, model) is { } difference) return (null, difference);
        }
        catch (ModelRunException exception)
        {
            return (null, $"generated rows have no answer: {exception.Message}");
        }

        var pace = new RowPace();
        var plan = RunPlan.For(threads: 1, onCpu: true, free: run.Threads is null, twice: false, pace);
        if (engine == ScoringEngine.Reproducible) return (new DirectScoring(network, plan, uint.MaxValue), "this library");
        var (sizes, report) = Compare(network, model, pace);
        return isForced ? (new DirectScoring(network, plan, uint.MaxValue), "this library")
            : sizes != 0 ? (new DirectScoring(network, plan, sizes), report)
            : (null, "it was found to be as quick");
    }

    // Both ways in turn; what disturbs a run only ever makes it slower, so the best counts.
    private static (uint Sizes, string Report) Compare(DirectNetwork network, RowModel model, RowPace pace)
    {
        var (sizes, wins, total) = (0u, new List<int>(), Stopwatch.StartNew());
        var memory = network.CreateMemory();
        var numbers = (long)model.Layout.RowLength + model.Layout.ResultLength;
        int[] measured = [.. Measured.Where(count => count == 1 || count * numbers <= MostNumbers)];
        for (var i = 0; i < measured.Length; i++)
        {
            var count = measured[i];
            var (rows, results) = (new float[count * model.Layout.RowLength], new float[count * model.Layout.ResultLength]);
            using var block = new NumberBlock(model.Session, null, model.Layout, count);
            var (here, there) = (TimeSpan.MaxValue, TimeSpan.MaxValue);
            var copied = new Action(() =>
            {
                block.Fill(rows, count, 0, count);
                block.Run(count);
                block.Take(results, count, 0, count);
            });
            var direct = new Action(() => network.Run(memory, rows, count, results));
            for (var round = 0; round < Rounds && (round < 2 || total.Elapsed < Budget); round++)
            {
                here = Least(here, Time(direct));
                there = Least(there, Time(copied));
            }

            pace.Report(count, here, isBest: true);
            var isQuicker = here < WorthIt * there;
            if (isQuicker) wins.Add(count);
            var next = i + 1 < measured.Length ? measured[i + 1] : 1 << 31;
            for (var size = BitOperations.Log2((uint)count); isQuicker && size < 32 && 1u << size < (uint)next; size++) sizes |= 1u << size;
        }

        var report = wins.Count == measured.Length ? "this library"
            : $"this library for about {string.Join(", ", wins)} rows at a time, ONNX Runtime for other numbers";
        return (sizes, report);
    }

    private static TimeSpan Time(Action action)
    {
        action();
        var start = Stopwatch.GetTimestamp();
        var calls = 0;
        TimeSpan elapsed;
        do
        {
            action();
            calls++;
            elapsed = Stopwatch.GetElapsedTime(start);
        }
        while (elapsed < Round && calls < 64);
        return elapsed / calls;
    }

    private static TimeSpan Least(TimeSpan first, TimeSpan second) => first < second ? first : second;
}

/// <summary>Rows of a call that are evaluated here, by the caller's thread or together with others. One call at a time.</summary>
/// <param name="scoring">The network.</param>
internal sealed unsafe class DirectRuns(DirectScoring scoring) : RowDivision(scoring.Plan.Workers(own: true))
{
    // Fewer are not worth a call of a thread, and for a multiple of 4 the kernels are filled.
    private const int FewestRows = 16;

    private readonly DirectNetwork _network = scoring.Network;
    private readonly RunDecision _decision = new();
    private readonly DirectMemory?[] _memory = new DirectMemory?[scoring.Plan.Workers(own: true)];
    private readonly nint[] _inputs = new nint[scoring.Network.InputWidths.Count];
    private readonly nint[] _outputs = new nint[scoring.Network.OutputWidths.Count];
    private int _chunk;
    private volatile bool _isUnanswered;

    /// <summary>Evaluates rows that lie input by input, into results that lie output by output.</summary>
    /// <returns>False where ONNX Runtime is to do it.</returns>
    public bool TryRun(ReadOnlySpan<float> rows, int count, Span<float> results)
    {
        if (!scoring.Takes(count) || (count > _network.RowsInBlock && rows.Overlaps(results))) return false;
        fixed (float* row = rows, result = results)
        {
            var next = (nint)row;
            for (var i = 0; i < _inputs.Length; i++)
            {
                _inputs[i] = next;
                next += (nint)count * _network.InputWidths[i] * sizeof(float);
            }

            next = (nint)result;
            for (var i = 0; i < _outputs.Length; i++)
            {
                _outputs[i] = next;
                next += (nint)count * _network.OutputWidths[i] * sizeof(float);
            }

            return Run(count);
        }
    }

    /// <summary>Evaluates rows in buffers.</summary>
    /// <returns>False where ONNX Runtime is to do it.</returns>
    public bool TryRun(RowBlock block, int count)
    {
        if (!scoring.Takes(count)) return false;
        for (var i = 0; i < _inputs.Length; i++) _inputs[i] = Address(block.Input<float>(i).Span);
        for (var i = 0; i < _outputs.Length; i++) _outputs[i] = Address(block.Output<float>(i).Span);
        var isAnswered = Run(count);
        GC.KeepAlive(block);
        return isAnswered;

        // Not on the heap: it stays where it is.
        static nint Address(Span<float> buffer)
        {
            fixed (float* first = buffer) return (nint)first;
        }
    }

    /// <inheritdoc/>
    protected override void RunPart(int part, int rows, int worker)
    {
        var first = part * _chunk;
        var inputs = stackalloc float*[_inputs.Length];
        var outputs = stackalloc float*[_outputs.Length];
        for (var i = 0; i < _inputs.Length; i++) inputs[i] = (float*)_inputs[i] + ((nint)first * _network.InputWidths[i]);
        for (var i = 0; i < _outputs.Length; i++) outputs[i] = (float*)_outputs[i] + ((nint)first * _network.OutputWidths[i]);
        if (!_network.Run(_memory[worker] ??= _network.CreateMemory(), inputs, outputs, rows)) _isUnanswered = true;
    }

    private bool Run(int count)
    {
        _isUnanswered = false;
        if (count < FewestRows)
        {
            _chunk = count;
            RunPart(0, count, 0);
            return !_isUnanswered;
        }

        scoring.Plan.Decide(count, count, canBeCut: true, _decision);

        // Two parts for each thread, so that one that comes late leaves less to wait for.
        _chunk = _decision.Sharing == 1 ? count : Math.Max((count / (2 * _decision.Sharing)) + 3 & ~3, FewestRows);
        RunAll(count, _chunk, _decision);
        scoring.Plan.Report(_decision);
        return !_isUnanswered;
    }
}
