using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Transforms.Tables;

/// <summary>What training on a table gave.</summary>
public sealed class TrainedTable : IDisposable
{
    internal TrainedTable(
        TableSchema schema,
        ITransformer featurizer,
        BatchNormTransformer network,
        IReadOnlyDictionary<string, double> testMetrics,
        IReadOnlyDictionary<string, double> float32TestMetrics,
        int trainingRows,
        TestedRows tested)
    {
        Schema = schema;
        Network = network;
        TestMetrics = testMetrics;
        Float32TestMetrics = float32TestMetrics;
        TrainingRows = trainingRows;
        Tested = tested;
        Pipeline = new TransformerChain<ITransformer>(featurizer, network);
    }

    /// <summary>What the columns mean.</summary>
    public TableSchema Schema { get; }

    /// <summary>The whole ML.NET pipeline, from the table's columns to the prediction.</summary>
    public ITransformer Pipeline { get; }

    /// <summary>Its last part, the network.</summary>
    public BatchNormTransformer Network { get; }

    /// <summary>
    /// The figures on the test rows by name: <c>auc</c>, <c>accuracy</c> and <c>logLoss</c> (in nats) for two classes, for several
    /// <c>macroAccuracy</c> instead of <c>auc</c>; <c>rmse</c> and <c>mae</c> (in the unit of the label) and <c>rSquared</c> for regression.
    /// </summary>
    public IReadOnlyDictionary<string, double> TestMetrics { get; }

    /// <summary>The same figures of the network before it got the precision of the options; for float32 they are the same.</summary>
    public IReadOnlyDictionary<string, double> Float32TestMetrics { get; }

    /// <summary>The rows that were learned from, including those held out for validation.</summary>
    public int TrainingRows { get; }

    /// <summary>The rows that were tested on.</summary>
    public int TestRows => Tested.Rows.Count;

    /// <summary>The test rows with what the network predicts for them, for figures and curves of one's own.</summary>
    public TestedRows Tested { get; }

    /// <summary>
    /// Writes <c>model.zip</c> (the pipeline), <c>model.onnx</c> (the network, folded, in the precision of the options) and <c>model.batchnorm.onnx</c> (the network with its batch
    /// normalizations). Each file appears whole or not at all.
    /// </summary>
    /// <param name="folder">The folder; made if it is not there.</param>
    /// <returns>The paths of the files.</returns>
    public IReadOnlyList<string> Save(string folder)
    {
        Directory.CreateDirectory(folder);
        var zip = Path.Combine(folder, "model.zip");
        var deployed = Path.Combine(folder, "model.onnx");
        var unfolded = Path.Combine(folder, "model.batchnorm.onnx");
        AtomicFile.Write(zip, stream => new MLContext().Model.Save(Pipeline, PipelineSchema.Create(Schema), stream));
        Network.Export.Deployed.Save(deployed);
        Network.Export.Unfolded.Save(unfolded);
        return [zip, deployed, unfolded];
    }

    /// <summary>
    /// Writes <c>pipeline.onnx</c>: the whole pipeline as one ONNX file, from the table's columns (numbers as float32, NaN where missing; categories
    /// as text, <c>(missing)</c> where missing) to the prediction. See <see cref="PipelineExportCatalog.ExportToOnnx"/>.
    /// </summary>
    /// <param name="folder">The folder; made if it is not there.</param>
    /// <param name="rows">Rows to compare with ML.NET's predictions.</param>
    /// <exception cref="NotSupportedException">Built without ML.NET's own ONNX converter.</exception>
    /// <exception cref="Trainer.VerificationException">The file would not give ML.NET's predictions; it is not written.</exception>
    public PipelineExport SavePipeline(string folder, CsvTable rows)
    {
        Directory.CreateDirectory(folder);
        return new MLContext().Model.ExportToOnnx(Pipeline, new TableDataView(rows, Schema.Features), Path.Combine(folder, "pipeline.onnx"));
    }

    /// <inheritdoc/>
    public void Dispose() => Network.Dispose();
}
