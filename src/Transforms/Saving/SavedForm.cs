using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.Interop;

namespace MlNetBatchNorm.Transforms.Saving;

/// <summary>
/// A model in terms of ML.NET's own transformers. A transformer of ours cannot write a model of its own (ModelSaveContext has no public
/// members for that), so the saving is left to ML.NET's transformers that do the same: the ONNX model, and what makes the final columns
/// from its outputs.
/// </summary>
/// <param name="Model">The model.</param>
internal sealed record SavedForm(ModelProto Model)
{
    /// <summary>What makes the columns that the model reads, where they are not those of the data.</summary>
    public IReadOnlyList<IEstimator<ITransformer>> Before { get; init; } = [];

    /// <summary>The outputs that become columns. Default: all.</summary>
    public IReadOnlyList<string> Outputs { get; init; } = [.. Model.Graph.Output.Select(output => output.Name)];

    /// <summary>The shapes of inputs that the model leaves free, for one row. Default: none.</summary>
    public IReadOnlyDictionary<string, int[]> Shapes { get; init; } = new Dictionary<string, int[]>();

    /// <summary>What makes the final columns from them.</summary>
    public IReadOnlyList<IEstimator<ITransformer>> After { get; init; } = [];

    /// <summary>Saves the form.</summary>
    /// <param name="context">Where to.</param>
    /// <param name="columns">The columns of the data that are read.</param>
    public void Save(ModelSaveContext context, IEnumerable<(string Name, DataViewType Type)> columns)
    {
        using var folder = new ScratchFolder("saved");
        var path = folder.File("model.onnx");
        ModelFile.Write(SavedGraph.WithoutHalfInitializers(Model), path);
        var schema = new DataViewSchema.Builder();
        foreach (var (name, type) in columns) schema.AddColumn(name, type);

        // ML.NET runs an unknown first dimension as 1: one row at a time.
        var constants = Model.Graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        string[] read = [.. Model.Graph.Input.Select(input => input.Name).Where(name => !constants.Contains(name))];
        var chain = new EstimatorChain<ITransformer>();
        foreach (var step in Before) chain = chain.Append<ITransformer>(step);
        chain = chain.Append<ITransformer>(Shapes.Count == 0
            ? new MLContext().Transforms.ApplyOnnxModel([.. Outputs], read, path)
            : new MLContext().Transforms.ApplyOnnxModel([.. Outputs], read, path, Shapes.ToDictionary(), null, false));
        foreach (var step in After) chain = chain.Append<ITransformer>(step);
        using var fitted = chain.Fit(new EmptyView(schema.ToSchema()));
        ITransformer whole = Before.Count + After.Count == 0 ? fitted.LastTransformer : fitted;
        whole.Save(context);
    }
}
