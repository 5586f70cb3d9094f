using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using MlNetBatchNorm.Cli.Tests;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.NamedColumns;

/// <summary>Judged by sums that can be done in the head (<see cref="CustomerModel"/>).</summary>
public sealed class BatchNormScorerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly BatchNormScorer _scorer;

    public BatchNormScorerTests() => _scorer = BatchNormScorer.Load(CustomerModel.Write(_folder.File("model.onnx")));

    public enum Contract
    {
        Month,
        Year,
    }

    public void Dispose()
    {
        _scorer.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Columns_OfAMap_HaveDatesInPlaceOfTheirParts() =>
        Assert.Equal(["tenure", "contract_kind", "joined", "partner"], _scorer.Columns);

    [Theory]
    [InlineData("""{ "tenure": 3, "contract_kind": "Month", "joined": "2024-01-03", "partner": "Yes" }""", 2103)]
    [InlineData("""{ "partner": true, "joined": "03.01.2024", "contract_kind": " Year ", "tenure": 2.5 }""", 2202.5)]
    [InlineData("""{ "tenure": "2,5", "contract_kind": "M\u006fnth", "joined": "2024-01-01T12:00:00Z", "partner": false }""", 602.5)]
    [InlineData("""{ "tenure": null, "contract_kind": null, "joined": "2024-01-01", "partner": "No", "left": "?" }""", 410)]
    [InlineData("""{ "tenure": "NA", "contract_kind": "", "joined": "2024-01-01", "partner": "No" }""", 410)]
    [InlineData("""{ "tenure": 1e1, "contract_kind": "Weekly", "joined": null, "partner": "No" }""", 10)]
    public void Score_JsonObject_ReadsItAsATable(string json, double expected)
    {
        using var row = JsonDocument.Parse(json);

        foreach (var culture in new[] { ".", "," })
        {
            using var _ = new CultureOf(culture);
            Assert.Equal(expected, _scorer.Score(row.RootElement).Score);
            Assert.Equal(expected, _scorer.Score(row).Score);
            var two = _scorer.ScoreBatch([row.RootElement, row.RootElement]);
            Assert.Equal([expected, expected], two.Select(prediction => prediction.Score!.Value));
        }
    }

    [Theory]
    [InlineData("""{ "tenure": 1, "contract_kind": "Month", "joined": null }""", "The row lacks the column 'partner'; give each a value")]
    [InlineData("""{ "tenure": 1 }""", "lacks the columns 'contract_kind', 'joined', 'partner'")]
    [InlineData("""{ "Tenure": 1 }""", "has 'Tenure', which is no column of the model; leave it out. The columns are 'tenure'")]
    [InlineData("""{ "tenure": 1, "tenure": 2 }""", "Column 'tenure': it is there twice")]
    [InlineData("""{ "tenure": "many" }""", "'many', which is no number as those of this column are written (with a decimal comma)")]
    [InlineData("""{ "tenure": "2.5" }""", "Column 'tenure': the text '2.5', which is no number as those of this column")]
    [InlineData("""{ "tenure": true }""", "Column 'tenure': true was given; give a number, as 1, or null where there is none.")]
    [InlineData("""{ "tenure": 1e999 }""", "Column 'tenure': a number that is not finite was given; give a number, as 12.5")]
    [InlineData("""{ "tenure": 1e39 }""", "Column 'tenure': 1E+39 is more than a feature of this column, float32, can be")]
    [InlineData("""{ "tenure": {} }""", "Column 'tenure': an object was given")]
    [InlineData("""{ "contract_kind": 5 }""", "Column 'contract_kind': the number 5 was given; give a text, as 'Month' or 'Year', or null")]
    [InlineData("""{ "contract_kind": true }""", "Column 'contract_kind': true was given; give a text")]
    [InlineData("""{ "joined": "yesterday" }""", "the text 'yesterday' was given; give a date, as 31.12.2021, the day in front, or null")]
    [InlineData("""{ "joined": 20240101 }""", "Column 'joined': the number 20240101 was given; give a date")]
    [InlineData("[1, 2]", "A row is a JSON object with a value for each column, as { \"tenure\": … }; given was an array.")]
    public void Score_WrongJson_SaysWhichColumnAndWhatToDo(string json, string expected)
    {
        using var row = JsonDocument.Parse(json);

        Assert.Contains(expected, Message(() => _scorer.Score(row.RootElement)), StringComparison.Ordinal);
        var batch = Message(() => _scorer.ScoreBatch([row.RootElement]));
        Assert.StartsWith("Row 0: ", batch, StringComparison.Ordinal);
        Assert.Contains(expected, batch, StringComparison.Ordinal);

        // The next row is none the worse for it.
        using var good = JsonDocument.Parse("""{ "tenure": 3, "contract_kind": "Month", "joined": "2024-01-03", "partner": "Yes" }""");
        Assert.Equal(2103, _scorer.Score(good).Score);
    }

    [Fact]
    public void Score_TypedRows_BelongToColumnsByTheirNames()
    {
        var noon = new DateTime(2024, 1, 2, 12, 0, 0, DateTimeKind.Unspecified);

        Assert.Equal(1703, _scorer.Score(new Customer(3, "Year", noon, true)).Score);
        Assert.Equal(410, _scorer.Score(new Customer(null, null, new DateTime(2024, 1, 1), false)).Score);
        Assert.Equal(1101.5, _scorer.Score(new Marked { Months = 1.5m, Kind = Contract.Month, Since = new DateOnly(2024, 1, 2) }).Score);
        Assert.Equal(2104, _scorer.Score(new { tenure = 4L, ContractKind = "Month", Joined = "03.01.2024", partner = "No" }).Score);
        var early = new DateTimeOffset(2024, 1, 2, 2, 48, 0, TimeSpan.FromHours(-2));
        Assert.Equal(1304, _scorer.Score(new Value(4, "Month", early, 'x')).Score!.Value, 1e-3);
    }

    [Fact]
    public void Score_Partner_IsNamedWhereItWasNotThereInTraining()
    {
        var known = _scorer.Score(new Customer(1, "Month", new DateTime(2024, 1, 1), null));
        var unknown = _scorer.Score(new { tenure = 1, contract_kind = "Weekly", joined = "2024-01-01", partner = "maybe" });

        Assert.Equal(["partner"], known.UnknownColumns);
        Assert.Equal(["contract_kind", "partner"], unknown.UnknownColumns);
        Assert.Empty(_scorer.Score(new Customer(1, "Month", new DateTime(2024, 1, 1), true)).UnknownColumns);
    }

    [Fact]
    public void Score_WrongType_SaysWhichPropertyAndWhatToDo()
    {
        var date = new DateTime(2024, 1, 1);

        Assert.Contains(
            "The row lacks the columns 'contract_kind', 'joined', 'partner'", Message(() => _scorer.Score(new { Tenure = 1 })),
            StringComparison.Ordinal);
        Assert.Contains(
            "Id', which is no column of the model; mark it with [JsonIgnore]",
            Message(() => _scorer.Score(new { Id = 7, Tenure = 1, ContractKind = "Month", Joined = date, Partner = true })),
            StringComparison.Ordinal);
        Assert.Contains(
            "Column 'tenure': a property of the type Guid was given; give a number",
            Message(() => _scorer.Score(new { Tenure = Guid.Empty, ContractKind = "Month", Joined = date, Partner = true })),
            StringComparison.Ordinal);
        Assert.Contains(
            "Properties 'tenure' and 'Tenure' of",
            Message(() => _scorer.Score(new { tenure = 1, Tenure = 2, ContractKind = "Month", Joined = date, Partner = true })),
            StringComparison.Ordinal);
        Assert.Contains(
            "Column 'joined': the date 0001-01-01T00:00:00.0000000+00:00 was given; give a date",
            Message(() => _scorer.Score(new Customer(1, "Month", default, true))),
            StringComparison.Ordinal);
        Assert.Contains(
            "Dictionary`2 is neither", Message(() => _scorer.Score(new Dictionary<string, object>())), StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => _scorer.Score<Customer>(null!));
    }

    [Fact]
    public void ScoreBatch_MoreRowsThanABatch_GivesEachItsOwn()
    {
        using var scorer = BatchNormScorer.Load(_folder.File("model.onnx"), new OnnxScorerOptions { BatchSize = 4 });
        var date = new DateTime(2024, 1, 1);
        Customer[] rows = [.. Enumerable.Range(0, 11).Select(i => new Customer(i, i % 2 == 0 ? "Month" : "Year", date, true))];

        var predictions = scorer.ScoreBatch(rows);

        Assert.Equal(rows.Select((_, i) => i + (i % 2 == 0 ? 100.0 : 200)), predictions.Select(prediction => prediction.Score!.Value));
        Assert.Empty(scorer.ScoreBatch(Array.Empty<Customer>()));
    }

    [Fact]
    public void Score_TwoClasses_NamesThem()
    {
        using var scorer = BatchNormScorer.Load(CustomerModel.Write(_folder.File("two.onnx"), ModelMetadata.Binary, -0.01f));

        var prediction = scorer.Score(new Customer(0, "Month", new DateTime(2024, 1, 1), true));

        Assert.Equal(("stays", -1.0), (prediction.PredictedLabel, prediction.Score));
        Assert.Equal(1 / (1 + Math.E), prediction.Probability!.Value, 1e-6);
        Assert.Null(prediction.Probabilities);
    }

    [Fact]
    public void Score_Warm_AllocatesNothing()
    {
        using var json = JsonDocument.Parse("""{ "tenure": 3, "contract_kind": "Month", "joined": null, "partner": "Yes" }""");
        var (row, element) = (new Customer(3, "Month", new DateTime(2024, 1, 3), true), json.RootElement);
        Assert.Equal((0, 0), (AllocatedBy(() => _scorer.Score(row)), AllocatedBy(() => _scorer.Score(element))));

        static long AllocatedBy(Action score)
        {
            for (var i = 0; i < 200; i++) score();
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 200; i++) score();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    [Fact]
    public async Task Score_ManyThreads_EachGetsItsOwn()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(thread => Task.Run(() =>
        {
            for (var i = 0; i < 200; i++)
                Assert.Equal(thread + 100, _scorer.Score(new Customer(thread, "Month", new DateTime(2024, 1, 1), true)).Score);
        })));
    }

    [Fact]
    public void Score_PipelineWithoutAMap_TakesItsInputs()
    {
        var nodes = new GraphBuilder("pipeline");
        var age = nodes.Input("Age", DataType.Float, TensorDimension.Rows, 1);
        var visits = nodes.Node("Cast", [nodes.Input("Visits", DataType.Int64, TensorDimension.Rows, 1)], ("to", (long)DataType.Float));
        var member = nodes.Node("Cast", [nodes.Input("Member", DataType.Bool, TensorDimension.Rows)], ("to", (long)DataType.Float));
        var column = nodes.Node("Reshape", [member, nodes.Integers(-1, 1)]);
        nodes.Output("Score", nodes.Node("Add", [nodes.Node("Add", [age, visits]), column]), DataType.Float, TensorDimension.Rows, 1);
        var model = nodes.Build();
        CustomerModel.Describe(model, ModelMetadata.Regression);
        ModelFile.Write(model, _folder.File("pipeline.onnx"));
        using var scorer = BatchNormScorer.Load(_folder.File("pipeline.onnx"));

        Assert.Equal(["Age", "Visits", "Member"], scorer.Columns);
        Assert.Equal(33.5, scorer.Score(new { Age = 30.5, Visits = 2, Member = true }).Score);
        Assert.True(double.IsNaN(scorer.Score(new { Age = (double?)null, Visits = 2, Member = true }).Score!.Value));
        var batch = scorer.ScoreBatch([.. Enumerable.Range(3, 3).Select(i => new { Age = i, Visits = "0", Member = 0 })]);
        Assert.Equal([3.0, 4.0, 5.0], batch.Select(prediction => prediction.Score!.Value));
        Assert.Contains(
            "Column 'Visits': the number 1.5 was given; give a whole number.",
            Message(() => scorer.Score(new { Age = 1, Visits = 1.5, Member = true })),
            StringComparison.Ordinal);
        Assert.Contains(
            "Column 'Visits': it has no value, but the model needs one",
            Message(() => scorer.Score(new { Age = 1, Visits = (int?)null, Member = true })),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ModelWithoutColumns_SaysWhatToDo()
    {
        var nodes = new GraphBuilder("numbers");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, 3);
        nodes.Output("y", nodes.Node("Relu", [x]), DataType.Float, TensorDimension.Rows, 3);
        var model = nodes.Build();
        ModelFile.Write(model, _folder.File("numbers.onnx"));
        var narrow = new GraphBuilder("one number");
        var one = narrow.Input("x", DataType.Float, TensorDimension.Rows, 1);
        narrow.Output("y", narrow.Node("Relu", [one]), DataType.Float, TensorDimension.Rows, 1);
        ModelFile.Write(narrow.Build(), _folder.File("silent.onnx"));

        Assert.Contains(
            "does not say how that is made from the columns of a table (there is no metadata 'mlnetbn.features'); take model.onnx",
            Assert.Throws<InvalidModelException>(() => BatchNormScorer.Load(_folder.File("numbers.onnx"))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "takes columns, but does not say what it predicts",
            Assert.Throws<InvalidModelException>(() => BatchNormScorer.Load(_folder.File("silent.onnx"))).Message,
            StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => BatchNormScorer.Load(_folder.File("none.onnx")));
    }

    [Fact]
    public void Score_PropertyOfEachTypeOfNumber_IsTheNumber()
    {
        Check<byte>(3);
        Check<sbyte>(3);
        Check<short>(3);
        Check<ushort>(3);
        Check(3);
        Check(3u);
        Check(3L);
        Check(3UL);
        Check((Half)3);
        Check(3f);
        Check(3d);
        Check(3m);
        Check('3');
        Check(JsonDocument.Parse("3").RootElement);

        void Check<T>(T tenure)
            where T : struct
        {
            Assert.Equal(103, _scorer.Score(new OfClass<T, Contract?>(tenure, Contract.Month)).Score);
            Assert.Equal(403, _scorer.Score(new OfClass<T?, Contract?>(tenure, null)).Score);
            Assert.Equal(210, _scorer.Score(new OfStruct<T?, Contract>(null, Contract.Year)).Score);
            Assert.Equal(203, _scorer.Score(new OfStruct<T, Contract?>(tenure, Contract.Year)).Score);
        }
    }

    private static string Message(Action action) => Assert.ThrowsAny<ArgumentException>(action).Message;

    public sealed record OfClass<TTenure, TKind>(TTenure Tenure, TKind ContractKind, DateOnly? Joined = null, bool? Partner = null);

    public readonly record struct OfStruct<TTenure, TKind>(TTenure Tenure, TKind ContractKind)
    {
        public DateOnly? Joined => null;

        public string? Partner => null;
    }

    public sealed record Customer(int? Tenure, string? ContractKind, DateTime Joined, bool? Partner);

    public sealed record Marked
    {
        [JsonPropertyName("tenure")]
        public decimal Months { get; init; }

        [JsonPropertyName("contract_kind")]
        public Contract Kind { get; init; }

        [JsonPropertyName("joined")]
        public DateOnly Since { get; init; }

        public string Partner { get; } = "Yes";

        [JsonIgnore]
        public string Note { get; } = "not for the model";

        public bool Left { get; init; }
    }

    public readonly record struct Value(float Tenure, string ContractKind, DateTimeOffset Joined, char Partner);

    private sealed class CultureOf : IDisposable
    {
        private readonly CultureInfo _before = CultureInfo.CurrentCulture;

        public CultureOf(string decimalMark)
        {
            var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            culture.NumberFormat.NumberDecimalSeparator = decimalMark;
            culture.NumberFormat.NumberGroupSeparator = decimalMark == "," ? "." : ",";
            culture.DateTimeFormat.ShortDatePattern = decimalMark == "," ? "dd.MM.yyyy" : "MM/dd/yyyy";
            CultureInfo.CurrentCulture = culture;
        }

        public void Dispose() => CultureInfo.CurrentCulture = _before;
    }
}
