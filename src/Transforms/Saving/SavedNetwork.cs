using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Saves a network in a form that ML.NET can. A transformer of ours cannot write a model of its own (ModelSaveContext has no public members
/// for that), so the saving is left to ML.NET's transformers that do the same: the ONNX model, and what makes the task's columns from its
/// outputs.
/// </summary>
internal static class SavedNetwork
{
    public static void Save(ModelSaveContext context, SavedForm form, string featureColumn, int features)
    {
        // ML.NET takes the names of columns from the model.
        SavedGraph.Rename(form.Model.Graph, TrainedNetwork.FeaturesInput, featureColumn);
        string[] outputs = [.. form.Model.Graph.Output.Select(output => output.Name)];
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.onnx");
        try
        {
            ModelFile.Write(form.Model, path);
            var ml = new MLContext();
            var schema = SchemaDefinition.Create(typeof(FeatureRow));
            var column = schema[nameof(FeatureRow.Values)];
            column.ColumnName = featureColumn;
            column.ColumnType = new VectorDataViewType(NumberDataViewType.Single, features);
            var empty = ml.Data.LoadFromEnumerable(Array.Empty<FeatureRow>(), schema);

            // ML.NET runs an unknown first dimension as 1: one row at a time.
            var chain = new EstimatorChain<ITransformer>().Append<ITransformer>(ml.Transforms.ApplyOnnxModel(outputs, [featureColumn], path));
            foreach (var step in form.Steps) chain = chain.Append<ITransformer>(step);
            using var fitted = chain.Fit(empty);
            ((ICanSaveModel)fitted).Save(context);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private sealed class FeatureRow
    {
        public float[] Values { get; set; } = [];
    }
}
