using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Samples.Tests;

/// <summary>
/// The Open Inference Protocol over REST, as https://github.com/kserve/open-inference-protocol has it. The model:
/// sum = x₀ + 2x₁ + 3x₂, double = 2x.
/// </summary>
public sealed class OpenInferenceRestTests : IAsyncLifetime
{
    private RunningService _service = null!;

    public async Task InitializeAsync() => _service = await RunningService.StartAsync("--Limits:BodyBytes", "4000");

    public async Task DisposeAsync() => await _service.DisposeAsync();

    [Theory]
    [InlineData("/v2/health/live", """{"live":true}""")]
    [InlineData("/v2/health/ready", """{"ready":true}""")]
    [InlineData("/v2/models/model/ready", """{"name":"model","ready":true}""")]
    [InlineData("/v2/models/model/versions/1/ready", """{"name":"model","ready":true}""")]
    [InlineData("/v2/", """{"name":"MlNetBatchNorm ScoringApi","version":"0.1.0","extensions":["binary_tensor_data"]}""")]
    [InlineData(
        "/v2/models/model",
        """
        {"name":"model","versions":["1"],"platform":"onnx_onnxv1",
         "inputs":[{"name":"x","datatype":"FP32","shape":[-1,3]}],
         "outputs":[{"name":"sum","datatype":"FP32","shape":[-1,1]},{"name":"double","datatype":"FP32","shape":[-1,3]}]}
        """)]
    public async Task Get_HealthAndMetadata_AreAsTheProtocolHasThem(string path, string expected)
    {
        var (status, body) = await _service.GetAsync(path);
        Assert.Equal(HttpStatusCode.OK, status);
        AssertJson(expected, body.GetRawText());
    }

    // The protocol's tensors are flat or nested, and named outputs come in the order in which they are named.
    [Theory]
    [InlineData("[1, 2, 3, 4, 5, 6]")]
    [InlineData("[[1, 2, 3], [4, 5, 6]]")]
    public async Task Infer_TwoRows_AreAnswered(string data)
    {
        var (status, body) = await InferAsync($$"""
            { "id": "42", "parameters": { "priority": 1 },
              "inputs": [{ "name": "x", "shape": [2, 3], "datatype": "FP32", "parameters": {}, "data": {{data}} }],
              "outputs": [{ "name": "double" }, { "name": "sum", "parameters": { "binary_data": false } }] }
            """);
        Assert.Equal(HttpStatusCode.OK, status);
        AssertJson(
            """
            {"model_name":"model","model_version":"1","id":"42",
             "outputs":[{"name":"double","datatype":"FP32","shape":[2,3],"data":[2,4,6,8,10,12]},
                        {"name":"sum","datatype":"FP32","shape":[2,1],"data":[14,32]}]}
            """,
            body.GetRawText());
    }

    [Fact]
    public async Task Infer_WithoutIdAndOutputs_HasAllOutputsAndNoId()
    {
        var (status, body) = await InferAsync(Row("[1, 10, 100]"), "/v2/models/model/versions/1/infer");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            ["sum", "double"], body.GetProperty("outputs").EnumerateArray().Select(output => output.GetProperty("name").GetString()));
        Assert.False(body.TryGetProperty("id", out _));
    }

    [Theory]
    [InlineData("""{ "inputs": [] }""", "The input 'x' is missing; the inputs are 'x'.")]
    [InlineData("""{ "inputs": [null] }""", "one of these inputs lacks them")]
    [InlineData("{}", "The input 'x' is missing")]
    [InlineData("null", "The body is null")]
    [InlineData("{ \"inputs\": ", "not as the protocol has it")]
    public async Task Infer_RequestThatIsWrong_IsToldWhatIs(string request, string part)
    {
        var (status, body) = await InferAsync(request);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(part, Error(body), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "name": "y", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3] }""", "There is no input 'y'")]
    [InlineData("""{ "name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3] }""", "given as FP64")]
    [InlineData("""{ "name": "x", "shape": [1, 3], "data": [1, 2, 3] }""", "given as nothing, but FP32 is needed")]
    [InlineData("""{ "name": "x", "shape": [3], "datatype": "FP32", "data": [1, 2, 3] }""", "the shape [3], but [-1, 3]")]
    [InlineData("""{ "name": "x", "shape": [0, 3], "datatype": "FP32", "data": [] }""", "at least one row")]
    [InlineData("""{ "name": "x", "shape": [-1, 3], "datatype": "FP32", "data": [1, 2, 3] }""", "at least one row")]
    [InlineData("""{ "name": "x", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3] }""", "has 3 numbers, but its shape")]
    [InlineData("""{ "name": "x", "shape": [1, 3], "datatype": "FP32" }""", "has no data")]
    [InlineData("""{ "name": "x", "shape": [3, 1], "datatype": "FP32", "data": [[1, 2, 3]] }""", "nested as [1, 3]")]
    [InlineData("""{ "name": "x", "shape": [1, 3], "datatype": "FP32", "data": [[1, 2], [3]] }""", "ragged")]
    [InlineData("""{ "name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, [3]] }""", "ragged")]
    [InlineData("""{ "name": "x", "shape": [1, 3], "datatype": "FP32", "data": [[1], 2, 3] }""", "ragged")]
    [InlineData("""{ "name": "x", "shape": [1, 3], "datatype": "FP32", "data": ["1", 2, 3] }""", "a String was given")]
    [InlineData("""{ "name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 1e39] }""", "The number 2 of the input 'x'")]
    [InlineData(
        """{ "name": "x", "shape": [1, 3], "datatype": "FP32", "parameters": { "binary_data_size": 12 } }""", "0 bytes are left")]
    [InlineData(
        """{ "name": "x", "shape": [1, 3], "datatype": "FP32", "parameters": { "shared_memory_region": "a" }, "data": [1] }""",
        "'shared_memory_region' is of an extension")]
    [InlineData(
        """{ "name": "x", "shape": [], "datatype": "FP32", "data": [] }, { "name": "x", "shape": [], "datatype": "FP32", "data": [] }""",
        "The input 'x' is given twice.")]
    public async Task Infer_InputThatIsWrong_IsToldWhatIs(string input, string part)
    {
        var (status, body) = await InferAsync($$"""{ "inputs": [{{input}}] }""");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(part, Error(body), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Infer_RowBeyondTheModel_IsRefused()
    {
        var (status, body) = await InferAsync(Row("[1, 2, 3e38]"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.StartsWith("The model's answer 'sum' to row 0 is", Error(body), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""[{ "name": "sum" }, { "name": "sum" }]""", "asked for twice")]
    [InlineData("""[{ "name": "z" }]""", "There is no output 'z'; the outputs are 'sum', 'double'.")]
    [InlineData("[{}]", "An output that is asked for has a name.")]
    [InlineData("""[{ "name": "sum", "parameters": { "classification": 2 } }]""", "'classification' is of an extension")]
    [InlineData("""[{ "name": "sum", "parameters": { "binary_data": "yes" } }]""", "true or false is needed")]
    public async Task Infer_OutputsThatAreWrong_AreToldWhatIs(string outputs, string part)
    {
        var (status, body) = await InferAsync(Row("[1, 2, 3]").Replace("] }", $"], \"outputs\": {outputs} }}", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(part, Error(body), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/v2/models/other", 404, "There is no model 'other'; the model here is 'model'.")]
    [InlineData("GET", "/v2/models/model/versions/2", 404, "has no version '2'; 1 is in use")]
    [InlineData("GET", "/v2/models/model/versions/2/ready", 404, "has no version '2'")]
    [InlineData("POST", "/v2/models/model/versions/2/infer", 404, "has no version '2'")]
    [InlineData("GET", "/v2/models/model/infer", 405, "Method Not Allowed")]
    [InlineData("GET", "/v2/nowhere", 404, "Not Found")]
    public async Task Request_OfWhatIsNotThere_IsRefusedAsTheProtocolHasIt(string method, string path, int expected, string part)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await _service.Client.SendAsync(request);
        Assert.Equal(expected, (int)response.StatusCode);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Contains(part, Error(body.RootElement), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(51, 413, "51 rows were given, but at most 50")]
    [InlineData(1000, 413, "body too large")]
    public async Task Infer_BeyondTheLimits_IsRefused(int rows, int expected, string part)
    {
        var data = string.Join(',', Enumerable.Repeat("1,2,3", rows));
        var (status, body) = await InferAsync(
            $$"""{ "inputs": [{ "name": "x", "shape": [{{rows}}, 3], "datatype": "FP32", "data": [{{data}}] }] }""");
        Assert.Equal(expected, (int)status);
        Assert.Contains(part, Error(body), StringComparison.Ordinal);
    }

    // Triton's extension for tensors as bytes: the length of the JSON in a header, the bytes behind it.
    [Fact]
    public async Task Infer_BytesBehindTheJson_AreAnsweredWithBytes()
    {
        using var response = await SendBytesAsync("""
            {"inputs":[{"name":"x","shape":[2,3],"datatype":"FP32","parameters":{"binary_data_size":24}}],
             "outputs":[{"name":"sum","parameters":{"binary_data":true}},{"name":"double"}]}
            """, [1, 2, 3, 4, 5, 6]);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var answer = await response.Content.ReadAsByteArrayAsync();
        var length = int.Parse(
            Assert.Single(response.Headers.GetValues("Inference-Header-Content-Length")), CultureInfo.InvariantCulture);
        AssertJson(
            """
            {"model_name":"model","model_version":"1",
             "outputs":[{"name":"sum","datatype":"FP32","shape":[2,1],"parameters":{"binary_data_size":8}},
                        {"name":"double","datatype":"FP32","shape":[2,3],"data":[2,4,6,8,10,12]}]}
            """,
            Encoding.UTF8.GetString(answer, 0, length));
        Assert.Equal([14f, 32], MemoryMarshal.Cast<byte, float>(answer.AsSpan(length)).ToArray());
    }

    [Fact]
    public async Task Infer_CompressedBody_IsUnpackedWithinTheLimit()
    {
        Assert.Equal(HttpStatusCode.OK, await SendAsync(Row("[1, 2, 3]")));
        // A body that is small only as long as it is packed.
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await SendAsync(Row("[1, 2, 3]") + new string(' ', 1_000_000)));

        async Task<HttpStatusCode> SendAsync(string json)
        {
            using var packed = new MemoryStream();
            await using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
                await gzip.WriteAsync(Encoding.UTF8.GetBytes(json));
            Assert.True(packed.Length < 4000);
            using var content = new ByteArrayContent(packed.ToArray());
            content.Headers.ContentEncoding.Add("gzip");
            using var response = await _service.Client.PostAsync(new Uri("/v2/models/model/infer", UriKind.Relative), content);
            return response.StatusCode;
        }
    }

    [Theory]
    [InlineData(8, "bytes at the end of the body belong to no input")]
    [InlineData(16, "The binary_data_size of the input 'x' is 16, but 12 bytes are left")]
    [InlineData(-4, "The binary_data_size of the input 'x' is -4")]
    [InlineData(11, "has 11 bytes, which is no whole number of FP32")]
    public async Task Infer_BytesThatDoNotFit_AreRefused(int size, string part)
    {
        using var response = await SendBytesAsync(
            $$$"""{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","parameters":{"binary_data_size":{{{size}}}}}]}""", [1, 2, 3]);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(part, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("9999")]
    [InlineData("-1")]
    [InlineData("a")]
    public async Task Infer_LengthOfJsonThatIsWrong_IsRefused(string length)
    {
        using var response = await SendBytesAsync("{}", [], length);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = await response.Content.ReadAsStringAsync();
        Assert.Contains($"Inference-Header-Content-Length is '{length}'", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Model_PutInPlaceOfAnother_IsTheNextVersion()
    {
        WeightedSum.Write(_service.ModelPath, factor: 2);
        for (var wait = 0; _service.Scorer.Model.Generation < 2 && wait < 1000; wait++) await Task.Delay(10);
        var (status, _) = await InferAsync(Row("[1, 10, 100]"), "/v2/models/model/versions/1/infer");
        Assert.Equal(HttpStatusCode.NotFound, status);
        (status, var body) = await InferAsync(Row("[1, 10, 100]"), "/v2/models/model/versions/2/infer");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("2", body.GetProperty("model_version").GetString());
        Assert.Equal(642, body.GetProperty("outputs")[0].GetProperty("data")[0].GetSingle());
    }

    // All that the protocol's error has.
    private static string Error(JsonElement body)
    {
        var member = Assert.Single(body.EnumerateObject());
        Assert.Equal("error", member.Name);
        return member.Value.GetString()!;
    }

    // A row of the scorer is one row of each input, one behind the other: y = a₀ + 10a₁ + 100b₀ + 1000b₁.
    [Fact]
    public async Task Infer_SeveralInputs_AreJoinedRowByRow()
    {
        var nodes = new GraphBuilder("two inputs");
        var b = nodes.Node("Flatten", [nodes.Input("b", DataType.Float, TensorDimension.Rows, 1, 2)], ("axis", 1));
        var a = nodes.Input("a", DataType.Float, TensorDimension.Rows, 2);
        var weights = nodes.Initializer(TensorData.Create("weights", [1f, 10, 100, 1000], 4, 1));
        var y = nodes.Node("MatMul", [nodes.Node("Concat", [a, b], ("axis", 1)), weights]);
        nodes.Output("y", y, DataType.Float, TensorDimension.Rows, 1);
        await using var service = await RunningService.StartAsync(nodes.Build());

        var (_, metadata) = await service.GetAsync("/v2/models/model");
        AssertJson(
            """[{"name":"b","datatype":"FP32","shape":[-1,1,2]},{"name":"a","datatype":"FP32","shape":[-1,2]}]""",
            metadata.GetProperty("inputs").GetRawText());
        const string A = """{ "name": "a", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4] }""";
        var (status, body) = await service.PostAsync(
            "/v2/models/model/infer",
            $$"""{ "inputs": [{{A}}, { "name": "b", "shape": [2, 1, 2], "datatype": "FP32", "data": [[[5, 6]], [[7, 8]]] }] }""");
        Assert.Equal(HttpStatusCode.OK, status);
        AssertJson("[6521, 8743]", body.GetProperty("outputs")[0].GetProperty("data").GetRawText());
        (_, body) = await service.PostAsync("/score/batch", """{ "rows": [[5, 6, 1, 2], [7, 8, 3, 4]] }""");
        AssertJson("[[6521], [8743]]", body.GetProperty("outputs").GetProperty("y").GetRawText());
        (status, body) = await service.PostAsync(
            "/v2/models/model/infer",
            $$"""{ "inputs": [{{A}}, { "name": "b", "shape": [1, 1, 2], "datatype": "FP32", "data": [5, 6] }] }""");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("as many in each input", Error(body), StringComparison.Ordinal);
    }

    private static void AssertJson(string expected, string given)
    {
        using var left = JsonDocument.Parse(expected);
        using var right = JsonDocument.Parse(given);
        Assert.True(JsonElement.DeepEquals(left.RootElement, right.RootElement), given);
    }

    private static string Row(string data) =>
        $$"""{ "inputs": [{ "name": "x", "shape": [1, 3], "datatype": "FP32", "data": {{data}} }] }""";

    private Task<(HttpStatusCode Status, JsonElement Body)> InferAsync(string request, string path = "/v2/models/model/infer") =>
        _service.PostAsync(path, request);

    private async Task<HttpResponseMessage> SendBytesAsync(string json, float[] values, string? length = null)
    {
        var head = Encoding.UTF8.GetBytes(json);
        using var content = new ByteArrayContent([.. head, .. MemoryMarshal.AsBytes(values.AsSpan())]);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v2/models/model/infer") { Content = content };
        request.Headers.TryAddWithoutValidation("Inference-Header-Content-Length", length ?? $"{head.Length}");
        return await _service.Client.SendAsync(request);
    }
}
