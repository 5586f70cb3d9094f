using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// A trained network for two classes: adds <c>Score</c> (the logit), <c>Probability</c> and <c>PredictedLabel</c> to its input. Whole views
/// are scored a batch at a time, single rows through buffers that are bound once.
/// </summary>
/// <remarks>
/// Saved with <c>ml.Model.Save</c> it loads back as a chain of ML.NET's own transformers around the same ONNX model, which ML.NET runs row by
/// row.
/// </remarks>
public sealed class BatchNormBinaryTransformer : ITransformer, IDisposable
{
    private readonly RowScoring _scoring;

    internal BatchNormBinaryTransformer(TrainedNetwork network, ExportedNetwork export, string featureColumnName, Device device)
    {
        Network = network;
        Export = export;
        var scorer = Scorer.Load(export.Folded, new ScorerSettings
        {
            Device = device,
            Outputs = [TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput],
        });
        _scoring = new RowScoring(scorer, featureColumnName, [
            ScoreColumn.Of(nameof(BinaryPrediction.Score), NumberDataViewType.Single, result => result.Span[0]),
            ScoreColumn.Of(nameof(BinaryPrediction.Probability), NumberDataViewType.Single, result => result.Span[1]),
            ScoreColumn.Of(nameof(BinaryPrediction.PredictedLabel), BooleanDataViewType.Instance, result => result.Span[0] > 0),
        ]);
    }

    /// <summary>The network with its parameters and the history of its training.</summary>
    public TrainedNetwork Network { get; }

    /// <summary>The network as ONNX, unfolded and folded, and how far the two differ.</summary>
    public ExportedNetwork Export { get; }

    /// <summary>The column that is read.</summary>
    public string FeatureColumnName => _scoring.FeatureColumnName;

    /// <summary>The scorer behind the transformer, for use without ML.NET.</summary>
    public Scorer Scorer => _scoring.Scorer;

    /// <summary>Always true: each row is scored by itself.</summary>
    public bool IsRowToRowMapper => true;

    /// <inheritdoc/>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _scoring.OutputSchema(inputSchema);

    /// <inheritdoc/>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => new ScoringRowMapper(inputSchema, _scoring);

    /// <summary>Scores a view, lazily: nothing runs until a cursor moves, and only if one of the added columns is asked for.</summary>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoredDataView(input, _scoring);
    }

    /// <summary>Releases the model. Views and engines made from the transformer cannot be used afterwards.</summary>
    public void Dispose() => _scoring.Scorer.Dispose();

    void ICanSaveModel.Save(ModelSaveContext ctx) => SavedNetwork.SaveBinary(ctx, Export.Folded, FeatureColumnName, Scorer.RowLength);
}
