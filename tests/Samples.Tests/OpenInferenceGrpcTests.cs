using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using ScoringApi.OpenInference.Protocol;

namespace MlNetBatchNorm.Samples.Tests;

/// <summary>The Open Inference Protocol over gRPC. The model: sum = x₀ + 2x₁ + 3x₂, double = 2x.</summary>
public sealed class OpenInferenceGrpcTests : IAsyncLifetime
{
    // What goes over the wire, as https://github.com/kserve/open-inference-protocol publishes it at d49cc23: each message's fields by
    // their numbers, and in brackets those of which there may be several.
    private const string Published = """
        ServerLiveRequest:
        ServerLiveResponse: 1 bool live
        ServerReadyRequest:
        ServerReadyResponse: 1 bool ready
        ModelReadyRequest: 1 string name, 2 string version
        ModelReadyResponse: 1 bool ready
        ServerMetadataRequest:
        ServerMetadataResponse: 1 string name, 2 string version, 3 [string] extensions
        ModelMetadataRequest: 1 string name, 2 string version
        ModelMetadataResponse: 1 string name, 2 [string] versions, 3 string platform, 4 [TensorMetadata] inputs,
          5 [TensorMetadata] outputs, 6 [PropertiesEntry] properties
        ModelMetadataResponse.TensorMetadata: 1 string name, 2 string datatype, 3 [int64] shape
        ModelInferRequest: 1 string model_name, 2 string model_version, 3 string id, 4 [ParametersEntry] parameters,
          5 [InferInputTensor] inputs, 6 [InferRequestedOutputTensor] outputs, 7 [bytes] raw_input_contents
        ModelInferRequest.InferInputTensor: 1 string name, 2 string datatype, 3 [int64] shape,
          4 [ParametersEntry] parameters, 5 InferTensorContents contents
        ModelInferRequest.InferRequestedOutputTensor: 1 string name, 2 [ParametersEntry] parameters
        ModelInferResponse: 1 string model_name, 2 string model_version, 3 string id, 4 [ParametersEntry] parameters,
          5 [InferOutputTensor] outputs, 6 [bytes] raw_output_contents
        ModelInferResponse.InferOutputTensor: 1 string name, 2 string datatype, 3 [int64] shape,
          4 [ParametersEntry] parameters, 5 InferTensorContents contents
        InferParameter: 1 bool bool_param, 2 int64 int64_param, 3 string string_param, 4 double double_param, 5 uint64 uint64_param
        InferTensorContents: 1 [bool] bool_contents, 2 [int32] int_contents, 3 [int64] int64_contents,
          4 [uint32] uint_contents, 5 [uint64] uint64_contents, 6 [float] fp32_contents, 7 [double] fp64_contents,
          8 [bytes] bytes_contents
        """;

    private RunningService _service = null!;
    private GrpcChannel _channel = null!;
    private GRPCInferenceService.GRPCInferenceServiceClient _client = null!;

    public async Task InitializeAsync()
    {
        _service = await RunningService.StartAsync("--Limits:BodyBytes", "4000", "--OpenInference:ModelName", "weighted");
        _channel = GrpcChannel.ForAddress(_service.GrpcAddress);
        _client = new GRPCInferenceService.GRPCInferenceServiceClient(_channel);
    }

    public async Task DisposeAsync()
    {
        _channel.Dispose();
        await _service.DisposeAsync();
    }

    [Fact]
    public void Messages_AreAsPublished()
    {
        var file = OpenInferenceReflection.Descriptor;
        Assert.Equal("inference", file.Package);
        var service = Assert.Single(file.Services);
        Assert.Equal("GRPCInferenceService", service.Name);
        Assert.Equal(
            ["ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer"],
            service.Methods.Select(method => method.Name));
        Assert.All(service.Methods, method => Assert.Equal(
            (method.Name + "Request", method.Name + "Response", false, false),
            (method.InputType.Name, method.OutputType.Name, method.IsClientStreaming, method.IsServerStreaming)));
        Assert.Equal(
            Published.ReplaceLineEndings("\n").Replace("\n  ", " ", StringComparison.Ordinal).Split('\n'),
            file.MessageTypes.SelectMany(Describe));

        static IEnumerable<string> Describe(MessageDescriptor message) =>
        [
            $"{message.FullName["inference.".Length..]}: {string.Join(", ", message.Fields.InFieldNumberOrder().Select(Field))}".TrimEnd(),
            .. message.NestedTypes.Where(nested => !nested.Name.EndsWith("Entry", StringComparison.Ordinal)).SelectMany(Describe),
        ];

        static string Field(FieldDescriptor field)
        {
            var type = field.FieldType == FieldType.Message ? field.MessageType.Name : field.FieldType.ToString().ToLowerInvariant();
            return $"{field.FieldNumber} {(field.IsRepeated ? $"[{type}]" : type)} {field.Name}";
        }
    }

    [Fact]
    public async Task HealthAndMetadata_AreTold()
    {
        Assert.True((await _client.ServerLiveAsync(new())).Live);
        Assert.True((await _client.ServerReadyAsync(new())).Ready);
        Assert.True((await _client.ModelReadyAsync(new() { Name = "weighted" })).Ready);
        Assert.Equal("MlNetBatchNorm ScoringApi", (await _client.ServerMetadataAsync(new())).Name);
        var model = await _client.ModelMetadataAsync(new() { Name = "weighted", Version = "1" });
        Assert.Equal(("weighted", "1", "onnx_onnxv1"), (model.Name, Assert.Single(model.Versions), model.Platform));
        Assert.Equal(["x FP32 [-1, 3]", "sum FP32 [-1, 1]", "double FP32 [-1, 3]"], model.Inputs.Concat(model.Outputs).Select(
            tensor => $"{tensor.Name} {tensor.Datatype} [{string.Join(", ", tensor.Shape)}]"));
        Assert.Equal(("""["f0","f1","f2"]""", """["no","yes"]"""), (model.Properties["features"], model.Properties["labels"]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Infer_AsNumbersOrBytes_IsAnsweredInKind(bool raw)
    {
        var request = Request(raw, [1, 2, 3, 4, 5, 6]);
        request.Id = "a";
        request.Outputs.Add(new ModelInferRequest.Types.InferRequestedOutputTensor { Name = "sum" });
        var response = await _client.ModelInferAsync(request);
        Assert.Equal(("weighted", "1", "a"), (response.ModelName, response.ModelVersion, response.Id));
        var output = Assert.Single(response.Outputs);
        Assert.Equal(("sum", "FP32"), (output.Name, output.Datatype));
        Assert.Equal([2L, 1], output.Shape);
        if (raw)
            Assert.Equal([14f, 32], MemoryMarshal.Cast<byte, float>(Assert.Single(response.RawOutputContents).Span).ToArray());
        else
            Assert.Equal([14f, 32], output.Contents.Fp32Contents);
        Assert.Equal(raw, output.Contents is null);
    }

    [Theory]
    [InlineData("model", StatusCode.NotFound, "There is no model 'other'; the model here is 'weighted'.")]
    [InlineData("version", StatusCode.NotFound, "has no version '9'")]
    [InlineData("both", StatusCode.InvalidArgument, "has contents and raw_input_contents")]
    [InlineData("bytes", StatusCode.InvalidArgument, "has 2 numbers, but its shape [1, 3] has 3")]
    [InlineData("more", StatusCode.InvalidArgument, "1 inputs and 2 raw_input_contents")]
    [InlineData("output", StatusCode.InvalidArgument, "There is no output 'z'")]
    [InlineData("parameter", StatusCode.InvalidArgument, "'sequence_id' is of an extension")]
    [InlineData("answer", StatusCode.OutOfRange, "The model's answer 'sum' to row 0")]
    [InlineData("rows", StatusCode.InvalidArgument, "at most 50")]
    [InlineData("size", StatusCode.ResourceExhausted, "maximum")]
    public async Task Infer_ThatIsWrong_IsToldWhatIs(string what, StatusCode expected, string part)
    {
        var request = Request(raw: true, what switch
        {
            "answer" => [3e38f, 3e38f, 3e38f],
            "rows" => new float[153],
            "size" => new float[3000],
            _ => [1, 2, 3],
        });
        switch (what)
        {
            case "model":
                request.ModelName = "other";
                break;
            case "version":
                request.ModelVersion = "9";
                break;
            case "both":
                request.Inputs[0].Contents = new InferTensorContents { Fp32Contents = { 1, 2, 3 } };
                break;
            case "bytes":
                request.RawInputContents[0] = ByteString.CopyFrom(new byte[8]);
                break;
            case "more":
                request.RawInputContents.Add(ByteString.Empty);
                break;
            case "output":
                request.Outputs.Add(new ModelInferRequest.Types.InferRequestedOutputTensor { Name = "z" });
                break;
            case "parameter":
                request.Parameters["sequence_id"] = new InferParameter { Int64Param = 1 };
                break;
        }

        var refusal = await Assert.ThrowsAsync<RpcException>(() => _client.ModelInferAsync(request).ResponseAsync);
        Assert.Equal(expected, refusal.StatusCode);
        Assert.Contains(part, refusal.Status.Detail, StringComparison.Ordinal);
    }

    // The stubs that Debian's protoc makes for Python of the protocol file, on gRPC's own library in C: nothing of ours, and no .NET.
    [GrpcPythonFact]
    public async Task Client_OfAnotherLanguage_IsUnderstood()
    {
        const string Program = """
            import json, struct, sys, grpc
            import open_inference_pb2 as messages, open_inference_pb2_grpc as stubs
            with grpc.insecure_channel(sys.argv[1]) as channel:
                server = stubs.GRPCInferenceServiceStub(channel)
                model = server.ModelMetadata(messages.ModelMetadataRequest(name="weighted"))
                request = messages.ModelInferRequest(model_name=model.name, id="7")
                request.inputs.add(name=model.inputs[0].name, datatype=model.inputs[0].datatype, shape=[2, model.inputs[0].shape[1]])
                request.inputs[0].contents.fp32_contents.extend([1, 2, 3, 4, 5, 6])
                numbers = server.ModelInfer(request)
                request.inputs[0].ClearField("contents")
                request.raw_input_contents.append(struct.pack("<6f", 1, 2, 3, 4, 5, 6))
                raw = server.ModelInfer(request)
                try:
                    server.ModelReady(messages.ModelReadyRequest(name="other"))
                except grpc.RpcError as error:
                    refusal = error.code().name
                print(json.dumps([
                    server.ServerLive(messages.ServerLiveRequest()).live, server.ServerReady(messages.ServerReadyRequest()).ready,
                    server.ServerMetadata(messages.ServerMetadataRequest()).name, refusal, numbers.id,
                    [[output.name, list(output.shape), list(output.contents.fp32_contents)] for output in numbers.outputs],
                    [list(struct.unpack("<%df" % (len(content) // 4), content)) for content in raw.raw_output_contents]]))
            """;
        Run(
            GrpcPythonFactAttribute.Compiler, "-I", AppContext.BaseDirectory, $"--python_out={_service.Folder.Path}",
            $"--grpc_out={_service.Folder.Path}", $"--plugin=protoc-gen-grpc={GrpcPythonFactAttribute.Plugin}", "open_inference.proto");
        var output = await Task.Run(() => Run(
            GrpcPythonFactAttribute.Python, "-c", Program, $"{_service.GrpcAddress.Host}:{_service.GrpcAddress.Port}"));
        using var expected = JsonDocument.Parse("""
            [true, true, "MlNetBatchNorm ScoringApi", "NOT_FOUND", "7",
             [["sum", [2, 1], [14, 32]], ["double", [2, 3], [2, 4, 6, 8, 10, 12]]], [[14, 32], [2, 4, 6, 8, 10, 12]]]
            """);
        using var given = JsonDocument.Parse(output);
        Assert.True(JsonElement.DeepEquals(expected.RootElement, given.RootElement), output);
    }

    private string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = _service.Folder.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PYTHONPATH"] = _service.Folder.Path;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)));
        Assert.True(process.ExitCode == 0, error.Result);
        return output;
    }

    private static ModelInferRequest Request(bool raw, float[] values)
    {
        var input = new ModelInferRequest.Types.InferInputTensor { Name = "x", Datatype = "FP32", Shape = { values.Length / 3, 3 } };
        var request = new ModelInferRequest { ModelName = "weighted", Inputs = { input } };
        if (raw)
            request.RawInputContents.Add(ByteString.CopyFrom(MemoryMarshal.AsBytes(values.AsSpan())));
        else
            input.Contents = new InferTensorContents { Fp32Contents = { values } };
        return request;
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class GrpcPythonFactAttribute : FactAttribute
    {
        public const string Python = "/usr/bin/python3";
        public const string Compiler = "/usr/bin/protoc";
        public const string Plugin = "/usr/bin/grpc_python_plugin";

        public GrpcPythonFactAttribute()
        {
            if (!File.Exists(Plugin) || !File.Exists(Compiler) || !Directory.Exists("/usr/lib/python3/dist-packages/grpc"))
                Skip = "gRPC for Python (Debian's python3-grpcio and protobuf-compiler-grpc) is not installed.";
        }
    }
}
