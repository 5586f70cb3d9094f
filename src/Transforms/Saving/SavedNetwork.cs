using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Saves a model in a form that ML.NET can. A transformer of ours cannot write a model of its own (ModelSaveContext has no public members
/// for that), so the saving is left to ML.NET's transformers that do the same: the ONNX model, and what makes the final columns from its
/// outputs.
/// </summary>
internal static class SavedNetwork
{
    public static void Save(ModelSaveContext context, SavedForm form, IReadOnlyList<InputColumn> inputs)
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.onnx");
        try
        {
            ModelFile.Write(SavedGraph.WithoutHalfInitializers(form.Model), path);
            var schema = new DataViewSchema.Builder();
            foreach (var input in inputs)
                schema.AddColumn(input.Name, new VectorDataViewType(TensorTypes.ItemOf(input.Tensor.Type), input.Tensor.Count));

            // ML.NET runs an unknown first dimension as 1: one row at a time.
            string[] read = [.. form.Model.Graph.Input.Where(input => form.Model.Graph.Initializer.All(tensor => tensor.Name != input.Name)).Select(input => input.Name)];
            var chain = new EstimatorChain<ITransformer>();
            foreach (var step in form.Before) chain = chain.Append<ITransformer>(step);
            chain = chain.Append<ITransformer>(new MLContext().Transforms.ApplyOnnxModel([.. form.Outputs], read, path));
            foreach (var step in form.After) chain = chain.Append<ITransformer>(step);
            using var fitted = chain.Fit(new EmptyView(schema.ToSchema()));
            ITransformer whole = form.Before.Count + form.After.Count == 0 ? fitted.LastTransformer : fitted;
            whole.Save(context);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
