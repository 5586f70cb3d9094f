using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Bench;

/// <summary>What one of ML.NET's own trainers came to.</summary>
/// <param name="Kind">LightGBM, FastTree or linear.</param>
/// <param name="Name">The trainer.</param>
/// <param name="Figures">Its figures on the test rows, computed by the same code as ours.</param>
/// <param name="Cost">What its training took.</param>
internal sealed record StockFigures(string Kind, string Name, MetricValues Figures, TrainingCost Cost);

/// <summary>
/// ML.NET's own trainers with their defaults, on the rows and features that a network of ours learned from. The linear ones get each
/// feature brought to mean 0 and variance 1.
/// </summary>
internal static class StockTrainers
{
    /// <summary>A kind of trainer.</summary>
    public const string LightGbm = "LightGBM", FastTree = "FastTree", Linear = "linear";

    private const string Features = "Features";

    /// <summary>Trains and tests them, one after the other.</summary>
    /// <param name="training">The rows to learn from.</param>
    /// <param name="test">The rows to test on.</param>
    /// <param name="ours">The network, whose features they get.</param>
    /// <param name="kinds">Which of them.</param>
    /// <param name="quick">Whether a few trees and passes do.</param>
    public static IEnumerable<StockFigures> Measure(
        CsvTable training, CsvTable test, TrainedTable ours, IReadOnlyCollection<string> kinds, bool quick)
    {
        var ml = new MLContext(seed: 0);
        var label = ours.Schema.Label;
        var (learned, tested) = (View(ml, training, ours.Schema), View(ml, test, ours.Schema));
        foreach (var (kind, name, trainer) in Trainers(ml, label.Column, label.Task.Kind, quick ? 5 : 100, quick ? 2 : null))
        {
            if (!kinds.Contains(kind)) continue;
            var watch = TrainingCost.Start();
            var model = trainer.Fit(learned);
            var cost = watch.Elapsed();
            var predictions = Predictions(label.Task.Kind, model.Transform(tested));
            yield return new StockFigures(kind, name, ours.Network.Model.Loss.Measure(predictions, ours.Tested.Rows), cost);
            (model as IDisposable)?.Dispose();
        }
    }

    // The features, and the label as ML.NET's trainers take it, in memory.
    private static IDataView View(MLContext ml, CsvTable rows, TableSchema schema)
    {
        var label = schema.Label;
        IDataView view = TableDataView.ForTraining(rows, schema, Features);
        if (label.Task.Kind == LearningTask.Multiclass)
        {
            var classes = ml.Data.LoadFromEnumerable(label.Classes.Select(name => new ClassName { Name = name }));
            view = ml.Transforms.Conversion.MapValueToKey(label.Column, keyData: classes).Fit(view).Transform(view);
        }

        return ml.Data.Cache(ml.Transforms.SelectColumns(Features, label.Column).Fit(view).Transform(view));
    }

    private static IEnumerable<(string Kind, string Name, IEstimator<ITransformer> Trainer)> Trainers(
        MLContext ml, string label, LearningTask task, int trees, int? passes)
    {
        // Around zero, too: without that, L-BFGS stops early where means are far from it.
        var scaled = ml.Transforms.NormalizeMeanVariance(Features, fixZero: false);
        switch (task)
        {
            case LearningTask.Binary:
                var binary = ml.BinaryClassification.Trainers;
                yield return (LightGbm, "LightGbm", binary.LightGbm(label, Features, numberOfIterations: trees));
                yield return (FastTree, "FastTree", binary.FastTree(label, Features, numberOfTrees: trees));
                yield return (Linear, "LbfgsLogisticRegression", scaled.Append(binary.LbfgsLogisticRegression(label, Features)));
                break;
            case LearningTask.Multiclass:
                var multiclass = ml.MulticlassClassification.Trainers;
                yield return (LightGbm, "LightGbm", multiclass.LightGbm(label, Features, numberOfIterations: trees));
                var oneTree = ml.BinaryClassification.Trainers.FastTree(label, Features, numberOfTrees: trees);
                yield return (FastTree, "FastTree, OneVersusAll", multiclass.OneVersusAll(oneTree, label));
                yield return (Linear, "LbfgsMaximumEntropy", scaled.Append(multiclass.LbfgsMaximumEntropy(label, Features)));
                break;
            default:
                var regression = ml.Regression.Trainers;
                yield return (LightGbm, "LightGbm", regression.LightGbm(label, Features, numberOfIterations: trees));
                yield return (FastTree, "FastTree", regression.FastTree(label, Features, numberOfTrees: trees));
                yield return (Linear, "Sdca", scaled.Append(regression.Sdca(label, Features, maximumNumberOfIterations: passes)));
                break;
        }
    }

    private static float[] Predictions(LearningTask task, IDataView scored) => task switch
    {
        LearningTask.Binary => [.. scored.GetColumn<float>("Probability")],
        LearningTask.Multiclass => [.. scored.GetColumn<float[]>("Score").SelectMany(row => row)],
        _ => [.. scored.GetColumn<float>("Score")],
    };

    private sealed class ClassName
    {
        public required string Name { get; init; }
    }
}
