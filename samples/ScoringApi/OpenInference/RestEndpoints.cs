using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.WebUtilities;

namespace ScoringApi.OpenInference;

/// <summary>The Open Inference Protocol over REST, with tensors as JSON or, as Triton has it, as bytes behind the JSON.</summary>
internal static class RestEndpoints
{
    // How many bytes of a body are JSON, where tensors follow as bytes.
    private const string JsonLength = "Inference-Header-Content-Length";

    public static void MapOpenInference(this WebApplication app)
    {
        var v2 = app.MapGroup("/v2").WithTags("Open Inference Protocol");
        v2.MapGet("", () => Json(new ServerMetadataResponse(InferenceModel.ServerName, ScoringService.Version, InferenceModel.Extensions)))
            .WithSummary("The server, and the extensions that it speaks.").Produces<ServerMetadataResponse>();
        v2.MapGet("/health/live", () => Json(new ServerLiveResponse(true)))
            .WithSummary("Whether the server runs: a liveness probe.").Produces<ServerLiveResponse>();
        v2.MapGet("/health/ready", async (InferenceModel model, CancellationToken cancellation) =>
            {
                var ready = await model.IsReadyAsync(cancellation);
                return Json(new ServerReadyResponse(ready), ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
            })
            .WithSummary("Whether it can answer: a readiness probe.").Produces<ServerReadyResponse>()
            .Produces<ServerReadyResponse>(StatusCodes.Status503ServiceUnavailable);
        foreach (var route in new[] { "/models/{model}", "/models/{model}/versions/{version}" })
        {
            v2.MapGet(route, Describe).WithSummary("The model's inputs and outputs.")
                .Produces<ModelMetadataResponse>().Produces<ErrorResponse>(StatusCodes.Status404NotFound);
            v2.MapGet($"{route}/ready", ReadyAsync).WithSummary("Whether the model can answer.")
                .Produces<ModelReadyResponse>().Produces<ErrorResponse>(StatusCodes.Status404NotFound);
            v2.MapPost($"{route}/infer", InferAsync).WithSummary("Scores the rows of a tensor.")
                // Clients of this protocol name their content as they like, or not at all.
                .Accepts<InferRequest>("application/json", "application/octet-stream", "*/*").Produces<InferResponse>()
                .Produces<ErrorResponse>(StatusCodes.Status400BadRequest).Produces<ErrorResponse>(StatusCodes.Status404NotFound)
                .Produces<ErrorResponse>(StatusCodes.Status413PayloadTooLarge)
                .Produces<ErrorResponse>(StatusCodes.Status422UnprocessableEntity)
                .Produces<ErrorResponse>(StatusCodes.Status503ServiceUnavailable);
        }
    }

    /// <summary>Below <c>/v2</c> whatever goes wrong is said as the protocol says it: <c>{ "error": "…" }</c>.</summary>
    public static void UseOpenInferenceErrors(this WebApplication app) => app.UseWhen(
        context => context.Request.Path.StartsWithSegments("/v2"),
        v2 =>
        {
            v2.UseExceptionHandler(new ExceptionHandlerOptions
            {
                StatusCodeSelector = ServiceErrors.StatusOf,
                SuppressDiagnosticsCallback = context => ServiceErrors.IsExplained(context.Exception),
                ExceptionHandler = context => WriteAsync(
                    context, ServiceErrors.Explain(context, context.Features.Get<IExceptionHandlerFeature>()!.Error)),
            });
            v2.UseStatusCodePages(pages => WriteAsync(
                pages.HttpContext,
                $"{pages.HttpContext.Request.Method} {pages.HttpContext.Request.Path}: "
                + $"{ReasonPhrases.GetReasonPhrase(pages.HttpContext.Response.StatusCode)}."));
        });

    private static Task WriteAsync(HttpContext context, string error) =>
        context.Response.WriteAsJsonAsync(new ErrorResponse(error), OpenInferenceJson.Shared.ErrorResponse);

    private static IResult Json<T>(T value, int status = StatusCodes.Status200OK) =>
        Results.Json(value, OpenInferenceJson.Shared, statusCode: status);

    private static string? VersionIn(HttpContext context) => context.GetRouteValue("version") as string;

    private static IResult Describe(string model, InferenceModel models, HttpContext context)
    {
        models.Require(model, VersionIn(context));
        var current = models.Current;
        return Json(new ModelMetadataResponse(
            models.Name, [InferenceModel.VersionOf(current)], InferenceModel.Platform, Tensors(current.Inputs), Tensors(current.Outputs)));

        static TensorMetadata[] Tensors(IEnumerable<MlNetBatchNorm.Onnx.TensorInfo> tensors) =>
            [.. tensors.Select(tensor => new TensorMetadata(tensor.Name, InferenceTensor.Datatype, InferenceModel.ShapeOf(tensor)))];
    }

    private static async Task<IResult> ReadyAsync(
        string model, InferenceModel models, HttpContext context, CancellationToken cancellation)
    {
        models.Require(model, VersionIn(context));
        var ready = await models.IsReadyAsync(cancellation);
        return Json(
            new ModelReadyResponse(models.Name, ready), ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }

    private static async Task InferAsync(string model, InferenceModel models, HttpContext context, CancellationToken cancellation)
    {
        var version = VersionIn(context);
        models.Require(model, version);
        using var buffer = new MemoryStream((int)Math.Clamp(context.Request.ContentLength ?? 0, 0, 1 << 20));
        await context.Request.Body.CopyToAsync(buffer, cancellation);
        var body = buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
        var length = LengthOfJson(context.Request.Headers[JsonLength], body.Length);
        InferRequest request;
        try
        {
            request = JsonSerializer.Deserialize(body.Span[..length], OpenInferenceJson.Shared.InferRequest)
                ?? throw new JsonException("The body is null.");
        }
        catch (JsonException exception)
        {
            throw InferenceException.Bad($"The request is not as the protocol has it: {exception.Message}");
        }

        InferenceModel.RefuseParameters(request.Parameters?.Keys);
        var outputs = Outputs(request);
        var answer = await models.InferAsync(
            model, version, Inputs(request, body[length..]), [.. outputs.Select(output => output.Name)], cancellation);
        var all = outputs.Count == 0 && Says(request.Parameters, "binary_data_output") == true;
        await WriteAsync(context, request.Id, answer, [.. answer.Outputs.Select((_, i) => outputs.Count == 0 ? all : outputs[i].AsBytes)]);
    }

    private static int LengthOfJson(string? header, int body)
    {
        if (string.IsNullOrEmpty(header)) return body;
        return int.TryParse(header, NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length <= body
            ? length
            : throw InferenceException.Bad($"{JsonLength} is '{header}', but the body has {body} bytes.");
    }

    private static List<InferenceTensor> Inputs(InferRequest request, ReadOnlyMemory<byte> bytes)
    {
        var tensors = new List<InferenceTensor>();
        foreach (var input in request.Inputs ?? [])
        {
            if (input is not { Name: { } name, Shape: { } shape })
                throw InferenceException.Bad("An input has a name, a shape, a datatype and data, but one of these inputs lacks them.");
            InferenceModel.RequireDatatype(name, input.Datatype);
            InferenceModel.RefuseParameters(input.Parameters?.Keys);
            float[] values;
            if (input.Parameters?.TryGetValue("binary_data_size", out var given) == true)
            {
                if (input.Data is not null) throw InferenceException.Bad($"The input '{name}' has data and binary_data_size; give one.");
                if (given.ValueKind != JsonValueKind.Number || !given.TryGetInt32(out var size) || size < 0 || size > bytes.Length)
                    throw InferenceException.Bad(
                        $"The binary_data_size of the input '{name}' is {given}, but {bytes.Length} bytes are left in the body.");
                values = InferenceModel.FromBytes(name, bytes.Span[..size]);
                bytes = bytes[size..];
            }
            else
            {
                var data = input.Data ?? throw InferenceException.Bad($"The input '{name}' has no data.");
                if (data.Nesting.Length > 1 && !data.Nesting.SequenceEqual(shape))
                    throw InferenceException.Bad(
                        $"The data of the input '{name}' are nested as [{string.Join(", ", data.Nesting)}], and its shape is "
                        + $"[{string.Join(", ", shape)}].");
                values = data.Values;
            }

            tensors.Add(new InferenceTensor(name, shape, values));
        }

        return bytes.IsEmpty ? tensors : throw InferenceException.Bad($"{bytes.Length} bytes at the end of the body belong to no input.");
    }

    private static List<(string Name, bool AsBytes)> Outputs(InferRequest request)
    {
        var outputs = new List<(string, bool)>();
        var all = Says(request.Parameters, "binary_data_output") ?? false;
        foreach (var output in request.Outputs ?? [])
        {
            if (output?.Name is not { } name) throw InferenceException.Bad("An output that is asked for has a name.");
            InferenceModel.RefuseParameters(output.Parameters?.Keys);
            outputs.Add((name, Says(output.Parameters, "binary_data") ?? all));
        }

        return outputs;
    }

    private static bool? Says(Dictionary<string, JsonElement>? parameters, string name)
    {
        if (parameters is null || !parameters.TryGetValue(name, out var value)) return null;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw InferenceException.Bad($"The parameter '{name}' is {value}, but true or false is needed."),
        };
    }

    private static async Task WriteAsync(HttpContext context, string? id, InferenceAnswer answer, bool[] asBytes)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(
            new InferResponse(answer.ModelName, answer.ModelVersion,
            [
                .. answer.Outputs.Zip(asBytes, (output, bytes) => new InferResponseOutput(
                    output.Name, InferenceTensor.Datatype, output.Shape,
                    bytes ? new() { ["binary_data_size"] = output.Values.Length * sizeof(float) } : null, bytes ? null : output.Values)),
            ], id),
            OpenInferenceJson.Shared.InferResponse);
        var response = context.Response;
        var behind = answer.Outputs.Zip(asBytes).Where(output => output.Second).Select(output => output.First.Values).ToList();
        response.ContentLength = json.Length + (behind.Sum(values => values.Length) * sizeof(float));
        response.ContentType = behind.Count == 0 ? "application/json" : "application/octet-stream";
        if (behind.Count > 0) response.Headers[JsonLength] = json.Length.ToString(CultureInfo.InvariantCulture);
        await response.Body.WriteAsync(json);
        foreach (var values in behind) await response.Body.WriteAsync(MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
    }
}
