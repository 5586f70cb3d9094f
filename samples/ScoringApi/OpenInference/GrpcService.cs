using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Options;
using MlNetBatchNorm.Onnx;
using ScoringApi.OpenInference.Protocol;
using Proto = ScoringApi.OpenInference.Protocol;

namespace ScoringApi.OpenInference;

/// <summary>The Open Inference Protocol over gRPC. An answer's tensors come as those of the request did: as bytes, or as numbers.</summary>
internal sealed class GrpcService(InferenceModel models, IOptions<Limits> limits) : GRPCInferenceService.GRPCInferenceServiceBase
{
    public override Task<Proto.ServerLiveResponse> ServerLive(ServerLiveRequest request, ServerCallContext context) =>
        Task.FromResult(new Proto.ServerLiveResponse { Live = true });

    public override async Task<Proto.ServerReadyResponse> ServerReady(ServerReadyRequest request, ServerCallContext context) =>
        new() { Ready = await models.IsReadyAsync(context.CancellationToken) };

    public override Task<Proto.ModelReadyResponse> ModelReady(ModelReadyRequest request, ServerCallContext context) =>
        AnswerAsync(async () =>
        {
            models.Require(request.Name, request.Version);
            return new Proto.ModelReadyResponse { Ready = await models.IsReadyAsync(context.CancellationToken) };
        });

    public override Task<Proto.ServerMetadataResponse> ServerMetadata(ServerMetadataRequest request, ServerCallContext context) =>
        Task.FromResult(new Proto.ServerMetadataResponse { Name = InferenceModel.ServerName, Version = ScoringService.Version });

    public override Task<Proto.ModelMetadataResponse> ModelMetadata(ModelMetadataRequest request, ServerCallContext context) =>
        AnswerAsync(() =>
        {
            models.Require(request.Name, request.Version);
            var current = models.Current;
            var response = new Proto.ModelMetadataResponse
            {
                Name = models.Name,
                Versions = { InferenceModel.VersionOf(current) },
                Platform = InferenceModel.Platform,
                Inputs = { current.Inputs.Select(Describe) },
                Outputs = { current.Outputs.Select(Describe) },
            };
            // What the numbers of a row are called, and the classes.
            foreach (var (key, names) in new[] { ("features", current.FeatureNames), ("labels", current.Labels) })
            {
                if (names.Count > 0)
                    response.Properties[key] = JsonSerializer.Serialize(names, OpenInferenceJson.Shared.IReadOnlyListString);
            }

            return Task.FromResult(response);
        });

    public override Task<ModelInferResponse> ModelInfer(ModelInferRequest request, ServerCallContext context) => AnswerAsync(async () =>
    {
        InferenceModel.RefuseParameters(request.Parameters.Keys);
        var raw = request.RawInputContents.Count > 0;
        if (raw && request.RawInputContents.Count != request.Inputs.Count)
            throw InferenceException.Bad(
                $"There are {request.Inputs.Count} inputs and {request.RawInputContents.Count} raw_input_contents; give one for each.");
        var inputs = request.Inputs.Select((input, index) =>
        {
            InferenceModel.RequireDatatype(input.Name, input.Datatype);
            InferenceModel.RefuseParameters(input.Parameters.Keys);
            if (raw && input.Contents is not null)
                throw InferenceException.Bad($"The input '{input.Name}' has contents and raw_input_contents; give one.");
            return new InferenceTensor(input.Name, [.. input.Shape], raw
                ? InferenceModel.FromBytes(input.Name, request.RawInputContents[index].Span)
                : [.. input.Contents?.Fp32Contents ?? []]);
        }).ToList();
        foreach (var output in request.Outputs) InferenceModel.RefuseParameters(output.Parameters.Keys);

        var answer = await models.InferAsync(
            request.ModelName, request.ModelVersion, inputs, [.. request.Outputs.Select(output => output.Name)], context.CancellationToken);
        var response = new ModelInferResponse { ModelName = answer.ModelName, ModelVersion = answer.ModelVersion, Id = request.Id };
        foreach (var output in answer.Outputs)
        {
            var tensor = new ModelInferResponse.Types.InferOutputTensor
            {
                Name = output.Name,
                Datatype = InferenceTensor.Datatype,
                Shape = { output.Shape },
            };
            response.Outputs.Add(tensor);
            if (raw)
                response.RawOutputContents.Add(ByteString.CopyFrom(MemoryMarshal.AsBytes(output.Values.AsSpan())));
            else
                tensor.Contents = new InferTensorContents { Fp32Contents = { output.Values } };
        }

        return response;
    });

    private static Proto.ModelMetadataResponse.Types.TensorMetadata Describe(TensorInfo tensor) => new()
    {
        Name = tensor.Name,
        Datatype = InferenceTensor.Datatype,
        Shape = { InferenceModel.ShapeOf(tensor) },
    };

    private async Task<T> AnswerAsync<T>(Func<Task<T>> answer)
    {
        try
        {
            return await answer();
        }
        catch (InferenceException exception)
        {
            var code = exception.Status == StatusCodes.Status404NotFound ? StatusCode.NotFound : StatusCode.InvalidArgument;
            throw new RpcException(new Status(code, exception.Message));
        }
        catch (AnswerException exception)
        {
            throw new RpcException(new Status(StatusCode.OutOfRange, exception.Message));
        }
        catch (BusyException exception)
        {
            // How gRPC's own clients are told when to try again.
            var pause = limits.Value.RetryAfter.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);
            throw new RpcException(
                new Status(StatusCode.Unavailable, exception.Message), new Metadata { { "grpc-retry-pushback-ms", pause } });
        }
    }
}
