using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Trainers;

namespace MlNetBatchNorm.Cli.Assessment;

/// <summary>ML.NET's linear trainer for a task, on <see cref="LinearRows"/>.</summary>
internal abstract class LinearTrainer
{
    private const int Iterations = 60;
    private const float L1 = 0, L2 = 1, Tolerance = 1e-5f;
    private const string Features = nameof(LinearRow.Features), Weight = nameof(LinearRow.Weight), Score = "Score";

    /// <summary>ML.NET's name of it.</summary>
    public abstract string Name { get; }

    /// <summary>The trainer, with one thread: the same seed gives the same model.</summary>
    public abstract IEstimator<ITransformer> Create(MLContext ml);

    /// <summary>The predictions as a network gives them: probabilities, or numbers in the unit of the label.</summary>
    /// <param name="scored">The rows behind the model.</param>
    /// <param name="rows">What made them.</param>
    /// <param name="count">How many values there are in all.</param>
    public abstract float[] Predictions(IDataView scored, LinearRows rows, int count);

    /// <summary>The trainer for a task.</summary>
    public static LinearTrainer For(LearningTask task) => task switch
    {
        LearningTask.Binary => new Logistic(),
        LearningTask.Multiclass => new MaximumEntropy(),
        _ => new Coordinates(),
    };

    private sealed class Logistic : LinearTrainer
    {
        public override string Name => "LbfgsLogisticRegression";

        public override IEstimator<ITransformer> Create(MLContext ml) => ml.BinaryClassification.Trainers.LbfgsLogisticRegression(
            new LbfgsLogisticRegressionBinaryTrainer.Options
            {
                LabelColumnName = nameof(LinearRow.IsPositive),
                FeatureColumnName = Features,
                ExampleWeightColumnName = Weight,
                L1Regularization = L1,
                L2Regularization = L2,
                OptimizationTolerance = Tolerance,
                MaximumNumberOfIterations = Iterations,
                NumberOfThreads = 1,
            });

        public override float[] Predictions(IDataView scored, LinearRows rows, int count) =>
            [.. scored.GetColumn<float>(nameof(BinaryPrediction.Probability))];
    }

    private sealed class MaximumEntropy : LinearTrainer
    {
        public override string Name => "LbfgsMaximumEntropy";

        public override IEstimator<ITransformer> Create(MLContext ml) => ml.MulticlassClassification.Trainers.LbfgsMaximumEntropy(
            new LbfgsMaximumEntropyMulticlassTrainer.Options
            {
                LabelColumnName = nameof(LinearRow.Class),
                FeatureColumnName = Features,
                ExampleWeightColumnName = Weight,
                L1Regularization = L1,
                L2Regularization = L2,
                OptimizationTolerance = Tolerance,
                MaximumNumberOfIterations = Iterations,
                NumberOfThreads = 1,
            });

        public override float[] Predictions(IDataView scored, LinearRows rows, int count)
        {
            var predictions = new float[count];
            var at = 0;
            foreach (var probabilities in scored.GetColumn<VBuffer<float>>(Score))
            {
                probabilities.CopyTo(predictions, at);
                at += probabilities.Length;
            }

            return predictions;
        }
    }

    private sealed class Coordinates : LinearTrainer
    {
        public override string Name => "Sdca";

        public override IEstimator<ITransformer> Create(MLContext ml) => ml.Regression.Trainers.Sdca(new SdcaRegressionTrainer.Options
        {
            LabelColumnName = nameof(LinearRow.Number),
            FeatureColumnName = Features,
            ExampleWeightColumnName = Weight,
            MaximumNumberOfIterations = Iterations,
            NumberOfThreads = 1,
        });

        public override float[] Predictions(IDataView scored, LinearRows rows, int count) =>
            [.. scored.GetColumn<float>(Score).Select(rows.ToLabel)];
    }
}
