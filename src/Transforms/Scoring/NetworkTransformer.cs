using System.Globalization;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// A network, trained here or loaded from a saved model, as a transformer: adds the columns of its task. One that was just trained also knows
/// how (<see cref="BatchNormTransformer"/>).
/// </summary>
public abstract class NetworkTransformer : BatchedTransformer
{
    private readonly NetworkTask _task;

    private protected NetworkTransformer(NetworkTask task, Scorer scorer, ModelProto model, string featureColumnName, int? batchSize = null)
        : base(scorer, CreateScoring(task, scorer, featureColumnName, batchSize))
    {
        _task = task;
        Scorer = scorer;
        Model = new OnnxModel(model);
        FeatureColumnName = featureColumnName;
    }

    /// <summary>What is predicted.</summary>
    public TaskKind Task => _task.Kind;

    /// <summary>The classes as texts, for two of them the negative one first; none for regression.</summary>
    public IReadOnlyList<string> Classes => _task.Classes;

    /// <summary>The network as ONNX, its batch normalizations folded.</summary>
    public OnnxModel Model { get; }

    /// <summary>The column that is read.</summary>
    public string FeatureColumnName { get; }

    /// <summary>The scorer behind the transformer, for use without ML.NET.</summary>
    public Scorer Scorer { get; }

    private protected override SavedForm ToSaved()
    {
        var form = _task.ToSaved(Model.Proto);
        if (form.Outputs.Contains(FeatureColumnName))
            throw new InvalidOperationException(
                $"A network whose feature column is called '{FeatureColumnName}' cannot be saved: the saved model adds a column of that name. Put CopyColumns in front and train on the copy.");

        // ML.NET takes the names of columns from the model.
        SavedGraph.Rename(form.Model.Graph, TrainedNetwork.FeaturesInput, FeatureColumnName);
        ModelFile.SetMetadata(form.Model, ModelMetadata.Format, ModelMetadata.CurrentFormat.ToString(CultureInfo.InvariantCulture));
        return form;
    }

    private static RowScoring CreateScoring(NetworkTask task, Scorer scorer, string featureColumnName, int? batchSize)
    {
        var features = new RowTensor(TrainedNetwork.FeaturesInput, Onnx.Proto.TensorProto.Types.DataType.Float, scorer.RowShape);
        return new RowScoring(
            scorer.CreateBlock, [new InputColumn(featureColumnName, features, 0, IsFeatures: true)], task.Columns, scorer.ResultLength, batchSize);
    }
}
