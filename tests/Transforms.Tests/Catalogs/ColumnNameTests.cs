using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests.Catalogs;

/// <summary>Columns that are called like those that trainers add, or like values in models: they work, or are refused at once.</summary>
public sealed class ColumnNameTests
{
    private readonly MLContext _ml = new(seed: 1);

    public static TheoryData<LearningTask, string> Names
    {
        get
        {
            var cases = new TheoryData<LearningTask, string>();
            foreach (var task in Enum.GetValues<LearningTask>())
            {
                foreach (var name in (string[])["Score", "Probability", "PredictedLabel", "input", "output"]) cases.Add(task, name);
                foreach (var name in (string[])["BatchNormNetworkOutput", "BatchNormNetworkClass"]) cases.Add(task, name);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Features_OfAnyName_WorkOrAreRefusedAtOnce(LearningTask task, string name)
    {
        var data = _ml.Transforms.CopyColumns(name, "Features").Append(_ml.Transforms.DropColumns("Features"))
            .Fit(Trainers.Data(_ml, task, 120)).Transform(Trainers.Data(_ml, task, 120));
        EstimatorChain<BatchNormTransformer> pipeline;
        try
        {
            pipeline = Trainers.Pipeline(_ml, task, Trainers.Quick with { FeatureColumnName = name, Epochs = 2 });
        }
        catch (ArgumentException refused)
        {
            Assert.Contains($"CopyColumns(\"Features\", \"{name}\") in front", refused.Message, StringComparison.Ordinal);
            return;
        }

        using var model = pipeline.Fit(data);
        var expected = Scores(model.Transform(data));
        foreach (var batched in new[] { false, true })
            Assert.Equal(expected, Scores(Models.SaveAndLoad(_ml, model, data.Schema, batched).Transform(data)), Close);
        using var stream = new MemoryStream();
        var file = _ml.Model.ConvertToFoldedOnnx(model, data, stream);
        Assert.Equal(name == "Score" ? "Score.output" : "Score", file.Outputs[0].Name);
        Assert.Equal(120, file.RowsCompared);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Weights_OfAnyName_Work(LearningTask task, string name)
    {
        var data = _ml.Transforms.CopyColumns(name, "Weight").Fit(Trainers.Data(_ml, task, 120)).Transform(Trainers.Data(_ml, task, 120));
        using var model = Trainers.Pipeline(_ml, task, Trainers.Quick with { ExampleWeightColumnName = name, Epochs = 2 }).Fit(data);
        using var other = Trainers.Pipeline(_ml, task, Trainers.Quick with { ExampleWeightColumnName = "Weight", Epochs = 2 }).Fit(data);
        Assert.Equal(Scores(other.Transform(data)), Scores(model.Transform(data)));
    }

    [Theory]
    [InlineData(LearningTask.Binary, "Score")]
    [InlineData(LearningTask.Binary, "Probability")]
    [InlineData(LearningTask.Binary, "PredictedLabel")]
    [InlineData(LearningTask.Multiclass, "Score")]
    [InlineData(LearningTask.Multiclass, "PredictedLabel")]
    [InlineData(LearningTask.Regression, "Score")]
    public void Label_ThatThePredictionsWouldHide_IsRefusedWithTheCure(LearningTask task, string label)
    {
        var message = Assert.Throws<ArgumentException>(
            () => Trainers.Pipeline(_ml, task, Trainers.Quick with { LabelColumnName = label })).Message;
        Assert.Contains($"Put CopyColumns(\"Target\", \"{label}\") in front", message, StringComparison.Ordinal);
    }

    // What it is refused for: ML.NET's own trainer takes it, and its evaluator finds it perfect.
    [Fact]
    public void Label_CalledScore_LooksPerfectToTheEvaluatorWithAStockTrainer()
    {
        var data = _ml.Transforms.CopyColumns("Score", "Label").Fit(Trainers.Data(_ml, LearningTask.Regression, 120))
            .Transform(Trainers.Data(_ml, LearningTask.Regression, 120));
        var model = _ml.Regression.Trainers.Sdca("Score", maximumNumberOfIterations: 2).Fit(data);
        Assert.Equal(0, _ml.Regression.Evaluate(model.Transform(data), "Score").RootMeanSquaredError);
        Assert.True(_ml.Regression.Evaluate(model.Transform(data), "Label").RootMeanSquaredError > 1000);
    }

    [Fact]
    public void Label_ThatIsTheFeatures_IsRefused() => Assert.Contains(
        "cannot both be the column 'Features'",
        Assert.Throws<ArgumentException>(() => _ml.BinaryClassification.Trainers.BatchNormNetwork("Features")).Message,
        StringComparison.Ordinal);

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void Features_OfVaryingSize_AreRefusedWithWhatToWrite(LearningTask task)
    {
        var rows = Enumerable.Range(0, 60).Select(
            i => new Varying { Features = [i % 17, i % 5, 1], Flag = i % 2 == 0, Number = i % 3, Label = $"{i % 3}" });
        var data = _ml.Data.LoadFromEnumerable(rows);
        var label = task switch { LearningTask.Binary => "Flag", LearningTask.Multiclass => "Label", _ => "Number" };
        var message = Assert.Throws<ArgumentException>(
            () => Trainers.Pipeline(_ml, task, Trainers.Quick with { LabelColumnName = label }).Fit(data)).Message;
        Assert.Contains("The column 'Features' is a vector whose size varies", message, StringComparison.Ordinal);
        Assert.Contains("[VectorType(3)] in front of the member", message, StringComparison.Ordinal);

        // With what it says to write.
        var schema = SchemaDefinition.Create(typeof(Varying));
        schema["Features"].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 3);
        var sized = _ml.Data.LoadFromEnumerable(rows, schema);
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(Trainers.Quick with { LabelColumnName = "Flag", Epochs = 1 })
            .Fit(sized);
        Assert.Equal(
            Scores(model.Transform(sized)), Scores(Models.SaveAndLoad(_ml, model, sized.Schema, batched: false).Transform(sized)), Close);
    }

    private static readonly IEqualityComparer<float> Close = EqualityComparer<float>.Create(
        (a, b) => Math.Abs(a - b) <= 1e-5f * Math.Max(1, Math.Abs(a)), value => 0);

    private static float[] Scores(IDataView scored) => scored.Schema["Score"].Type is VectorDataViewType
        ? [.. scored.GetColumn<float[]>("Score").SelectMany(row => row)]
        : [.. scored.GetColumn<float>("Score")];

    private sealed class Varying
    {
        public float[] Features { get; set; } = [];

        public bool Flag { get; set; }

        public float Number { get; set; }

        public string Label { get; set; } = "";

        public float Weight { get; set; } = 1;
    }
}
