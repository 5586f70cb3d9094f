using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Transforms.Tests.Saving;

/// <summary>
/// Small models of the three tasks, as they are saved, with their predictions for a few rows. Files of each format stay in the folder
/// <c>Golden</c>; what later code makes of them must be the same.
/// </summary>
internal static class GoldenModels
{
    private static readonly BatchNormNetworkOptions Quick = new()
    {
        Seed = 0,
        HiddenLayers = [8],
        Activation = Activation.Relu,
        Epochs = 10,
        Optimizer = Optimizer.AdamW(1e-2f),
        Device = Device.Cpu,
    };

    /// <summary>The folder with the files.</summary>
    public static string Folder { get; } = FindFolder();

    /// <summary>The rows that are predicted.</summary>
    public static IDataView Rows(MLContext ml, LearningTask task) => task switch
    {
        LearningTask.Binary => ml.Data.LoadFromEnumerable(Moons.Create(20, seed: 9)),
        LearningTask.Multiclass => ml.Data.LoadFromEnumerable(Clouds.Create(20, seed: 9)),
        _ => ml.Data.LoadFromEnumerable(Waves.Create(20, seed: 9)),
    };

    /// <summary>A small model of a task.</summary>
    public static ITransformer Train(MLContext ml, LearningTask task) => task switch
    {
        LearningTask.Binary => ml.BinaryClassification.Trainers.BatchNormNetwork(Quick).Fit(ml.Data.LoadFromEnumerable(Moons.Create(200))),
        LearningTask.Multiclass => ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick))
            .Fit(ml.Data.LoadFromEnumerable(Clouds.Create(200))),
        _ => ml.Regression.Trainers.BatchNormNetwork(Quick).Fit(ml.Data.LoadFromEnumerable(Waves.Create(200))),
    };

    /// <summary>What a model says of the rows: for each row the scores, and the probability and label if there are.</summary>
    public static float[][] Predict(MLContext ml, ITransformer model, LearningTask task)
    {
        var scored = model.Transform(Rows(ml, task));
        return task switch
        {
            LearningTask.Binary => [.. ml.Data.CreateEnumerable<BinaryPrediction>(scored, reuseRowObject: false)
                .Select(row => new[] { row.Score, row.Probability, row.PredictedLabel ? 1f : 0f })],
            LearningTask.Multiclass =>
                [.. scored.GetColumn<float[]>("Score").Zip(
                    scored.GetColumn<uint>("PredictedLabel"), (scores, key) => (float[])[.. scores, key])],
            _ => [.. scored.GetColumn<float>("Score").Select(score => new[] { score })],
        };
    }

    public static string ModelPath(LearningTask task, int format) =>
        Path.Combine(Folder, FormattableString.Invariant($"{NetworkTask.Of(task).Name}.{format}.zip"));

    public static float[][] Expected(LearningTask task, int format) =>
        JsonSerializer.Deserialize<float[][]>(File.ReadAllText(Path.ChangeExtension(ModelPath(task, format), ".json")))!;

    /// <summary>Compares predictions to 1e-5 of their size.</summary>
    public static void AssertClose(float[][] expected, float[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var row = 0; row < expected.Length; row++)
            Assert.Equal(expected[row], actual[row], (left, right) => Math.Abs(left - right) <= 1e-5f * Math.Max(1, Math.Abs(left)));
    }

    private static string FindFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var path = Path.Combine(folder.FullName, "tests", "Transforms.Tests", "Saving", "Golden");
            if (Directory.Exists(path)) return path;
        }

        return AppContext.BaseDirectory;
    }
}
