using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Cli.Assessment;

/// <summary>What is to be found out about a network when it has been trained.</summary>
internal sealed record AssessmentOptions
{
    /// <summary>
    /// Whether columns are judged, a linear model is trained beside, and groups are looked at, which takes some time. Default: true.
    /// </summary>
    public bool Explains { get; init; } = true;

    /// <summary>What wrong predictions of two classes cost. Default: all the same.</summary>
    public MisclassificationCosts Costs { get; init; } = new();
}

/// <summary>
/// What was found out about a network on rows that it has not learned from, so that somebody can decide what to do with it.
/// </summary>
internal sealed class ModelAssessment
{
    private ModelAssessment(TrainedTable trained) => Trained = trained;

    /// <summary>The network.</summary>
    public TrainedTable Trained { get; }

    /// <summary>The figures on the test rows, each with what other rows would make of it.</summary>
    public IReadOnlyList<(Metric Metric, Interval Value)> Figures { get; private init; } = [];

    /// <summary>Which columns matter; null = it was not asked for, or what was learned from are places in an image.</summary>
    public ColumnImportances? Columns { get; private init; }

    /// <summary>A linear model beside; null = it was not asked for.</summary>
    public LinearModel? Linear { get; private init; }

    /// <summary>From which probability on to say yes; null = there are not two classes.</summary>
    public DecisionThresholds? Thresholds { get; private init; }

    /// <summary>Are probabilities what they say? Empty for numbers.</summary>
    public IReadOnlyList<ReliabilityBin> Reliability { get; private init; } = [];

    /// <summary>How its options were found; null = they were given.</summary>
    public TunedTable? Tuned { get; private init; }

    /// <summary>The figures by groups; empty = it was not asked for, or there are none.</summary>
    public IReadOnlyList<GroupFigures> Groups { get; private init; } = [];

    /// <summary>What it comes to, in a few sentences.</summary>
    public IReadOnlyList<string> Verdict { get; private set; } = [];

    /// <summary>Finds it out.</summary>
    /// <param name="trained">The network.</param>
    /// <param name="rows">The rows that it was trained and tested on.</param>
    /// <param name="training">How it was trained; by several processes, only what needs no features is found out.</param>
    /// <param name="options">What to find out.</param>
    /// <param name="stage">Told what is being done.</param>
    /// <param name="tuned">How its options were found; null = they were given.</param>
    public static ModelAssessment Of(
        TrainedTable trained,
        TableSplit rows,
        TableTrainingOptions training,
        AssessmentOptions options,
        Action<string>? stage = null,
        TunedTable? tuned = null)
    {
        var task = trained.Schema.Label.Task;
        var (tested, predictions, seed) = (trained.Tested.Rows, trained.Tested.Predictions, training.Network.Seed ?? 0);
        var explains = options.Explains && training.Ranks is null;
        var clusters = explains && training.Schema.Group is { } group ? rows.Test.Column(group).Codes : [];
        ColumnImportances? columns = null;
        LinearModel? linear = null;
        if (explains && training.InputShape is not { Count: > 1 })
        {
            stage?.Invoke("finding out which columns matter");
            columns = ColumnImportances.Of(trained, clusters, seed);
        }

        if (explains)
        {
            stage?.Invoke("training a linear model beside");
            linear = LinearModel.Of(trained, rows.Training, training.Network.ClassWeights, clusters, seed);
        }

        var predicted = new PredictedRows(predictions, tested.TargetArray, tested.Outputs, tested.WeightArray);
        var figures = new List<(Metric, Interval)>();
        foreach (var (metric, _) in trained.TestMetrics)
            figures.Add((metric, Interval.OfMean(metric.ByRow(predicted), tested.WeightArray, clusters)));
        var assessment = new ModelAssessment(trained)
        {
            Figures = figures,
            Tuned = tuned,
            Columns = columns,
            Linear = linear,
            Thresholds = task.HasPositiveClass
                ? DecisionThresholds.Of(trained, options.Costs, Validated(trained, rows.Validation))
                : null,
            Reliability = task.HasClasses ? ReliabilityCurve.Of(predicted) : [],
            Groups = explains ? GroupFigures.Of(trained, rows.Test, training.Schema.Group, columns) : [],
        };
        assessment.Verdict = [.. VerdictSentences.Of(assessment)];
        return assessment;
    }

    /// <summary>The same for programs.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject
        {
            ["verdict"] = new JsonArray([.. Verdict.Select(sentence => (JsonNode)sentence)]),
            ["testIntervals"] = new JsonObject(
                Figures.Select(figure => KeyValuePair.Create(figure.Metric.Key, (JsonNode?)Ends(figure.Value)))),
        };
        if (Columns is { } columns)
            json["columnImportance"] = new JsonObject
            {
                ["figure"] = columns.Loss.Key,
                ["rows"] = columns.Rows,
                ["repeats"] = ColumnImportances.Repeats,
                ["leftOut"] = columns.LeftOut,
                ["columns"] = new JsonArray([.. columns.Columns.Select(column => new JsonObject
                {
                    ["column"] = column.Column,
                    [columns.Loss.Key] = Ends(column.Loss),
                    [$"{columns.Figure.Key}Loss"] = Ends(column.Figure),
                })]),
            };
        if (Linear is { } linear)
            json["linearModel"] = new JsonObject
            {
                ["trainer"] = linear.Trainer,
                ["trainingRows"] = linear.Rows,
                ["test"] = new JsonObject(linear.Test.Select(figure => KeyValuePair.Create(figure.Metric.Key, Number(figure.Value)))),
                ["networkAhead"] = new JsonObject(
                    linear.NetworkAhead.Select(figure => KeyValuePair.Create(figure.Metric.Key, (JsonNode?)Ends(figure.Ahead)))),
            };
        if (Thresholds is { } thresholds)
            json["thresholds"] = new JsonObject
            {
                ["costFalsePositive"] = thresholds.Costs.FalsePositive,
                ["costFalseNegative"] = thresholds.Costs.FalseNegative,
                ["cheapest"] = thresholds.Best,
                ["how"] = thresholds.How,
                ["test"] = new JsonArray([.. thresholds.Table.Select(at => new JsonObject
                {
                    ["threshold"] = at.Threshold,
                    ["calledPositive"] = at.Called,
                    ["precision"] = Number(at.Precision),
                    ["recall"] = Number(at.Recall),
                    ["costPer1000Rows"] = at.Cost,
                })]),
            };
        if (Reliability.Count > 0)
        {
            json["expectedCalibrationError"] = ReliabilityCurve.Error(Reliability);
            json["expectedCalibrationErrorByChance"] = ReliabilityCurve.ErrorByChance(Reliability);
        }

        if (Groups.Count > 0)
            json["groups"] = new JsonArray([.. Groups.SelectMany(column => column.Groups.Select(group => new JsonObject
            {
                ["column"] = column.Column,
                ["value"] = group.Name,
                ["rows"] = group.Rows,
                [column.Metric.Key] = Ends(group.Figure),
                ["actual"] = Number(group.Actual),
                ["predictedTooHighBy"] = double.IsNaN(group.Excess.Value) ? null : Ends(group.Excess),
            }))]);
        return json;
    }

    private static JsonArray Ends(Interval interval) => [Number(interval.Value), Number(interval.Low), Number(interval.High)];

    // JSON has no NaN.
    private static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;

    private static TestedRows? Validated(TrainedTable trained, CsvTable? table)
    {
        if (table is null || trained.Network.Model.OutOfFold is not null) return null;
        using var scorer = trained.Network.CreateScorer(
            new() { Outputs = trained.Network.Measured.Outputs, Engine = ScoringEngine.OnnxRuntime });
        var rows = trained.Schema.ToRows(table);
        return new TestedRows(rows, ModelEvaluation.Of(scorer, trained.Network.Model.Loss, rows).Predictions);
    }
}
