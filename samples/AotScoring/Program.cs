// A program that is compiled ahead of time (dotnet publish samples/AotScoring) and needs no .NET where it runs:
//   AotScoring score MODEL.onnx ROW      a customer as a JSON object; MODEL as mlnetbn train writes it for the columns of Customer below
//   AotScoring fold IN.onnx OUT.onnx     the batch normalizations of any model
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MlNetBatchNorm.Hosting;
using MlNetBatchNorm.Onnx;

switch (args)
{
    case ["score", var model, var row]:
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddBatchNormScorer(Path.GetFullPath(model));
        using (var host = builder.Build())
        using (var json = JsonDocument.Parse(row))
        {
            await host.StartAsync();
            var scorer = host.Services.GetRequiredService<IBatchNormScorer>();
            Say("as JSON", scorer.Score(json));
            Say("as a record", scorer.Score(JsonSerializer.Deserialize(row, Rows.Default.Customer)!));
            await host.StopAsync();
        }

        return 0;

    case ["fold", var model, var folded]:
        var result = BatchNormFolder.FoldFile(model, folded);
        Console.WriteLine($"{result.Fold.Removed} folded");
        return 0;

    default:
        Console.Error.WriteLine("Say what to do: AotScoring score MODEL.onnx ROW, or AotScoring fold IN.onnx OUT.onnx");
        return 2;
}

static void Say(string how, RowPrediction prediction) => Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture, $"{how}: {prediction.PredictedLabel} {prediction.Probability:R}, score {prediction.Score:R}"));

/// <summary>A customer, by the columns of the table.</summary>
internal sealed record Customer(
    [property: JsonPropertyName("tenure")] float? Tenure,
    [property: JsonPropertyName("contract_kind")] string ContractKind,
    [property: JsonPropertyName("joined")] DateOnly Joined,
    [property: JsonPropertyName("partner")] bool Partner);

/// <summary>What reads customers from JSON, made at build time.</summary>
[JsonSerializable(typeof(Customer))]
internal sealed partial class Rows : JsonSerializerContext;
