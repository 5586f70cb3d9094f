using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Transforms;

namespace Microsoft.ML;

/// <summary>Scoring with ONNX models in batches, where ML.NET's own operations are found.</summary>
public static class BatchedScoringCatalog
{
    /// <summary>
    /// Makes a loaded model fast again: in place of each saved network, each saved <see cref="ScoreOnnx(TransformsCatalog, string, ScoreOnnxOptions?)"/>
    /// and each <c>ApplyOnnxModel</c>, which ML.NET runs row by row, the result has a transformer that adds the same columns with the same
    /// types and values, a batch at a time. <c>Score</c> of several classes has the names of its slots again.
    /// </summary>
    /// <param name="catalog">The operations on models.</param>
    /// <param name="model">What <c>Load</c> or <c>Fit</c> gave.</param>
    /// <param name="options">Device, threads and batches; null = the defaults.</param>
    /// <returns>
    /// A chain with the same transformers otherwise (they are shared, so that either the model or the result is to be disposed of, not one
    /// while the other is in use); <paramref name="model"/> itself where there is nothing to gain. It can be saved again. A saved network that
    /// is not part of a chain comes back as a <see cref="LoadedNetworkTransformer"/>.
    /// </returns>
    /// <remarks>
    /// An ONNX model that cannot be run in batches stays with ML.NET: one without a free first dimension, with other free dimensions, or with
    /// outputs that are not tensors. Where the rows of a batch influence one another in a model, do not use it.
    /// </remarks>
    /// <exception cref="InvalidModelException">The model was saved by a later version of this library.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static ITransformer ForBatchedScoring(this ModelOperationsCatalog catalog, ITransformer model, BatchedScoringOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        return new BatchedRebuild(catalog, options ?? new()).Rebuild(model);
    }

    /// <summary>Scores rows with an ONNX model in batches. Any model will do whose tensors count rows in their first dimension.</summary>
    /// <param name="catalog">The transforms.</param>
    /// <param name="modelFile">The model; external data is found beside it. It is read again when the transformer is saved.</param>
    /// <param name="options">Columns, shapes, device and batches; null = the defaults.</param>
    /// <returns>An estimator whose transformer adds a column for each output.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">It is not a model, or not one that can be run on rows; the message says why and what to do.</exception>
    public static BatchedOnnxEstimator ScoreOnnx(this TransformsCatalog catalog, string modelFile, ScoreOnnxOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new BatchedOnnxEstimator(settings => RowModel.Load(modelFile, settings), () => ModelFile.Read(modelFile), options ?? new());
    }

    /// <summary>Scores rows with an ONNX model in batches. Any model will do whose tensors count rows in their first dimension.</summary>
    /// <param name="catalog">The transforms.</param>
    /// <param name="model">The bytes of the model.</param>
    /// <param name="options">Columns, shapes, device and batches; null = the defaults.</param>
    /// <returns>An estimator whose transformer adds a column for each output.</returns>
    /// <exception cref="InvalidModelException">It is not a model, or not one that can be run on rows; the message says why and what to do.</exception>
    public static BatchedOnnxEstimator ScoreOnnx(this TransformsCatalog catalog, byte[] model, ScoreOnnxOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        return new BatchedOnnxEstimator(settings => RowModel.Load(model, settings), () => ModelFile.Parse(model), options ?? new());
    }
}
