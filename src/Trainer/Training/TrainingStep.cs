using System.Runtime.InteropServices;
using System.Security.Cryptography;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Devices;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Operators;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>
/// One step of training as one ONNX model: forward, backward, update of parameters and running statistics. Where our own operator updates
/// them, number by number, they are written where they have been read: all that reads them comes before. Otherwise they live in two sets
/// of buffers; a step reads one set and writes the other, then they swap. So nothing is copied and nothing is allocated.
/// </summary>
internal sealed class TrainingStep : IDisposable
{
    internal const string FeaturesInput = "features";
    internal const string TargetsInput = "targets";
    internal const string RowWeightsInput = "rowWeights";
    internal const string LossOutput = "loss";
    private const string AverageSlot = "average";

    private readonly OnnxSession _session;
    private readonly ParameterStore[] _stores;
    private readonly ParameterStore[] _measured;
    private readonly TensorBuffer<float> _ones;
    private readonly TensorBuffer<float> _rowWeights;
    private readonly TensorBuffer<float> _loss;
    private readonly (string Name, Func<StepContext, float> Compute, TensorBuffer<float> Buffer)[] _scalars;
    private readonly Dictionary<int, BoundRun[]> _runs = [];
    private readonly string[] _stateInputs;
    private readonly string[] _stateOutputs;
    private readonly bool _weighted;
    private readonly bool _needsOnes;
    private readonly int _outputs;
    private readonly int _members;
    private readonly int _minimumRows;
    private readonly Communicator? _ranks;
    private readonly (string Mean, string Variance)[] _batchNorms;
    private int _current;

    /// <summary>Builds the model, loads it and sets the parameters to their first values.</summary>
    /// <param name="network">The architecture.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="optimizer">The optimizer.</param>
    /// <param name="statistics">The rule of the running statistics.</param>
    /// <param name="batchSize">The most rows in a mini-batch.</param>
    /// <param name="random">The source of the first weights.</param>
    /// <param name="weighted">Whether rows have weights (<see cref="RowWeights"/>).</param>
    /// <param name="settings">Device and threads; null = the CPU, with as many threads as the network's size is worth.</param>
    /// <param name="maximumGradientNorm">
    /// The largest norm of all gradients together, above 0; longer ones are shortened to it. Null = no limit.
    /// </param>
    /// <param name="weightAveraging">
    /// The share of the averaged weights that stays at each step, from 0 (no averaging) to below 1; see
    /// <see cref="TrainingOptions.WeightAveraging"/>.
    /// </param>
    /// <param name="stepsBefore">The steps that were made before, in a training that is resumed. Default: 0.</param>
    /// <param name="ownOperators">
    /// Whether operators of our own may be used; <see cref="OwnOperators"/> says whether they are: only on the CPU. Default: true.
    /// </param>
    /// <param name="ranks">
    /// The processes that make each step together, with the mean of their gradients; null (the default) = this one alone. They need
    /// <paramref name="ownOperators"/>, and <see cref="RowWeights"/> say what each one's rows are of all.
    /// </param>
    /// <param name="syncStatistics">
    /// Whether batch normalizations take the mini-batches of all ranks together; see <see cref="TrainingOptions.SyncStatistics"/>.
    /// </param>
    /// <param name="keepsBefore">Whether the parameters before a step stay, for <see cref="LastUpdate"/>. Default: no.</param>
    /// <exception cref="ArgumentException">The loss does not take the network's output, or a number is out of its range.</exception>
    /// <exception cref="NotSupportedException">There are ranks, but operators of our own cannot be used.</exception>
    public TrainingStep(
        Network network,
        Loss loss,
        Optimizer optimizer,
        RunningStatistics statistics,
        int batchSize,
        Random random,
        bool weighted = false,
        ExecutionOptions? settings = null,
        float? maximumGradientNorm = null,
        float weightAveraging = 0,
        long stepsBefore = 0,
        bool ownOperators = true,
        Communicator? ranks = null,
        bool syncStatistics = false,
        bool keepsBefore = false)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(statistics);
        ArgumentNullException.ThrowIfNull(random);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        if (maximumGradientNorm is { } norm) TrainingOptions.RequireMaximumGradientNorm(norm);
        loss.RequireOutputs(network.OutputShape.Count);
        if (ranks is { Size: 1 }) ranks = null;
        _weighted = weighted || ranks is not null;
        _outputs = (int)network.OutputShape.Count;
        _members = network.MemberCount;
        _minimumRows = syncStatistics && ranks is { Size: > 1 } ? 1 : network.MinimumBatchRows;
        BatchSize = batchSize;
        Steps = stepsBefore;

        settings ??= new ExecutionOptions { Threads = network.ThreadsFor(batchSize) };
        var operators = ownOperators && DeviceSearch.EndsOnCpu(settings.Device) ? TrainingOperators.Domain : null;
        OwnOperators = operators is not null;
        _ranks = ranks;
        _batchNorms = [.. network.AllSites.Where(site => site.Layer is BatchNormLayer { Frozen: false })
            .Select(site => (site.FullName("mean"), site.FullName("variance")))];
        if (ranks is not null && !OwnOperators)
            throw new NotSupportedException(
                $"Several ranks train together on the CPU, by operators of our own, but here is {settings.Device}"
                + $"{(ownOperators ? string.Empty : " without these operators")}; train on the CPU, or with one process.");
        var groups = ParameterGroup.Of(network.Parameters);
        var (nodes, graph, update) = Emit(ranks, random);

        // What a checkpoint knows of a step does not depend on how many make it.
        Model = Finish(ranks is null ? nodes : Emit(null, new Random(0)).Nodes);

        var run = ranks is null ? Model : Finish(nodes);
        var read = run.Graph.Input.Select(input => input.Name).ToHashSet(StringComparer.Ordinal);
        _session = OnnxSession.Load(run, settings with { Name = "the training step", Operators = operators });
        var store = NewStore(null);
        _stores = [store, update.IsOwn && !keepsBefore ? store : NewStore(update.IsOwn ? store : null)];
        foreach (var parameter in network.Parameters)
            parameter.Initializer.Fill(_stores[0][parameter.Name].Span, parameter.Shape, random);
        if (weightAveraging > 0)
            foreach (var group in update.Groups)
                _stores[0][group.Name].Span.CopyTo(_stores[0][UpdateGraph.SlotName(group, AverageSlot)].Span);
        _stores[0].CopyTo(_stores[1]);
        _measured = weightAveraging > 0 ? Array.ConvertAll(_stores, store => store.Through(groups, AverageSlot)) : _stores;

        Features = _session.CreateBuffer<float>([batchSize, .. network.InputShape.Sizes]);
        Targets = _session.CreateBuffer<float>(batchSize * _members, _outputs);
        _rowWeights = _session.CreateBuffer<float>(batchSize * _members, 1);
        _ones = _session.CreateBuffer<float>(batchSize);
        _loss = _session.CreateBuffer<float>(1);
        _ones.Span.Fill(1);
        _rowWeights.Span.Fill(1);
        _scalars =
        [
            .. graph.HostScalars.Where(scalar => read.Contains(scalar.Name))
                .Select(scalar => (scalar.Name, scalar.Compute, _session.CreateBuffer<float>())),
        ];
        _needsOnes = read.Contains(TrainingGraph.OnesInput);
        _stateInputs = [.. network.Parameters.Select(parameter => parameter.Name).Concat(update.Inputs).Where(read.Contains)];
        _stateOutputs = [.. update.Outputs];

        (GraphBuilder Nodes, TrainingGraph Graph, UpdateGraph Update) Emit(Communicator? among, Random seeds)
        {
            var builder = new GraphBuilder("training step");
            var emitted = new TrainingGraph(
                builder,
                statistics.UnbiasedVariance,
                seeds,
                stepsBefore: stepsBefore,
                ownOperators: OwnOperators,
                ranks: among,
                syncStatistics: syncStatistics);
            EmitForwardAndBackward(emitted, network, loss, weighted || among is not null);
            ParameterGroup[] trained = [.. groups.Where(group => group.Role != ParameterRole.Statistic)];
            var running = groups.FirstOrDefault(group => group.Role == ParameterRole.Statistic);
            var end = new UpdateGraph(emitted, trained, maximumGradientNorm);
            if (OwnOperators && optimizer.Rule(end) is { } rule)
            {
                end.EmitOwn(
                    rule,
                    weightAveraging > 0 ? AverageSlot : null,
                    weightAveraging > 0 ? AverageRate(end, weightAveraging) : rule.Scalars[0],
                    running,
                    running is null ? rule.Scalars[0] : StatisticsRate(end, statistics));
            }
            else
            {
                optimizer.Emit(end);
                if (weightAveraging > 0) EmitAverages(end, weightAveraging);
                if (running is not null) EmitStatistics(end, emitted, running, statistics);
            }

            return (builder, emitted, end);
        }

        ParameterStore NewStore(ParameterStore? other) => new(
            _session, groups, update.Slots.Select(slot => (UpdateGraph.SlotName(slot.Group, slot.Slot), slot.Group.Count)), other);
    }

    /// <summary>The most rows in a mini-batch.</summary>
    public int BatchSize { get; }

    /// <summary>The steps made so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Whether the step is made of operators of our own where there are some, rather than of ONNX Runtime's nodes alone.</summary>
    public bool OwnOperators { get; }

    /// <summary>The device in use.</summary>
    public Device Device => _session.Device;

    /// <summary>The model that is run; where there are ranks, as it would be without.</summary>
    public ModelProto Model { get; }

    /// <summary>The mini-batch's features, <c>[batchSize, …]</c>, to be filled before a step.</summary>
    public TensorBuffer<float> Features { get; }

    /// <summary>
    /// The mini-batch's targets, <c>[batchSize, outputs]</c>, to be filled before a step; with an ensemble those of each member,
    /// <c>[batchSize·members, outputs]</c>.
    /// </summary>
    public TensorBuffer<float> Targets { get; }

    /// <summary>The rows' weights, 1 at first, for each target; only read where the step was made for weights.</summary>
    public Span<float> RowWeights => _rowWeights.Span;

    /// <summary>The parameters after the last step, as they are measured and kept: averaged, where there is averaging.</summary>
    internal ParameterStore Current => _measured[_current];

    /// <summary>Parameters, running statistics and the optimizer's vectors after the last step, copied.</summary>
    internal Dictionary<string, float[]> State() => _stores[_current].ToArrays();

    /// <summary>Sets what <see cref="State"/> gave.</summary>
    internal void Restore(IReadOnlyDictionary<string, float[]> state)
    {
        foreach (var store in _stores) store.Set(state);
    }

    /// <summary>Sets the parameters, so that they can be measured; the optimizer's vectors stay.</summary>
    internal void Set(IReadOnlyDictionary<string, float[]> parameters)
    {
        foreach (var (name, values) in parameters) values.CopyTo(Parameter(name));
    }

    /// <summary>
    /// Joins the running statistics of all ranks, each of which has followed its own mini-batches: the mean of the means, and the mean of
    /// the variances plus the variance of the means (Chan et al. 1979), weighted by the rows of each.
    /// </summary>
    /// <param name="rows">The rows that this rank learns from.</param>
    internal void JoinStatistics(int rows)
    {
        if (_ranks is null || _batchNorms.Length == 0) return;
        var counts = _ranks.Numbers(rows);
        foreach (var (meanName, varianceName) in _batchNorms)
        {
            var means = Parameter(meanName);
            var variances = Parameter(varianceName);
            var allMeans = _ranks.AllGather<float>(means);
            var allVariances = _ranks.AllGather<float>(variances);
            for (var channel = 0; channel < means.Length; channel++)
            {
                double mean = 0, variance = 0;
                for (var rank = 0; rank < counts.Length; rank++) mean += counts[rank] * (double)allMeans[rank][channel];
                mean /= counts.Sum();
                for (var rank = 0; rank < counts.Length; rank++)
                {
                    var distance = allMeans[rank][channel] - mean;
                    variance += counts[rank] * (allVariances[rank][channel] + (distance * distance));
                }

                means[channel] = (float)mean;
                variances[channel] = (float)(variance / counts.Sum());
            }
        }
    }

    /// <summary>Checks that all ranks have the same numbers, bit for bit.</summary>
    /// <exception cref="InvalidOperationException">They have not: the sums of the MPI library are not the same on all ranks.</exception>
    internal void RequireSameOnAllRanks()
    {
        if (_ranks is null) return;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (_, values) in State().OrderBy(vector => vector.Key, StringComparer.Ordinal))
            hash.AppendData(MemoryMarshal.AsBytes(values.AsSpan()));
        var sums = _ranks.AllGather(hash.GetHashAndReset());
        var other = Array.FindIndex(sums, sum => !sum.AsSpan().SequenceEqual(sums[0]));
        if (other >= 0)
            throw new InvalidOperationException(
                $"Rank {other} has other parameters than rank 0 after step {Steps}, although both added up the same gradients: the MPI "
                + "library does not give all ranks the same sums. Another algorithm of it may (with Open MPI "
                + "--mca coll_tuned_use_dynamic_rules 1 --mca coll_tuned_allreduce_algorithm 3).");
    }

    /// <summary>The scalars that the host computes before a step.</summary>
    internal float[] HostScalars(StepContext context) => Array.ConvertAll(_scalars, scalar => scalar.Compute(context));

    /// <summary>A parameter's values after the last step, of <see cref="Current"/>; valid until the next one.</summary>
    /// <param name="name">The full name, as <c>dense1.weight</c>.</param>
    public Span<float> Parameter(string name) => Current[name].Span;

    /// <summary>How far the last step moved a parameter, and how long it was before: Σ(w′−w)² and Σw².</summary>
    internal (double Change, double Length) LastUpdate(string name)
    {
        if (_stores[0] == _stores[1]) throw new InvalidOperationException("What was before the last step has not been kept.");
        var now = _stores[_current][name].Span;
        var before = _stores[1 - _current][name].Span;
        double change = 0, length = 0;
        for (var i = 0; i < now.Length; i++)
        {
            change += ((double)now[i] - before[i]) * ((double)now[i] - before[i]);
            length += (double)before[i] * before[i];
        }

        return (change, length);
    }

    /// <summary>Makes one step on the first <paramref name="rows"/> rows of the buffers.</summary>
    /// <param name="rows">From 1 to <see cref="BatchSize"/>.</param>
    /// <param name="learningRate">The step size.</param>
    /// <returns>The mean loss of the mini-batch, before the step.</returns>
    /// <exception cref="ArgumentException">A batch normalization would get a single value for each channel.</exception>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    public float Run(int rows, float learningRate)
    {
        if (rows >= 1 && rows < _minimumRows)
            throw new ArgumentException(
                $"A mini-batch of {rows} row gives a batch normalization one value for each channel: its output would be beta whatever the "
                + $"input, and nothing could be learned. Give at least {_minimumRows} rows, or use layer or group normalization.",
                nameof(rows));
        if (!_runs.TryGetValue(rows, out var runs))
            _runs.Add(rows, runs = _stores[0] == _stores[1] ? [Bind(rows, 0)] : [Bind(rows, 0), Bind(rows, 1)]);
        var context = new StepContext(++Steps, rows, learningRate);
        foreach (var (_, compute, buffer) in _scalars) buffer.Span[0] = compute(context);
        runs[_current].Run();
        _current = (_current + 1) % runs.Length;
        return _loss.Span[0];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var run in _runs.Values.SelectMany(runs => runs)) run.Dispose();
        _session.Dispose();
        foreach (var store in _stores.Distinct()) store.Dispose();
        foreach (var (_, _, buffer) in _scalars) buffer.Dispose();
        Features.Dispose();
        Targets.Dispose();
        _rowWeights.Dispose();
        _ones.Dispose();
        _loss.Dispose();
    }

    /// <summary>Emits a network with its loss in both directions, and the mean loss as an output.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="network">The network.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="weighted">Whether rows have weights, which are an input then.</param>
    internal static void EmitForwardAndBackward(TrainingGraph graph, Network network, Loss loss, bool weighted)
    {
        var nodes = graph.Nodes;
        var (outputs, members) = (network.OutputShape.Count, network.MemberCount);
        var x = nodes.Input(
            FeaturesInput, DataType.Float, [TensorDimension.Rows, .. network.InputShape.Sizes.Select(size => (TensorDimension)size)]);
        TensorDimension targetRows = members > 1 ? "rowsOfMembers" : TensorDimension.Rows;
        var target = nodes.Input(TargetsInput, DataType.Float, targetRows, outputs);
        var rowWeights = weighted ? nodes.Input(RowWeightsInput, DataType.Float, targetRows, 1) : Value.None;

        // The members of an ensemble learn by themselves: each of their outputs is a row to the loss.
        var (output, backward) = graph.Train(network.SitesOfMembers, x);
        if (graph.OwnOperators && loss.Form is { } form)
        {
            var values = graph.Own(
                LossOperator.Name, [output, target, rowWeights], ["meanLoss", "gradient"], form.Attributes((int)outputs, members));
            nodes.Output(LossOutput, values[0], DataType.Float, 1);
            backward(values[1], false);
            return;
        }

        if (members > 1) output = nodes.Node("Reshape", [output, nodes.Integers(-1, outputs)]);
        var rowLoss = loss.RowLoss(nodes, output, target);
        if (weighted) rowLoss = nodes.Node("Mul", [rowLoss, rowWeights]);
        if (members > 1)
            rowLoss = nodes.ReduceMean(nodes.Node("Reshape", [rowLoss, nodes.Integers(-1, members)]), keepAxes: true, 1);
        nodes.Output(LossOutput, graph.MeanOverRows(rowLoss, "meanLoss"), DataType.Float, 1);

        var gradient = loss.RowGradient(nodes, output, target);
        if (weighted) gradient = nodes.Node("Mul", [gradient, rowWeights]);
        if (members > 1) gradient = nodes.Node("Reshape", [gradient, nodes.Integers(-1, members * outputs)]);
        backward(nodes.Node("Mul", [gradient, graph.InverseRows]), false);
    }

    // ONNX Runtime would run what nobody reads, too: the way back to the rows, through the weights of the first layer that learns.
    private static ModelProto Finish(GraphBuilder nodes)
    {
        var model = nodes.Build();
        ModelEditor.Prune(model);
        return model;
    }

    // 1 − d, but more at first: a tenth of the steps so far are long enough a window, since what weights were long before is far from where
    // they are. The first weights count for nothing.
    private static Value AverageRate(UpdateGraph update, float decay) =>
        update.HostScalar("averageRate", context => Math.Max(1 - decay, 10f / (9 + context.Step)));

    private static Value StatisticsRate(UpdateGraph update, RunningStatistics rule) =>
        update.HostScalar("statisticsRate", context => rule.Rate(context.Step));

    // a ← a + rate·(w − a)
    private static void EmitAverages(UpdateGraph update, float decay)
    {
        var nodes = update.Nodes;
        var rate = AverageRate(update, decay);
        foreach (var group in update.Groups)
        {
            var average = update.Slot(group, AverageSlot);
            var distance = nodes.Node("Sub", [update.NextVector(group), average]);
            update.SetSlot(group, AverageSlot, nodes.Node("Add", [average, nodes.Node("Mul", [distance, rate])]));
        }
    }

    // All running statistics of all layers move in three nodes: r + rate·(b − r).
    private static void EmitStatistics(UpdateGraph update, TrainingGraph graph, ParameterGroup group, RunningStatistics rule)
    {
        var batch = graph.Statistics.ToDictionary(statistic => statistic.Name, statistic => statistic.Value, StringComparer.Ordinal);
        var nodes = update.Nodes;
        var fresh = update.Concatenate([.. group.Parameters.Select(parameter => batch[parameter.Name])]);
        var current = update.CurrentVector(group);
        var distance = nodes.Node("Sub", [fresh, current]);
        update.UpdateVector(group, nodes.Node("Add", [current, nodes.Node("Mul", [distance, StatisticsRate(update, rule)])]));
    }

    private BoundRun Bind(int rows, int from)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, BatchSize);
        var run = _session.CreateBoundRun();
        run.BindInput(FeaturesInput, Features.Rows(rows));
        run.BindInput(TargetsInput, Targets.Rows(rows * _members));
        if (_weighted) run.BindInput(RowWeightsInput, _rowWeights.Rows(rows * _members));
        if (_needsOnes) run.BindInput(TrainingGraph.OnesInput, _ones.Rows(rows));
        foreach (var (name, _, buffer) in _scalars) run.BindInput(name, buffer.Whole);
        foreach (var name in _stateInputs) run.BindInput(name, _stores[from][name]);
        foreach (var name in _stateOutputs) run.BindOutput(UpdateGraph.NextName(name), _stores[1 - from][name]);
        run.BindOutput(LossOutput, _loss.Whole);
        return run;
    }
}
