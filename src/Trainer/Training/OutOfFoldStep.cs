using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Graphs;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>
/// Measures an ensemble on its own training rows: each row by the one member that does not learn from it. A pass costs what one member
/// costs, since the graph is that of a single member, whose parameters it takes out of those of all.
/// </summary>
internal sealed class OutOfFoldStep : IEpochEvaluation
{
    private const int MostRows = 1024;
    private const string MemberInput = "member";
    private const string OutputOutput = "output";
    private const string PredictionOutput = "prediction";
    private const string RowLossOutput = "rowLoss";

    private readonly OnnxSession _session;
    private readonly TrainingData _rows;
    private readonly TrainingData _learned;
    private readonly TargetMap? _map;
    private readonly TargetStandardization? _targets;
    private readonly Loss _loss;
    private readonly bool _calibrates;
    private readonly int[][] _folds;
    private readonly FeatureRows _foldByFold;
    private readonly string[] _parameters;
    private readonly TensorBuffer<float> _features;
    private readonly TensorBuffer<float> _targetBuffer;
    private readonly TensorBuffer<long> _member;
    private readonly TensorBuffer<float> _outputs;
    private readonly TensorBuffer<float> _predictions;
    private readonly TensorBuffer<float> _rowLosses;
    private readonly Dictionary<(ParameterStore Store, int Rows), BoundRun> _runs = [];
    private readonly float[] _allOutputs;
    private readonly float[] _allPredictions;
    private readonly int _batchSize;

    /// <param name="network">The architecture, which ends with the ensemble.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="rows">The training rows as they go into the first layer, with their targets in their own unit.</param>
    /// <param name="folds">The fold of each row.</param>
    /// <param name="map">The way back from what is learned to targets; null = it is the same.</param>
    /// <param name="targets">The standardization of what is learned; null = none.</param>
    /// <param name="calibrate">Whether logits are divided by the best temperature.</param>
    /// <param name="settings">Device and threads.</param>
    public OutOfFoldStep(
        Network network,
        Loss loss,
        TrainingData rows,
        Folds folds,
        TargetMap? map,
        TargetStandardization? targets,
        bool calibrate,
        ExecutionOptions settings)
    {
        (_rows, _loss, _map, _targets, _calibrates) = (rows, loss, map, targets, calibrate && loss.HasTemperature);
        var learned = map?.Apply(rows) ?? rows;
        _learned = targets?.Apply(learned) ?? learned;
        _folds = folds.RowsOf;
        _foldByFold = rows.FeatureRows.Select([.. _folds.SelectMany(fold => fold)]).Arranged();
        var ensemble = network.Ensemble!;
        _parameters = [.. network.Parameters.Select(parameter => parameter.Name)];
        _session = OnnxSession.Load(Build(network, ensemble, loss, rows.Outputs), settings with { Name = "the out-of-fold step" });
        var batch = _batchSize = Math.Min(FeatureRows.RowsAtOnce(MostRows, network.InputShape.Count), _folds.Max(fold => fold.Length));
        _features = _session.CreateBuffer<float>([batch, .. network.InputShape.Sizes]);
        _targetBuffer = _session.CreateBuffer<float>(batch, rows.Outputs);
        _member = _session.CreateBuffer<long>(1);
        _outputs = _session.CreateBuffer<float>(batch, rows.Outputs);
        _predictions = _session.CreateBuffer<float>(batch, rows.Outputs);
        _rowLosses = _session.CreateBuffer<float>(batch, 1);
        _allOutputs = new float[rows.TargetArray.Length];
        _allPredictions = new float[rows.TargetArray.Length];
    }

    /// <summary>The temperature of the last run; 1 where none is looked for.</summary>
    public double Temperature { get; private set; } = 1;

    /// <summary>What the last run predicted, <c>[N, K]</c> in the order of the rows.</summary>
    public ReadOnlySpan<float> Predictions => _allPredictions;

    /// <inheritdoc/>
    public EpochMetrics Run(ParameterStore parameters)
    {
        double loss = 0, weight = 0;
        var (outputs, place) = (_rows.Outputs, 0);
        for (var fold = 0; fold < _folds.Length; fold++)
        {
            _member.Span[0] = fold;
            for (var first = 0; first < _folds[fold].Length; first += _batchSize)
            {
                var rows = _folds[fold].AsSpan(first, Math.Min(_batchSize, _folds[fold].Length - first));
                _foldByFold.CopyTo(place, rows.Length, _features.Span);
                place += rows.Length;
                for (var i = 0; i < rows.Length; i++) _learned.Target(rows[i]).CopyTo(_targetBuffer.Span[(i * outputs)..]);

                Bound(parameters, rows.Length).Run();
                for (var i = 0; i < rows.Length; i++)
                {
                    _outputs.Span.Slice(i * outputs, outputs).CopyTo(_allOutputs.AsSpan(rows[i] * outputs));
                    _predictions.Span.Slice(i * outputs, outputs).CopyTo(_allPredictions.AsSpan(rows[i] * outputs));
                    var rowWeight = _rows.WeightArray is null ? 1.0 : _rows.WeightArray[rows[i]];
                    loss += rowWeight * _rowLosses.Span[i];
                    weight += rowWeight;
                }
            }
        }

        loss = weight > 0 ? loss / weight : double.NaN;
        if (_calibrates && double.IsFinite(loss))
        {
            (Temperature, loss) = Learning.Temperature.Fit(_allOutputs, _rows);
            _allOutputs.CopyTo(_allPredictions, 0);
            Learning.Temperature.ToProbabilities(_allPredictions, outputs, Temperature);
        }

        _targets?.Restore(_allPredictions);
        _map?.Restore(_allPredictions);
        return new EpochMetrics(loss, _loss.Measure(_allPredictions, _rows)) { IsOutOfFold = true };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var run in _runs.Values) run.Dispose();
        _session.Dispose();
        _features.Dispose();
        _targetBuffer.Dispose();
        _member.Dispose();
        _outputs.Dispose();
        _predictions.Dispose();
        _rowLosses.Dispose();
    }

    private static Onnx.Proto.ModelProto Build(Network network, Layers.MembersLayer ensemble, Loss loss, int outputs)
    {
        var nodes = new GraphBuilder("out-of-fold step");
        var x = nodes.Input(
            TrainingStep.FeaturesInput, DataType.Float,
            [TensorDimension.Rows, .. network.InputShape.Sizes.Select(size => (TensorDimension)size)]);
        var target = nodes.Input(TrainingStep.TargetsInput, DataType.Float, TensorDimension.Rows, outputs);
        var member = nodes.Input(MemberInput, DataType.Int64, 1);
        var whole = network.Parameters.ToDictionary(parameter => parameter.Name, StringComparer.Ordinal);
        var graph = new InferenceGraph(nodes, parameter =>
        {
            var all = whole[parameter.Name];
            var value = nodes.Input(parameter.Name, DataType.Float, [.. all.Shape.Select(size => (TensorDimension)size)]);
            return all.Count == parameter.Count ? value : PartOf(nodes, value, all, parameter, ensemble.Count, member);
        });
        var before = graph.Infer([.. network.Sites.SkipLast(1)], x);
        var output = graph.Infer(ensemble.MemberSites(network.Sites[^1]), before);
        nodes.Output(RowLossOutput, loss.RowLoss(nodes, output, target), DataType.Float, TensorDimension.Rows, 1);
        var prediction = loss.Prediction(nodes, output);
        nodes.Output(OutputOutput, output, DataType.Float, TensorDimension.Rows, outputs);
        nodes.Output(PredictionOutput, prediction, DataType.Float, TensorDimension.Rows, outputs);
        return nodes.Build();
    }

    // The members' parameters stand side by side along one axis: the one that is longer, or one more in front.
    private static Value PartOf(GraphBuilder nodes, Value value, Parameter all, Parameter one, int members, Value member)
    {
        var axis = 0;
        while (all.Shape.Count == one.Shape.Count && all.Shape[axis] == one.Shape[axis]) axis++;
        long[] split = [.. all.Shape.Take(axis), members, .. one.Shape.Skip(axis)];
        var parts = nodes.Node("Reshape", [value, nodes.Integers(split)]);
        return nodes.Node("Reshape", [nodes.Node("Gather", [parts, member], ("axis", axis)), nodes.Integers([.. one.Shape])]);
    }

    private BoundRun Bound(ParameterStore parameters, int rows)
    {
        if (_runs.TryGetValue((parameters, rows), out var run)) return run;
        run = _session.CreateBoundRun();
        run.BindInput(TrainingStep.FeaturesInput, _features.Rows(rows));
        run.BindInput(TrainingStep.TargetsInput, _targetBuffer.Rows(rows));
        run.BindInput(MemberInput, _member.Whole);
        foreach (var name in _parameters) run.BindInput(name, parameters[name]);
        run.BindOutput(OutputOutput, _outputs.Rows(rows));
        run.BindOutput(PredictionOutput, _predictions.Rows(rows));
        run.BindOutput(RowLossOutput, _rowLosses.Rows(rows));
        _runs.Add((parameters, rows), run);
        return run;
    }
}

/// <summary>
/// The rows divided among the members of an ensemble: member i does not learn from fold i. Each class is divided evenly.
/// </summary>
internal sealed class Folds
{
    private Folds(int[] of, int count)
    {
        Of = of;
        RowsOf = [.. Enumerable.Range(0, count).Select(fold => Enumerable.Range(0, of.Length).Where(row => of[row] == fold).ToArray())];
    }

    /// <summary>The fold of each row, from 0.</summary>
    public int[] Of { get; }

    /// <summary>The rows of each fold, ascending.</summary>
    public int[][] RowsOf { get; }

    /// <summary>Deals out the rows.</summary>
    /// <param name="classes">For each row the number of its class; all 0 where there are none.</param>
    /// <param name="count">The number of folds.</param>
    /// <param name="random">Which row comes where.</param>
    public static Folds Draw(ReadOnlySpan<int> classes, int count, Random random)
    {
        var order = new int[classes.Length];
        for (var row = 0; row < order.Length; row++) order[row] = row;
        random.Shuffle(order);
        var keys = new int[order.Length];
        for (var i = 0; i < keys.Length; i++) keys[i] = classes[order[i]];
        var fold = new int[order.Length];
        var next = 0;

        // One class after the other, so that each is as even as all of them together.
        foreach (var i in Enumerable.Range(0, order.Length).OrderBy(i => keys[i])) fold[order[i]] = next++ % count;
        return new Folds(fold, count);
    }
}
