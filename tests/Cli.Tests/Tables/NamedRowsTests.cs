using System.Globalization;
using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>
/// The same rows by every road: as a table with <c>model.onnx</c> and with <c>pipeline.onnx</c>, as JSON objects and as typed records with
/// both, and through ML.NET with <c>model.zip</c>.
/// </summary>
public sealed class NamedRowsTests : IDisposable
{
    private const int Rows = 60;

    private readonly TemporaryFolder _folder = new();
    private readonly CultureInfo _culture = CultureInfo.CurrentCulture;

    public void Dispose()
    {
        CultureInfo.CurrentCulture = _culture;
        _folder.Dispose();
    }

    [Theory]
    [InlineData(".")]
    [InlineData(",")]
    public void Score_Churn_IsTheSameByEveryRoad(string decimalMark)
    {
        SetCulture(decimalMark);
        var table = CsvTable.Parse(ChurnTables.First(500));
        Train(table, "churn", LearningTask.Binary);

        var expected = RequireSame(table, "churn");

        foreach (var file in new[] { "model.onnx", "pipeline.onnx" })
        {
            using var scorer = BatchNormScorer.Load(_folder.File(file));
            Customer[] customers = [.. Enumerable.Range(0, Rows).Select(row => Customer.Of(table, row))];
            RequireClose(expected, [.. customers.Select(customer => scorer.Score(customer)).SelectMany(Values)]);
            RequireClose(expected, [.. scorer.ScoreBatch(customers).SelectMany(Values)]);
        }
    }

    [Theory]
    [InlineData(".", LearningTask.Binary)]
    [InlineData(",", LearningTask.Multiclass)]
    [InlineData(",", LearningTask.Regression)]
    public void Score_DatesLocalNumbersAndGaps_IsTheSameByEveryRoad(string decimalMark, LearningTask task)
    {
        SetCulture(decimalMark);
        var random = new Random(1);
        var lines = Enumerable.Range(0, 300).Select(i =>
        {
            var day = new DateTime(2021, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddHours(random.Next(24 * 900));
            var label = task switch
            {
                LearningTask.Binary => i % 3 == 0 ? "yes" : "no",
                LearningTask.Multiclass => $"k{i % 3}",
                _ => $"{i % 3},5",
            };
            var amount = $"{random.Next(1, 9)}.{random.Next(100, 999)},{i % 10}";
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{(i % 11 == 0 ? "" : $"{day:dd.MM.yyyy HH:mm}")};{(i % 7 == 0 ? "NA" : amount)};"
                + $"{(i % 5 == 0 ? "" : $"city {i % 4}")};{17000000000 + i};{random.Next(100)}%;{label}");
        });
        var table = CsvTable.Parse($"when;amount;city;id;share;y\n{string.Join('\n', lines)}\n");
        Train(table, "y", task);

        RequireSame(table, "y");

        // What was not there in training counts as none of the known ones, by every road.
        var unknown = CsvTable.Parse("when;amount;city;id;share\n;;elsewhere;17000000001;5%\n31.12.2030;1,5;city 1;;NA\n");
        var values = Score("model.onnx", unknown);
        RequireClose(values, Score("pipeline.onnx", unknown));
        foreach (var file in new[] { "model.onnx", "pipeline.onnx" })
        {
            using var scorer = BatchNormScorer.Load(_folder.File(file));
            using var first = Json(unknown, 0, "y", asTexts: true);
            Assert.Equal(["city"], scorer.Score(first).UnknownColumns);
            RequireClose(values, InColumns(scorer, unknown, "y", asTexts: true));
            Assert.Equal(task == LearningTask.Regression ? [] : table.Column("y").Texts.ToArray().Order(), scorer.Labels.Order());
        }
    }

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void Score_FreeTextWithGaps_IsTheSameByEveryRoad(LearningTask task)
    {
        string[] words = ["good", "bad", "late", "the", "parcel", "was", "很", "好", "broken,", "and"];
        var random = new Random(2);
        var lines = Enumerable.Range(0, 300).Select(i =>
        {
            var text = i % 13 == 0 ? "" : string.Join(' ', Enumerable.Range(0, random.Next(4, 9)).Select(_ => words[random.Next(10)]));
            return $"\"{text}\",{(i % 9 == 0 ? "" : i % 17)},{(task == LearningTask.Regression ? $"{i % 7}.5" : $"k{i % (int)(task + 2)}")}";
        });
        var table = CsvTable.Parse($"text,x,y\n{string.Join('\n', lines)}\n");
        Train(table, "y", task);

        Assert.IsType<TextFeature>(Features().Columns[0]);
        RequireSame(table, "y");

        var unknown = CsvTable.Parse("text,x\nnobody knows,1\n\"The parcel, BROKEN!\",2\n12,3\n");
        var values = Score("model.onnx", unknown);
        RequireClose(values, Score("pipeline.onnx", unknown));
        foreach (var file in new[] { "model.onnx", "pipeline.onnx" })
        {
            using var scorer = BatchNormScorer.Load(_folder.File(file));
            using var first = Json(unknown, 0, "y", asTexts: true);
            Assert.Equal(["text"], scorer.Score(first).UnknownColumns);
            RequireClose(values, InColumns(scorer, unknown, "y", asTexts: false));
        }
    }

    [Fact]
    public void Score_PipelineAndWrongTable_NamesFileLineAndColumn()
    {
        Train(CsvTable.Parse(ChurnTables.First(300)), "churn", LearningTask.Binary);
        var header = ChurnTables.Lines[0].Replace("\"", string.Empty, StringComparison.Ordinal);
        var row = ChurnTables.Lines[1].Replace("\"", string.Empty, StringComparison.Ordinal);
        using var scorer = TableScorer.Open(_folder.File("pipeline.onnx"));

        var lacking = Assert.Throws<TableException>(() => scorer.Score(CsvTable.Parse("tenure,contract\n1,x\n", "new.csv")));
        var bad = row.Replace(",29.85,29.85", ",much,29.85", StringComparison.Ordinal);
        var wrong = Assert.Throws<TableException>(() => scorer.Score(CsvTable.Parse($"{header}\n{bad}\n", "new.csv")));

        Assert.StartsWith("new.csv: the model needs columns female, senior_citizen", lacking.Message, StringComparison.Ordinal);
        Assert.StartsWith(
            "new.csv, line 2, column 'monthly_charges': the text 'much' was given; give a number", wrong.Message, StringComparison.Ordinal);
        scorer.Score(CsvTable.Parse($"{header}\n{row.Replace("Month-to-month", "Weekly", StringComparison.Ordinal)}\n"));
        Assert.Equal(
            "1 row has a value in column 'contract' that was not there in training: 'Weekly'", $"{Assert.Single(scorer.UnknownValues)}");
    }

    private void Train(CsvTable table, string label, LearningTask task)
    {
        var (training, test) = TableSplit.Every(table, 0.2);
        var network = new BatchNormNetworkOptions { HiddenLayers = [8], Members = 1, Epochs = 2, Seed = 0 };
        var options = new TableTrainingOptions { Label = label, Task = task, Network = network };
        using var trained = TableTrainer.Train(training, test, options);
        trained.Save(_folder.Path);
        trained.SavePipeline(_folder.Path, test);
    }

    private float[] RequireSame(CsvTable table, string label)
    {
        var rows = table.Select([.. Enumerable.Range(0, Rows)]);
        var expected = Score("model.onnx", rows);
        RequireClose(expected, Score("pipeline.onnx", rows));
        RequireClose(expected, Score("model.zip", rows));
        RequireClose(expected, ThroughMlNet(rows));
        foreach (var file in new[] { "model.onnx", "pipeline.onnx" })
        {
            using var scorer = BatchNormScorer.Load(_folder.File(file));
            RequireClose(expected, InColumns(scorer, rows, label, asTexts: true));
            RequireClose(expected, InColumns(scorer, rows, label, asTexts: false));
        }

        return expected;
    }

    // Row by row: what a row's prediction has, as Values has it.
    private float[] Score(string file, CsvTable rows)
    {
        using var scorer = TableScorer.Open(_folder.File(file));
        var prediction = scorer.Score(rows);
        var (values, count) = (prediction.Values, rows.RowCount);
        return prediction.Task.Kind == LearningTask.Binary
            ? [.. Enumerable.Range(0, count).SelectMany(row => new[] { values[row], values[count + row] })]
            : [.. values.Select(value => (float)(prediction.Offset + value))];
    }

    private float[] ThroughMlNet(CsvTable rows)
    {
        var ml = new MLContext();
        var scored = ml.Model.Load(_folder.File("model.zip"), out _).Transform(new TableDataView(rows, Features()));
        if (scored.Schema["Score"].Type is VectorDataViewType)
            return [.. scored.GetColumn<float[]>("Score").SelectMany(values => values)];
        var scores = scored.GetColumn<float>("Score").ToArray();
        return scored.Schema.GetColumnOrNull("Probability") is null ? scores
            : [.. scores.Zip(scored.GetColumn<float>("Probability")).SelectMany(pair => new[] { pair.First, pair.Second })];
    }

    private FeatureMap Features()
    {
        using var scorer = BatchNormScorer.Load(_folder.File("model.onnx"));
        return FeatureMap.FromJson(scorer.Metadata["mlnetbn.features"]);
    }

    private static float[] InColumns(BatchNormScorer scorer, CsvTable rows, string label, bool asTexts)
    {
        var documents = Enumerable.Range(0, rows.RowCount).Select(row => Json(rows, row, label, asTexts)).ToList();
        var one = documents.ConvertAll(document => scorer.Score(document));
        var batch = scorer.ScoreBatch(documents.ConvertAll(document => document.RootElement));
        documents.ForEach(document => document.Dispose());
        RequireClose([.. one.SelectMany(Values)], [.. batch.SelectMany(Values)]);
        return [.. one.SelectMany(Values)];
    }

    // As texts, or with numbers and nulls where the text is one as programs write it.
    private static JsonDocument Json(CsvTable table, int row, string label, bool asTexts)
    {
        var values = table.Columns.Where(column => column.Name != label).ToDictionary(column => column.Name, object? (column) =>
            asTexts ? column[row]
            : column.IsMissing(row) ? null
            : double.TryParse(column[row], NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number
            : column[row]);
        return JsonSerializer.SerializeToDocument(values);
    }

    private static float[] Values(RowPrediction prediction) =>
        prediction.Probabilities is { } all ? [.. all]
        : prediction.Probability is { } probability ? [(float)prediction.Score!.Value, probability]
        : [(float)prediction.Score!.Value];

    private static void RequireClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Max(MathF.Abs);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-5f * scale);
    }

    private static void SetCulture(string decimalMark)
    {
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        culture.NumberFormat.NumberDecimalSeparator = decimalMark;
        culture.NumberFormat.NumberGroupSeparator = decimalMark == "," ? "." : ",";
        culture.DateTimeFormat.ShortDatePattern = decimalMark == "," ? "dd.MM.yyyy" : "MM/dd/yyyy";
        CultureInfo.CurrentCulture = culture;
    }

    /// <summary>A customer as a program has one.</summary>
    private sealed record Customer(
        int Female, int SeniorCitizen, int Partner, int Dependents, int Tenure, int PhoneService, string MultipleLines,
        string InternetService, string OnlineSecurity, string OnlineBackup, string DeviceProtection, string TechSupport,
        string StreamingTv, string StreamingMovies, string Contract, int PaperlessBilling, string PaymentMethod,
        double MonthlyCharges, double? TotalCharges)
    {
        public static Customer Of(CsvTable table, int row)
        {
            return new Customer(
                Number("female"), Number("senior_citizen"), Number("partner"), Number("dependents"), Number("tenure"),
                Number("phone_service"), Text("multiple_lines"), Text("internet_service"), Text("online_security"),
                Text("online_backup"), Text("device_protection"), Text("tech_support"), Text("streaming_tv"),
                Text("streaming_movies"), Text("contract"), Number("paperless_billing"),
                Text("payment_method"), double.Parse(Text("monthly_charges"), CultureInfo.InvariantCulture),
                table.Column("total_charges").IsMissing(row) ? null : double.Parse(Text("total_charges"), CultureInfo.InvariantCulture));

            string Text(string column) => table.Column(column)[row];

            int Number(string column) => int.Parse(Text(column), CultureInfo.InvariantCulture);
        }
    }
}
