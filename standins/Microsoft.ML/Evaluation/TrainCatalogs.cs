namespace Microsoft.ML;

public abstract class TrainCatalogBase
{
    private readonly MLContext _context;
    private protected TrainCatalogBase(MLContext context) => _context = context;

    private protected IReadOnlyList<CrossValidationResult<T>> CrossValidate<T>(IDataView data, IEstimator<ITransformer> estimator,
        int folds, string samplingKey, int? seed, Func<IDataView, T> evaluate) where T : class
        => _context.Data.CrossValidationSplit(data, folds, samplingKey, seed).Select((split, fold) =>
        {
            var model = estimator.Fit(split.TrainSet);
            var scored = model is IScopedTransformer chain
                ? chain.Transform(split.TestSet, TransformerScope.Everything) : model.Transform(split.TestSet);
            return new CrossValidationResult<T>(model, evaluate(scored), scored, fold);
        }).ToArray();

    /// <summary>What trainers are extension methods of.</summary>
    public abstract class CatalogInstantiatorBase { private protected CatalogInstantiatorBase() { } }

    public sealed class CrossValidationResult<T> where T : class
    {
        public readonly T Metrics;
        public readonly ITransformer Model;
        public readonly IDataView ScoredHoldOutSet;
        public readonly int Fold;
        internal CrossValidationResult(ITransformer model, T metrics, IDataView scored, int fold)
            => (Model, Metrics, ScoredHoldOutSet, Fold) = (model, metrics, scored, fold);
    }
}

public sealed class BinaryClassificationCatalog : TrainCatalogBase
{
    internal BinaryClassificationCatalog(MLContext context) : base(context) { }
    public BinaryClassificationTrainers Trainers { get; } = new();
    public CalibratedBinaryClassificationMetrics Evaluate(IDataView data, string labelColumnName = "Label", string scoreColumnName = "Score",
        string probabilityColumnName = "Probability", string predictedLabelColumnName = "PredictedLabel")
        => new(BinaryRow.Read(data, labelColumnName, scoreColumnName, probabilityColumnName, predictedLabelColumnName));
    public BinaryClassificationMetrics EvaluateNonCalibrated(IDataView data, string labelColumnName = "Label", string scoreColumnName = "Score",
        string predictedLabelColumnName = "PredictedLabel")
        => new(BinaryRow.Read(data, labelColumnName, scoreColumnName, scoreColumnName, predictedLabelColumnName));
    public IReadOnlyList<CrossValidationResult<CalibratedBinaryClassificationMetrics>> CrossValidate(IDataView data,
        IEstimator<ITransformer> estimator, int numberOfFolds = 5, string labelColumnName = "Label", string samplingKeyColumnName = null,
        int? seed = null)
        => CrossValidate(data, estimator, numberOfFolds, samplingKeyColumnName, seed, scored => Evaluate(scored, labelColumnName));
    public sealed class BinaryClassificationTrainers : CatalogInstantiatorBase { internal BinaryClassificationTrainers() { } }
}

public sealed class MulticlassClassificationCatalog : TrainCatalogBase
{
    internal MulticlassClassificationCatalog(MLContext context) : base(context) { }
    public MulticlassClassificationTrainers Trainers { get; } = new();
    public MulticlassClassificationMetrics Evaluate(IDataView data, string labelColumnName = "Label", string scoreColumnName = "Score",
        string predictedLabelColumnName = "PredictedLabel", int topKPredictionCount = 0)
        => MulticlassClassificationMetrics.Read(data, labelColumnName, scoreColumnName, predictedLabelColumnName, topKPredictionCount);
    public IReadOnlyList<CrossValidationResult<MulticlassClassificationMetrics>> CrossValidate(IDataView data,
        IEstimator<ITransformer> estimator, int numberOfFolds = 5, string labelColumnName = "Label", string samplingKeyColumnName = null,
        int? seed = null)
        => CrossValidate(data, estimator, numberOfFolds, samplingKeyColumnName, seed, scored => Evaluate(scored, labelColumnName));

    public sealed class MulticlassClassificationTrainers : CatalogInstantiatorBase { internal MulticlassClassificationTrainers() { } }
}

public sealed class RegressionCatalog : TrainCatalogBase
{
    internal RegressionCatalog(MLContext context) : base(context) { }
    public RegressionTrainers Trainers { get; } = new();
    public RegressionMetrics Evaluate(IDataView data, string labelColumnName = "Label", string scoreColumnName = "Score")
        => new(Numbers.Read(data, data.Schema.RequireSingle(labelColumnName, "label"), data.Schema.RequireSingle(scoreColumnName, "score")));
    public IReadOnlyList<CrossValidationResult<RegressionMetrics>> CrossValidate(IDataView data, IEstimator<ITransformer> estimator,
        int numberOfFolds = 5, string labelColumnName = "Label", string samplingKeyColumnName = null, int? seed = null)
        => CrossValidate(data, estimator, numberOfFolds, samplingKeyColumnName, seed, scored => Evaluate(scored, labelColumnName));

    public sealed class RegressionTrainers : CatalogInstantiatorBase { internal RegressionTrainers() { } }
}
