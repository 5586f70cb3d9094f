using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>The predictions for a table.</summary>
/// <param name="Task">What is predicted.</param>
/// <param name="Classes">The classes, for two of them the negative one first; none for regression.</param>
/// <param name="Scores">The logit of each row for two classes, the number for regression; none for several classes.</param>
/// <param name="Probabilities">
/// The probability of the positive class in each row for two classes; that of every class in each row, row by row, for several; none for
/// regression.
/// </param>
/// <param name="UnknownValues">The columns with categories that were not there in training.</param>
internal sealed record TablePrediction(
    TaskKind Task, IReadOnlyList<string> Classes, float[] Scores, float[] Probabilities, IReadOnlyList<UnknownValues> UnknownValues)
{
    /// <summary>The device that was used, and why; null for a saved pipeline, which ML.NET runs.</summary>
    public DeviceReport? Device { get; init; }

    /// <summary>The number of rows.</summary>
    public int RowCount => Task == TaskKind.Multiclass ? Probabilities.Length / Classes.Count : Scores.Length;

    /// <summary>The class that is most likely in a row.</summary>
    /// <exception cref="InvalidOperationException">The task is regression, which has no classes.</exception>
    public string PredictedClass(int row) => Task switch
    {
        TaskKind.Binary => Classes[Scores[row] > 0 ? 1 : 0],
        TaskKind.Multiclass => Classes[System.Numerics.Tensors.TensorPrimitives.IndexOfMax(ClassProbabilities(row))],
        _ => throw new InvalidOperationException("A regression has no classes."),
    };

    /// <summary>The probabilities of a row: one for two classes, one for each class for several, none for regression.</summary>
    public ReadOnlySpan<float> ClassProbabilities(int row)
    {
        var width = Probabilities.Length / RowCount;
        return Probabilities.AsSpan(row * width, width);
    }
}
