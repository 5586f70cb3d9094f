using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>
/// Measures a network at the end of an epoch: its inference pass with its loss, on the very buffers that training writes (no export, no
/// copy of parameters). Either on rows held out, or on the rows that an ensemble learns from, each by the one member that does not learn
/// from it; the graph is then that of a single member, whose parameters it takes out of those of all, so a pass costs one member.
/// </summary>
internal sealed class EvaluationStep : IDisposable
{
    private const int MostRows = 1024;
    private const string MemberInput = "member";
    private const string OutputOutput = "output";
    private const string PredictionOutput = "prediction";
    private const string RowLossOutput = "rowLoss";

    private readonly OnnxSession _session;
    private readonly TrainingData _rows;
    private readonly TrainingData _learned;
    private readonly LearnedTargets _targets;
    private readonly Loss _loss;
    private readonly bool _calibrates;
    private readonly int[][]? _folds;
    private readonly FeatureRows _ordered;
    private readonly string[] _parameters;
    private readonly TensorBuffer<float> _features;
    private readonly TensorBuffer<float> _targetBuffer;
    private readonly TensorBuffer<long>? _member;
    private readonly TensorBuffer<float> _outputs;
    private readonly TensorBuffer<float> _predictions;
    private readonly TensorBuffer<float> _rowLosses;
    private readonly Dictionary<(ParameterStore Store, int Rows), BoundRun> _runs = [];
    private readonly float[] _allOutputs;
    private readonly float[] _allPredictions;
    private readonly int _batchSize;
    private readonly Communicator? _ranks;
    private readonly TrainingData _answers;

    /// <param name="network">The architecture; with folds it ends with the ensemble.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="rows">The rows as they go into the first layer, with their targets in their own unit.</param>
    /// <param name="targets">What the network learns of the targets.</param>
    /// <param name="folds">Which member measures each row; null = the whole network measures all.</param>
    /// <param name="calibrate">Whether, with folds, logits are divided by the best temperature.</param>
    /// <param name="settings">Device and threads.</param>
    /// <param name="ranks">The ranks whose rows are measured together; null = there is but this one.</param>
    public EvaluationStep(
        Network network,
        Loss loss,
        TrainingData rows,
        LearnedTargets targets,
        Folds? folds,
        bool calibrate,
        ExecutionOptions settings,
        Communicator? ranks = null)
    {
        _ranks = ranks;
        _answers = ranks is null ? rows : new SharedRows(ranks, rows).Targets();
        (_rows, _learned, _targets, _loss) = (rows, targets.Apply(rows), targets, loss);
        _calibrates = calibrate && folds is not null && loss.HasTemperature;
        _folds = folds?.RowsOf;
        _ordered = (_folds is null ? rows.FeatureRows : rows.FeatureRows.Select([.. _folds.SelectMany(fold => fold)])).Arranged();
        _parameters = [.. network.Parameters.Select(parameter => parameter.Name)];
        _session = OnnxSession.Load(
            Build(network, folds is null ? null : network.Ensemble!, loss, rows.Outputs),
            settings with { Name = folds is null ? "the evaluation step" : "the out-of-fold step" });
        var batch = _batchSize = Math.Min(
            FeatureRows.RowsAtOnce(MostRows, network.InputShape.Count), _folds?.Max(fold => fold.Length) ?? rows.Count);
        _features = _session.CreateBuffer<float>([batch, .. network.InputShape.Sizes]);
        _targetBuffer = _session.CreateBuffer<float>(batch, rows.Outputs);
        _member = _folds is null ? null : _session.CreateBuffer<long>(1);
        _outputs = _session.CreateBuffer<float>(batch, rows.Outputs);
        _predictions = _session.CreateBuffer<float>(batch, rows.Outputs);
        _rowLosses = _session.CreateBuffer<float>(batch, 1);
        _allOutputs = new float[_calibrates ? rows.TargetArray.Length : 0];
        _allPredictions = new float[rows.TargetArray.Length];
    }

    /// <summary>The temperature of the last run; 1 where none is looked for.</summary>
    public double Temperature { get; private set; } = 1;

    /// <summary>The targets, in their own unit, and weights of the rows of all ranks.</summary>
    public TrainingData Answers => _answers;

    /// <summary>What the last run predicted, <c>[N, K]</c> in the order of the rows and in the targets' unit.</summary>
    public ReadOnlySpan<float> Predictions => _allPredictions;

    /// <summary>Measures the network with some parameters.</summary>
    public EpochMetrics Run(ParameterStore parameters)
    {
        var sum = default(WeightedSum);
        if (_folds is null) RunInOrder(parameters, ref sum);
        else RunByFold(parameters, _folds, ref sum);
        var loss = sum.MeanOver(_ranks);
        if (_calibrates && double.IsFinite(loss))
        {
            (Temperature, loss) = Learning.Temperature.Fit(OfAll(_allOutputs), _answers);
            _allOutputs.CopyTo(_allPredictions, 0);
            Learning.Temperature.ToProbabilities(_allPredictions, _rows.Outputs, Temperature);
        }

        _targets.Restore(_allPredictions);
        return Measured(_allPredictions, loss);
    }

    /// <summary>The figures of predictions in the targets' unit.</summary>
    public EpochMetrics Measured(float[] predictions, double loss) =>
        new(loss, _loss.Measure(OfAll(predictions), _answers)) { IsOutOfFold = _folds is not null };

    /// <summary>Predictions, or outputs, for the rows of all ranks.</summary>
    public float[] OfAll(float[] values) => _ranks is null ? values : [.. _ranks.AllGather<float>(values).SelectMany(part => part)];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var run in _runs.Values) run.Dispose();
        _session.Dispose();
        _features.Dispose();
        _targetBuffer.Dispose();
        _member?.Dispose();
        _outputs.Dispose();
        _predictions.Dispose();
        _rowLosses.Dispose();
    }

    private static Onnx.Proto.ModelProto Build(Network network, MembersLayer? ensemble, Loss loss, int outputs)
    {
        var nodes = new GraphBuilder("evaluation step");
        var x = nodes.Input(
            TrainingStep.FeaturesInput, DataType.Float,
            [TensorDimension.Rows, .. network.InputShape.Sizes.Select(size => (TensorDimension)size)]);
        var target = nodes.Input(TrainingStep.TargetsInput, DataType.Float, TensorDimension.Rows, outputs);
        var output = ensemble is null ? Whole() : Member(ensemble);
        nodes.Output(RowLossOutput, loss.RowLoss(nodes, output, target), DataType.Float, TensorDimension.Rows, 1);
        var prediction = loss.Prediction(nodes, output);
        nodes.Output(OutputOutput, output, DataType.Float, TensorDimension.Rows, outputs);
        nodes.Output(PredictionOutput, prediction, DataType.Float, TensorDimension.Rows, outputs);
        return nodes.Build();

        Value Input(Parameter parameter) =>
            nodes.Input(parameter.Name, DataType.Float, [.. parameter.Shape.Select(size => (TensorDimension)size)]);

        Value Whole() => new InferenceGraph(nodes, Input).Infer(network.Sites, x);

        Value Member(MembersLayer layer)
        {
            var member = nodes.Input(MemberInput, DataType.Int64, 1);
            var whole = network.Parameters.ToDictionary(parameter => parameter.Name, StringComparer.Ordinal);
            var graph = new InferenceGraph(nodes, parameter =>
            {
                var all = whole[parameter.Name];
                return all.Count == parameter.Count ? Input(all) : PartOf(nodes, Input(all), all, parameter, layer.Count, member);
            });
            return graph.Infer(layer.MemberSites(network.Sites[^1]), graph.Infer([.. network.Sites.SkipLast(1)], x));
        }
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

    private void RunInOrder(ParameterStore parameters, ref WeightedSum sum)
    {
        var outputs = _rows.Outputs;
        for (var first = 0; first < _rows.Count; first += _batchSize)
        {
            var count = Math.Min(_batchSize, _rows.Count - first);
            _ordered.CopyTo(first, count, _features.Span);
            _learned.TargetArray.AsSpan(first * outputs, count * outputs).CopyTo(_targetBuffer.Span);
            Bound(parameters, count).Run();
            _predictions.Span[..(count * outputs)].CopyTo(_allPredictions.AsSpan(first * outputs));
            for (var i = 0; i < count; i++) sum.Add(_rowLosses.Span[i], _rows.WeightArray?[first + i] ?? 1);
        }
    }

    private void RunByFold(ParameterStore parameters, int[][] folds, ref WeightedSum sum)
    {
        var (outputs, place) = (_rows.Outputs, 0);
        for (var fold = 0; fold < folds.Length; fold++)
        {
            _member!.Span[0] = fold;
            for (var first = 0; first < folds[fold].Length; first += _batchSize)
            {
                var rows = folds[fold].AsSpan(first, Math.Min(_batchSize, folds[fold].Length - first));
                _ordered.CopyTo(place, rows.Length, _features.Span);
                place += rows.Length;
                for (var i = 0; i < rows.Length; i++) _learned.Target(rows[i]).CopyTo(_targetBuffer.Span[(i * outputs)..]);
                Bound(parameters, rows.Length).Run();
                for (var i = 0; i < rows.Length; i++)
                {
                    if (_calibrates) _outputs.Span.Slice(i * outputs, outputs).CopyTo(_allOutputs.AsSpan(rows[i] * outputs));
                    _predictions.Span.Slice(i * outputs, outputs).CopyTo(_allPredictions.AsSpan(rows[i] * outputs));
                    sum.Add(_rowLosses.Span[i], _rows.WeightArray?[rows[i]] ?? 1);
                }
            }
        }
    }

    private BoundRun Bound(ParameterStore parameters, int rows)
    {
        if (_runs.TryGetValue((parameters, rows), out var run)) return run;
        run = _session.CreateBoundRun();
        run.BindInput(TrainingStep.FeaturesInput, _features.Rows(rows));
        run.BindInput(TrainingStep.TargetsInput, _targetBuffer.Rows(rows));
        if (_member is not null) run.BindInput(MemberInput, _member.Whole);
        foreach (var name in _parameters) run.BindInput(name, parameters[name]);
        run.BindOutput(OutputOutput, _outputs.Rows(rows));
        run.BindOutput(PredictionOutput, _predictions.Rows(rows));
        run.BindOutput(RowLossOutput, _rowLosses.Rows(rows));
        _runs.Add((parameters, rows), run);
        return run;
    }

    private struct WeightedSum
    {
        private double _loss;
        private double _weight;

        public readonly double MeanOver(Communicator? ranks)
        {
            var (loss, weight) = ranks?.Sum([_loss, _weight]) is [var all, var sum] ? (all, sum) : (_loss, _weight);
            return weight > 0 ? loss / weight : double.NaN;
        }

        public void Add(float loss, double weight)
        {
            _loss += weight * loss;
            _weight += weight;
        }
    }
}
