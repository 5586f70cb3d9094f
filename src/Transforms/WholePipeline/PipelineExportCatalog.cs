using MlNetBatchNorm.Onnx.Verification;
using MlNetBatchNorm.Transforms;

namespace Microsoft.ML;

/// <summary>Exports whole pipelines to ONNX, where ML.NET's own export is found.</summary>
public static class PipelineExportCatalog
{
    /// <summary>
    /// Writes a whole fitted pipeline as one ONNX file, from the raw columns to the prediction: ML.NET's own transforms by its own converter
    /// (<c>Microsoft.ML.OnnxConverter</c>), batch-normalised networks folded, affine normalizers in front of them folded too. The file is compared
    /// with ML.NET's predictions on the rows given, and only written when both agree.
    /// </summary>
    /// <remarks>
    /// The file reads the columns that the outputs depend on (a label is none of them), each as a tensor <c>[N, 1]</c>, or <c>[N, …]</c> for a
    /// vector. It gives <c>Score</c>, <c>Probability</c> and <c>PredictedLabel</c> as far as the pipeline has them; a key becomes the value that it
    /// stands for, which for <c>PredictedLabel</c> is the label's own text or number.
    /// </remarks>
    /// <param name="catalog">The catalog of model operations.</param>
    /// <param name="model">The fitted pipeline.</param>
    /// <param name="data">Rows as they go into the pipeline, to compare on.</param>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="options">Outputs and tolerance; null = the defaults.</param>
    /// <returns>What was written, and how far it is from ML.NET's predictions.</returns>
    /// <exception cref="NotSupportedException">A part of the pipeline cannot be exported; the transformer and the column are named.</exception>
    /// <exception cref="ArgumentException">A column is missing.</exception>
    /// <exception cref="InvalidDataException">There are no rows to compare on.</exception>
    /// <exception cref="ModelVerificationException">The file would not give ML.NET's predictions; nothing is written.</exception>
    public static PipelineExport ExportToOnnx(
        this ModelOperationsCatalog catalog, ITransformer model, IDataView data, string path, PipelineExportOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentException.ThrowIfNullOrEmpty(path);

        // What was loaded is networks in ML.NET's own transformers, and has to become networks again.
        var pipeline = catalog.ForBatchedScoring(model);
        try
        {
            return PipelineExporter.Export(pipeline, data, path, options ?? new PipelineExportOptions());
        }
        finally
        {
            foreach (var made in PipelineSteps.Flatten(pipeline).Except(PipelineSteps.Flatten(model)).OfType<IDisposable>()) made.Dispose();
        }
    }
}
