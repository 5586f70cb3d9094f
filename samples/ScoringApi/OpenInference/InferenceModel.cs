using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using MlNetBatchNorm.Hosting;
using MlNetBatchNorm.Onnx;

namespace ScoringApi.OpenInference;

/// <summary>A tensor of the protocol; all of ours hold float32 (FP32).</summary>
internal sealed record InferenceTensor(string Name, long[] Shape, float[] Values)
{
    public const string Datatype = "FP32";
}

/// <summary>What the model gave for a request: the tensors that were asked for, in the order that was asked for.</summary>
internal sealed record InferenceAnswer(string ModelName, string ModelVersion, IReadOnlyList<InferenceTensor> Outputs);

/// <summary>How the model looks to the protocol.</summary>
internal sealed class OpenInferenceOptions
{
    /// <summary>The name by which it is asked for. Default: that of its file, without <c>.onnx</c>.</summary>
    public string ModelName { get; set; } = string.Empty;
}

/// <summary>A request that the protocol's rules or the model refuse.</summary>
/// <param name="status">The status of HTTP.</param>
/// <param name="message">What was given, and what is needed.</param>
internal sealed class InferenceException(int status, string message) : Exception(message)
{
    public int Status => status;

    public static InferenceException Bad(string message) => new(StatusCodes.Status400BadRequest, message);
}

/// <summary>
/// The model as the Open Inference Protocol (version 2) sees it, whatever the request came by. Its version is the number of times that a
/// file was loaded (<see cref="LoadedModelInfo.Generation"/>), so one who asks for a version never gets another one's answer.
/// </summary>
internal sealed class InferenceModel(
    IOnnxScorer scorer, JoinedScoring scoring, IOptions<Limits> limits, IOptions<OpenInferenceOptions> options, HealthCheckService health,
    IHostApplicationLifetime lifetime)
{
    public const string ServerName = "MlNetBatchNorm ScoringApi";

    // The name that Triton gave to tensors as bytes behind the JSON.
    public static readonly string[] Extensions = ["binary_tensor_data"];

    /// <summary>The protocol's word for a model that ONNX Runtime runs.</summary>
    public const string Platform = "onnx_onnxv1";

    // They say that data lie elsewhere, that an answer is to be another one, or that requests belong together: what we cannot do, we must
    // not do otherwise. All else is advice.
    private static readonly string[] RefusedParameters =
        ["shared_memory_region", "classification", "sequence_id", "sequence_start", "sequence_end"];

    public LoadedModelInfo Current => scorer.Model;

    public string Name =>
        options.Value.ModelName is { Length: > 0 } name ? name : Path.GetFileNameWithoutExtension(scorer.Model.Path);

    public static string VersionOf(LoadedModelInfo model) => model.Generation.ToString(CultureInfo.InvariantCulture);

    public static long[] ShapeOf(TensorInfo tensor) => [-1, .. tensor.Shape.Skip(1).Select(dimension => dimension.Size ?? -1)];

    /// <summary>
    /// Whether requests can be answered: the health checks found nothing that prevents it, and the service is not about to end.
    /// </summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancellation) => !lifetime.ApplicationStopping.IsCancellationRequested
        && (await health.CheckHealthAsync(cancellation)).Status != HealthStatus.Unhealthy;

    /// <summary>Refuses a model that is not here, and a version that is not the one in use.</summary>
    public void Require(string model, string? version)
    {
        if (model != Name)
            throw new InferenceException(StatusCodes.Status404NotFound, $"There is no model '{model}'; the model here is '{Name}'.");
        if (!string.IsNullOrEmpty(version)) RequireVersion(scorer.Model, version);
    }

    public static void RefuseParameters(IEnumerable<string>? names)
    {
        if (names?.FirstOrDefault(name => RefusedParameters.Contains(name)) is { } refused)
            throw InferenceException.Bad($"The parameter '{refused}' is of an extension that is not spoken here.");
    }

    /// <summary>Scores the rows of a request.</summary>
    /// <param name="model">The model that was asked for.</param>
    /// <param name="version">Its version; null or empty = the one in use.</param>
    /// <param name="inputs">The tensors, in any order.</param>
    /// <param name="outputs">The names of the outputs; empty = all.</param>
    /// <param name="cancellation">Whoever asked has gone.</param>
    public async Task<InferenceAnswer> InferAsync(
        string model, string? version, IReadOnlyList<InferenceTensor> inputs, IReadOnlyList<string> outputs, CancellationToken cancellation)
    {
        Require(model, version);
        var current = scorer.Model;
        foreach (var (name, index) in outputs.Select((name, index) => (name, index)))
        {
            if (current.Outputs.All(output => output.Name != name))
                throw InferenceException.Bad($"There is no output '{name}'; the outputs are {Names(current.Outputs)}.");
            if (outputs.Take(index).Contains(name)) throw InferenceException.Bad($"The output '{name}' is asked for twice.");
        }

        var (rows, count) = Rows(current, inputs);
        var (result, used) = await scoring.ScoreAsync(rows, count, cancellation);
        // The next model may have been put in its place in the meantime.
        if (!string.IsNullOrEmpty(version)) RequireVersion(used, version);
        var answered = outputs.Count > 0 ? outputs : [.. used.Outputs.Select(output => output.Name)];
        return new InferenceAnswer(Name, VersionOf(used),
            [.. answered.Select(name => new InferenceTensor(
                name, [count, .. ShapeOf(used.Outputs.First(output => output.Name == name)).Skip(1)],
                used.Read(name, result, count).ToArray()))]);
    }

    /// <summary>The values of a tensor that came as bytes, little-endian.</summary>
    public static float[] FromBytes(string name, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length % sizeof(float) != 0)
            throw InferenceException.Bad($"The input '{name}' has {bytes.Length} bytes, which is no whole number of FP32.");
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray();
    }

    public static void RequireDatatype(string? name, string? datatype)
    {
        if (datatype != InferenceTensor.Datatype)
            throw InferenceException.Bad($"The input '{name}' is given as {datatype ?? "nothing"}, but FP32 is needed.");
    }

    private void RequireVersion(LoadedModelInfo model, string version)
    {
        if (version != VersionOf(model))
            throw new InferenceException(
                StatusCodes.Status404NotFound,
                $"The model '{Name}' has no version '{version}'; {VersionOf(model)} is in use. Leave the version out to take what is.");
    }

    // A row is one row of each input, one behind the other.
    private (float[] Rows, int Count) Rows(LoadedModelInfo model, IReadOnlyList<InferenceTensor> inputs)
    {
        if (inputs.FirstOrDefault(given => model.Inputs.All(input => input.Name != given.Name)) is { } unknown)
            throw InferenceException.Bad($"There is no input '{unknown.Name}'; the inputs are {Names(model.Inputs)}.");
        if (inputs.CountBy(given => given.Name).FirstOrDefault(name => name.Value > 1) is { Key: { } twice })
            throw InferenceException.Bad($"The input '{twice}' is given twice.");
        var tensors = model.Inputs.Select(input => inputs.FirstOrDefault(given => given.Name == input.Name)
            ?? throw InferenceException.Bad($"The input '{input.Name}' is missing; the inputs are {Names(model.Inputs)}.")).ToList();

        var count = tensors[0].Shape is [var first, ..] ? first : 0;
        foreach (var (tensor, needed) in tensors.Zip(model.Inputs.Select(ShapeOf)))
        {
            if (tensor.Shape.Length != needed.Length || !tensor.Shape.Skip(1).SequenceEqual(needed.Skip(1)) || tensor.Shape[0] != count
                || count < 1)
            {
                throw InferenceException.Bad(
                    $"The input '{tensor.Name}' has the shape {Shape(tensor.Shape)}, but {Shape(needed)} is needed, with at least one row"
                    + (tensors.Count > 1 ? " and as many in each input." : "."));
            }
        }

        if (count > limits.Value.BatchRows)
            throw new InferenceException(
                StatusCodes.Status413PayloadTooLarge,
                $"{count} rows were given, but at most {limits.Value.BatchRows} are scored at once; send them in parts.");
        foreach (var tensor in tensors)
        {
            var numbers = tensor.Shape.Aggregate(1L, (product, size) => product * size);
            if (tensor.Values.Length != numbers)
                throw InferenceException.Bad(
                    $"The input '{tensor.Name}' has {tensor.Values.Length} numbers, but its shape {Shape(tensor.Shape)} has {numbers}.");
            var wrong = Array.FindIndex(tensor.Values, value => !float.IsFinite(value));
            if (wrong >= 0)
                throw InferenceException.Bad($"The number {wrong} of the input '{tensor.Name}' is {tensor.Values[wrong]}, and not finite.");
        }

        return (tensors is [var only] ? only.Values : Join(tensors, (int)count), (int)count);
    }

    private static float[] Join(List<InferenceTensor> tensors, int count)
    {
        var length = tensors.Sum(tensor => tensor.Values.Length) / count;
        var rows = new float[count * length];
        var place = 0;
        foreach (var values in tensors.Select(tensor => tensor.Values))
        {
            var width = values.Length / count;
            for (var row = 0; row < count; row++) values.AsSpan(row * width, width).CopyTo(rows.AsSpan((row * length) + place));
            place += width;
        }

        return rows;
    }

    private static string Names(IEnumerable<TensorInfo> tensors) => string.Join(", ", tensors.Select(tensor => $"'{tensor.Name}'"));

    private static string Shape(long[] shape) => $"[{string.Join(", ", shape)}]";
}
