using System.Net;

namespace MlNetBatchNorm.Samples.Tests;

/// <summary>What the service answers, over loopback. The model: sum = x₀ + 2x₁ + 3x₂, double = 2x.</summary>
public sealed class ScoringApiTests : IAsyncLifetime
{
    private RunningService _service = null!;

    public async Task InitializeAsync() => _service = await RunningService.StartAsync();

    public async Task DisposeAsync() => await _service.DisposeAsync();

    [Fact]
    public async Task Requests_ThatAreRight_AreAnswered()
    {
        var (status, body) = await _service.PostAsync("/score", """{ "features": [1, 10, 100] }""");
        Assert.Equal((HttpStatusCode.OK, """{"generation":1,"outputs":{"sum":[321],"double":[2,20,200]}}"""), (status, body.GetRawText()));

        (status, body) = await _service.PostAsync("/score/batch", """{ "rows": [[1, 2, 3], [4, 5, 6]] }""");
        Assert.Equal(
            (HttpStatusCode.OK, """{"generation":1,"outputs":{"sum":[[14],[32]],"double":[[2,4,6],[8,10,12]]}}"""),
            (status, body.GetRawText()));

        (status, body) = await _service.GetAsync("/model");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(["f0", "f1", "f2"], body.GetProperty("featureNames").EnumerateArray().Select(name => name.GetString()));

        (status, body) = await _service.GetAsync("/openapi/v1.json");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            ["/model", "/score", "/score/batch"],
            body.GetProperty("paths").EnumerateObject().Select(path => path.Name)
                .Where(path => !path.StartsWith("/v2", StringComparison.Ordinal)));
        Assert.True(body.GetProperty("paths").TryGetProperty("/v2/models/{model}/infer", out _));
        Assert.True(
            body.GetProperty("components").GetProperty("schemas").GetProperty("ScoreRequest")
                .GetProperty("properties").TryGetProperty("features", out _));
    }

    // Each: the path, the body, the status, and a part of what is said.
    [Theory]
    [InlineData(
        "/score", """{ "features": [1, 2] }""", 400,
        "\"features\":[\"3 numbers are needed, one for each feature that GET /model lists, but 2 were given\"]")]
    [InlineData("/score", "{}", 400, "but 0 were given")]
    [InlineData("/score", """{ "features": [1, 2, 1e39] }""", 400, "\"features[2]\":[\"the value (f2) is not a finite number\"]")]
    [InlineData("/score", """{ "features": [1, 2, NaN] }""", 400, "'N' is an invalid start of a value")]
    [InlineData("/score", """{ "features": [1, 2, null] }""", 400, "$.features[2]")]
    [InlineData("/score", """{ "features": """, 400, "at the end of the JSON payload")]
    [InlineData("/score/batch", """{ "rows": [] }""", 400, "at least one row is needed")]
    [InlineData("/score/batch", "{}", 400, "at least one row is needed")]
    [InlineData("/score/batch", """{ "rows": [[1, 2, 3], [1], null] }""", 400, "\"rows[1]\":[\"3 numbers are needed")]
    [InlineData("/nowhere", "{}", 404, "\"title\":\"Not Found\"")]
    public async Task Requests_ThatAreWrong_AreToldWhatIs(string path, string request, int expected, string part)
    {
        var (status, body) = await _service.PostAsync(path, request);
        Assert.Equal(expected, (int)status);
        Assert.Equal(expected, body.GetProperty("status").GetInt32());
        Assert.Contains(part, body.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Batch_LargerThanTheLimit_IsRefused()
    {
        var rows = string.Join(',', Enumerable.Repeat("[1, 2, 3]", 51));
        var (status, body) = await _service.PostAsync("/score/batch", $"{{ \"rows\": [{rows}] }}");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, status);
        Assert.Equal("51 rows were given, but at most 50 are scored at once; send them in parts.", body.GetProperty("detail").GetString());
    }
}
