using System.Globalization;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>Columns of free text become features that count their words; names and identifiers do not.</summary>
public sealed class TextColumnTests
{
    private static readonly string[] Words =
    [
        "the", "parcel", "came", "late", "and", "was", "broken", "I", "like", "it", "very", "good", "service", "not", "at", "all", "again",
    ];

    private static readonly string[] Titles = ["Pressure", "Valve", "of", "Steel", "for", "Hot", "Water", "Large", "Small", "Pump"];

    private static readonly string[] Given = ["Anna", "Bert", "Cem", "Dora", "Emil", "Fee", "Gus", "Hugo", "Ida", "Jan"];

    [Theory]
    [InlineData("sentences")]
    [InlineData("capitals")]
    [InlineData("titles")]
    [InlineData("chinese")]
    [InlineData("thai")]
    [InlineData("cyrillic")]
    public void Infer_FreeText_CountsItsWords(string kind)
    {
        var schema = Infer(kind);

        var feature = Assert.IsType<TextFeature>(schema.Features.Columns[0]);
        Assert.Equal((1 << 16, 2), (feature.Buckets, feature.Words));
        Assert.InRange(feature.FeatureCount, 10, 4096);
        var report = schema.Reports.Single(report => report.Name == "t");
        Assert.Equal((ColumnKind.Text, feature.FeatureCount), (report.Kind, report.FeatureCount));
        Assert.Contains("counted in 65536 buckets; those that 2 rows or more have are", report.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("names")]
    [InlineData("long names")]
    [InlineData("codes")]
    [InlineData("identifiers with words")]
    [InlineData("addresses of mail")]
    [InlineData("addresses of computers")]
    [InlineData("uuids")]
    [InlineData("words of nobody else")]
    public void Infer_NamesAndIdentifiers_AreLeftOut(string kind)
    {
        var report = Infer(kind).Reports.Single(report => report.Name == "t");

        Assert.Equal(ColumnKind.Dropped, report.Kind);
        Assert.Contains("--text t", report.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Infer_AskedFor_TakesOrLeavesWhatever()
    {
        Assert.IsType<TextFeature>(Infer("names", new() { Text = ["t"] }).Features.Columns[0]);
        Assert.Equal(ColumnKind.Ignored, Infer("sentences", new() { Ignore = ["t"] }).Reports.Single(report => report.Name == "t").Kind);
        Assert.IsType<CategoricalFeature>(Infer("sentences", new() { Categorical = ["t"], MaxCategories = 500 }).Features.Columns[0]);
        Assert.Contains(
            "30 different texts, but no word that 2 rows have",
            InferTable($"t,x,y\n{string.Concat(Enumerable.Range(0, 30).Select(i => $"w{i},{i},{i % 2}\n"))}", new() { Text = ["t"] })
                .Reports[0].Detail,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Infer_TextsThatComeUpTwice_AreNoCategories()
    {
        // Each text in two of 600 rows, so that none has rows enough for a vector of its own.
        var rows = Enumerable.Range(0, 600).Select(i => $"\"{Text("sentences", i % 300)}\",{i % 7},{i % 2}\n");

        Assert.IsType<TextFeature>(InferTable($"t,x,y\n{string.Concat(rows)}", new()).Features.Columns[0]);
    }

    [Fact]
    public void Bind_TextsOfNewRows_AreWordsOrNothing()
    {
        var map = Infer("sentences").Features;
        var feature = (TextFeature)map.Columns[0];
        var longText = string.Concat(Enumerable.Repeat("the parcel was late ", 50_000));

        var encoder = map.Bind(CsvTable.Parse($"t,x\nthe parcel was LATE!,1\n,2\nNA,3\nqwerty,4\n\"{longText}\",5\n...,6\n"));

        var (features, width) = (encoder.EncodeAll(), map.FeatureCount);
        var terms = feature.Encode("The parcel was late");
        Assert.NotEmpty(terms.Places);
        for (var i = 0; i < terms.Places.Length; i++) Assert.Equal(terms.Values[i], features[terms.Places[i]]);
        foreach (var row in new[] { 1, 2, 3, 5 }) Assert.Equal(1, features[(row * width)..((row + 1) * width)].Count(value => value != 0));
        Assert.InRange(features[(4 * width)..(5 * width - 1)].Sum(value => value * value), 0.8f, 1.0001f);
        Assert.Equal(
            "1 row has a value in column 't' that was not there in training: 'qwerty'", $"{Assert.Single(encoder.UnknownValues)}");
    }

    [Fact]
    public void ToJson_Texts_AreOfAFormatThatEarlierProgramsRefuse()
    {
        var json = new FeatureMap([new TextFeature("review", 1024, 2, [3, 700])]).ToJson();

        Assert.Equal(
            """{"version":5,"columns":[{"kind":"text","name":"review","buckets":1024,"words":2,"kept":[3,700]}]}""", json);
        Assert.Equal(["review#3", "review#700"], FeatureMap.FromJson(json).FeatureNames);
    }

    [Fact]
    public void Train_SignalInPairsOfWords_IsLearned()
    {
        // "not good" and "good not" have the same words.
        var rows = Enumerable.Range(0, 600).Select(i =>
            $"\"{Text("sentences", i)} {(i % 2 == 0 ? "not good but" : "but good not")} {Text("sentences", i + 1000)}\",{i * 37 % 11},{i % 2}\n");
        var (training, test) = TableSplit.Every(CsvTable.Parse($"t,x,y\n{string.Concat(rows)}"), 0.2);
        var network = new BatchNormNetworkOptions { HiddenLayers = [16], Members = 1, Epochs = 20, Seed = 0 };

        using var trained = TableTrainer.Train(training, test, new() { Label = "y", Network = network });

        Assert.InRange(trained.TestMetrics.Single(figure => figure.Metric.Key == "auc").Value, 0.95, 1);
    }

    private static TableSchema Infer(string kind, TableSchemaOptions? options = null) => InferTable(
        $"t,x,y\n{string.Concat(Enumerable.Range(0, 200).Select(i => $"\"{Text(kind, i)}\",{i % 7},{i % 2}\n"))}", options ?? new());

    private static TableSchema InferTable(string csv, TableSchemaOptions options) =>
        TableSchema.Infer(CsvTable.Parse(csv), "y", LearningTask.Binary, options);

    private static string Text(string kind, int row)
    {
        var random = new Random(row);
        return kind switch
        {
            "sentences" => Some(Words, 4, 12, " "),
            "capitals" => Some(Words, 6, 12, " ").ToUpperInvariant(),
            "titles" => Some(Titles, 4, 8, " "),
            "chinese" => $"今天{Some(["天气", "很好", "不好", "下雨", "我们", "去", "公园", "喜欢"], 5, 9, "")}。",
            "thai" => Some(["วันนี้", "อากาศ", "ดี", "มาก", "ไม่", "ชอบ", "ฝน", "ตก"], 5, 9, ""),
            "cyrillic" => Some(["посылка", "пришла", "поздно", "и", "была", "разбита", "очень", "хорошо"], 4, 9, " "),
            "names" => $"{Some(Given, 1, 2, " ")} {Some(["Meyer", "Kaya", "Novak"], 1, 2, "")}{row}",
            "long names" => $"Dr. {Some(Given, 2, 3, " ")} {Some(["Meyer", "Kaya", "Novak", "Okoro"], 1, 2, "")} {(char)('A' + (row % 26))}",
            "codes" => $"AB-{row:D5}-X",
            "identifiers with words" => $"order no {row}",
            "addresses of mail" => $"{Some(Given, 1, 2, "")}.{row}@example.com",
            "addresses of computers" => $"192.168.{row / 16}.{row % 16}",
            "uuids" => new Guid(row, 1, 2, 3, 4, 5, 6, 7, 8, 9, (byte)row).ToString(),
            _ => string.Join(' ', Enumerable.Range(0, 6).Select(i => $"w{row.ToString(CultureInfo.InvariantCulture)}x{i}")),
        };

        string Some(string[] words, int least, int most, string between) => string.Join(
            between, Enumerable.Range(0, random.Next(least, most)).Select(_ => words[random.Next(words.Length)]));
    }
}
