using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Graphs;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>Measures a network at the end of an epoch.</summary>
internal interface IEpochEvaluation : IDisposable
{
    /// <summary>Measures it with some parameters.</summary>
    EpochMetrics Run(ParameterStore parameters);
}

/// <summary>
/// The network's inference pass with its loss, on the very buffers that training writes: no export, no copy of parameters.
/// </summary>
internal sealed class EvaluationStep : IEpochEvaluation
{
    private const int MostRows = 1024;
    private const string PredictionOutput = "prediction";
    private const string RowLossOutput = "rowLoss";

    private readonly OnnxSession _session;
    private readonly TrainingData _rows;
    private readonly TrainingData _standardized;
    private readonly TargetStandardization? _targetStandardization;
    private readonly TargetMap? _map;
    private readonly Loss _loss;
    private readonly string[] _parameters;
    private readonly TensorBuffer<float> _features;
    private readonly TensorBuffer<float> _targets;
    private readonly TensorBuffer<float> _predictions;
    private readonly TensorBuffer<float> _rowLosses;
    private readonly Dictionary<(ParameterStore Store, int Rows), BoundRun> _runs = [];
    private readonly float[] _allPredictions;
    private readonly int _batchSize;

    /// <param name="network">The architecture.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="rows">The rows, with their targets in their own unit.</param>
    /// <param name="targets">The standardization of the targets that the network learns; null = it learns them as they are.</param>
    /// <param name="map">The way back from what is learned to targets; null = it is the same.</param>
    /// <param name="settings">Device and threads.</param>
    public EvaluationStep(
        Network network, Loss loss, TrainingData rows, TargetStandardization? targets, TargetMap? map, ExecutionOptions settings)
    {
        _rows = rows;
        _map = map;
        var learned = map?.Apply(rows) ?? rows;
        _standardized = targets?.Apply(learned) ?? learned;
        _targetStandardization = targets;
        _loss = loss;
        _parameters = [.. network.Parameters.Select(parameter => parameter.Name)];
        var nodes = new GraphBuilder("evaluation step");
        var x = nodes.Input(
            TrainingStep.FeaturesInput, DataType.Float,
            [TensorDimension.Rows, .. network.InputShape.Sizes.Select(size => (TensorDimension)size)]);
        var target = nodes.Input(TrainingStep.TargetsInput, DataType.Float, TensorDimension.Rows, rows.Outputs);
        var graph = new InferenceGraph(nodes, parameter =>
            nodes.Input(parameter.Name, DataType.Float, [.. parameter.Shape.Select(size => (TensorDimension)size)]));
        var output = graph.Infer(network.Sites, x);
        nodes.Output(RowLossOutput, loss.RowLoss(nodes, output, target), DataType.Float, TensorDimension.Rows, 1);
        nodes.Output(PredictionOutput, loss.Prediction(nodes, output), DataType.Float, TensorDimension.Rows, rows.Outputs);
        _session = OnnxSession.Load(nodes.Build(), settings with { Name = "the evaluation step" });

        var batch = _batchSize = Math.Min(FeatureRows.RowsAtOnce(MostRows, network.InputShape.Count), rows.Count);
        _features = _session.CreateBuffer<float>([batch, .. network.InputShape.Sizes]);
        _targets = _session.CreateBuffer<float>(batch, rows.Outputs);
        _predictions = _session.CreateBuffer<float>(batch, rows.Outputs);
        _rowLosses = _session.CreateBuffer<float>(batch, 1);
        _allPredictions = new float[rows.TargetArray.Length];
    }

    public EpochMetrics Run(ParameterStore parameters)
    {
        double loss = 0, weight = 0;
        for (var first = 0; first < _rows.Count; first += _batchSize)
        {
            var count = Math.Min(_batchSize, _rows.Count - first);
            _rows.FeatureRows.CopyTo(first, count, _features.Span);
            _standardized.TargetArray.AsSpan(first * _rows.Outputs, count * _rows.Outputs).CopyTo(_targets.Span);
            Bound(parameters, count).Run();
            _predictions.Span[..(count * _rows.Outputs)].CopyTo(_allPredictions.AsSpan(first * _rows.Outputs));
            for (var i = 0; i < count; i++)
            {
                var rowWeight = _rows.WeightArray is null ? 1.0 : _rows.WeightArray[first + i];
                loss += rowWeight * _rowLosses.Span[i];
                weight += rowWeight;
            }
        }

        _targetStandardization?.Restore(_allPredictions);
        _map?.Restore(_allPredictions);
        return new EpochMetrics(weight > 0 ? loss / weight : double.NaN, _loss.Measure(_allPredictions, _rows));
    }

    public void Dispose()
    {
        foreach (var run in _runs.Values) run.Dispose();
        _session.Dispose();
        _features.Dispose();
        _targets.Dispose();
        _predictions.Dispose();
        _rowLosses.Dispose();
    }

    private BoundRun Bound(ParameterStore parameters, int rows)
    {
        if (_runs.TryGetValue((parameters, rows), out var run)) return run;
        run = _session.CreateBoundRun();
        run.BindInput(TrainingStep.FeaturesInput, _features.Rows(rows));
        run.BindInput(TrainingStep.TargetsInput, _targets.Rows(rows));
        foreach (var name in _parameters) run.BindInput(name, parameters[name]);
        run.BindOutput(PredictionOutput, _predictions.Rows(rows));
        run.BindOutput(RowLossOutput, _rowLosses.Rows(rows));
        _runs.Add((parameters, rows), run);
        return run;
    }
}
