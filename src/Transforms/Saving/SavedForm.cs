using Microsoft.ML;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Transforms;

/// <summary>A network in terms of ML.NET's own transformers.</summary>
/// <param name="Model">The model, whose outputs become columns.</param>
/// <param name="Steps">What makes the columns of the task from them.</param>
internal sealed record SavedForm(ModelProto Model, IReadOnlyList<IEstimator<ITransformer>> Steps);
