using Microsoft.ML;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Transforms;

/// <summary>A model in terms of ML.NET's own transformers.</summary>
/// <param name="Model">The model.</param>
internal sealed record SavedForm(ModelProto Model)
{
    /// <summary>What makes the columns that the model reads, where they are not those of the data.</summary>
    public IReadOnlyList<IEstimator<ITransformer>> Before { get; init; } = [];

    /// <summary>The outputs that become columns. Default: all.</summary>
    public IReadOnlyList<string> Outputs { get; init; } = [.. Model.Graph.Output.Select(output => output.Name)];

    /// <summary>What makes the final columns from them.</summary>
    public IReadOnlyList<IEstimator<ITransformer>> After { get; init; } = [];
}
