using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using MlNetBatchNorm.Onnx.Tests.NamedColumns;
using ScoringApi;

namespace MlNetBatchNorm.Samples.Tests;

/// <summary><c>POST /predict</c>, over loopback, judged by sums that can be done in the head (<see cref="CustomerModel"/>).</summary>
public sealed class ColumnScoringTests : IAsyncLifetime, IDisposable
{
    private const string Row = """{ "tenure": 3, "contract_kind": "Month", "joined": "2024-01-03", "partner": true }""";

    private readonly TemporaryFolder _folder = new();
    private WebApplication _app = null!;
    private HttpClient _client = null!;

    public async Task InitializeAsync()
    {
        WeightedSum.Write(_folder.File("model.onnx"), factor: 1);
        CustomerModel.Write(_folder.File("customers.onnx"));
        _app = ScoringService.Build(
            [
                .. RunningService.Arguments(_folder), "--Columns:ModelPath", "customers.onnx", "--Limits:BatchRows", "2",
                "--Logging:LogLevel:Default", "None",
            ]);
        await _app.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_app.Urls.First()) };
    }

    public async Task DisposeAsync() => await _app.DisposeAsync();

    public void Dispose()
    {
        _client.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Predict_RowsOfColumns_AreAnswered()
    {
        var (status, body) = await PostAsync(Row);
        Assert.Equal((HttpStatusCode.OK, 2103), (status, body.GetProperty("score").GetDouble()));

        (status, body) = await PostAsync($"[{Row}, {Row.Replace("Month", "Weekly", StringComparison.Ordinal)}]");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal([2103, 2003], body.EnumerateArray().Select(one => one.GetProperty("score").GetDouble()));
        Assert.Equal("""["contract_kind"]""", body[1].GetProperty("unknownColumns").GetRawText());
    }

    [Theory]
    [InlineData("""{ "tenure": 3 }""", 400, "The row lacks the columns 'contract_kind', 'joined', 'partner'")]
    [InlineData("""[{ "tenure": "x" }]""", 400, "Row 0: Column 'tenure': the text 'x'")]
    [InlineData("3", 400, "A row is a JSON object")]
    [InlineData("[{}, {}, {}]", 413, "3 rows were given, but at most 2 are scored at once")]
    public async Task Predict_WrongRows_AreToldWhatIs(string request, int expected, string part)
    {
        var (status, body) = await PostAsync(request);
        Assert.Equal(expected, (int)status);
        Assert.Contains(part, body.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    private async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await _client.PostAsync(new Uri("/predict", UriKind.Relative), content);
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }
}
