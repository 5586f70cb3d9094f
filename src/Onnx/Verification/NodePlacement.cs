using System.Text.Json;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// Which execution provider runs a node: on a GPU, nodes that its provider does not know run on the CPU, and their tensors travel.
/// </summary>
/// <param name="Node">The node's name, after ONNX Runtime's optimizations.</param>
/// <param name="Operator">Its operator.</param>
/// <param name="Provider">The provider, as <c>CPUExecutionProvider</c>.</param>
internal sealed record NodePlacement(string Node, string Operator, string Provider)
{
    /// <summary>Loads a model, runs it once on generated inputs (see <see cref="InputGenerator"/>) and says where each node ran.</summary>
    /// <param name="path">The model.</param>
    /// <param name="device">The device to run it on.</param>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the model.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="ModelRunException">The model fails on everything that was generated.</exception>
    public static IReadOnlyList<NodePlacement> Of(string path, Device device)
    {
        using var folder = new ScratchFolder("profile");
        // ONNX Runtime tells it only in the profile of a run.
        using var session = OnnxSession.Load(path, new ExecutionOptions { Device = device, ProfilePrefix = folder.File("run") });
        InputGenerator.Run(session);
        using var profile = JsonDocument.Parse(File.ReadAllBytes(session.EndProfiling()));
        return [.. profile.RootElement.EnumerateArray().Select(Read).OfType<NodePlacement>().Distinct()];
    }

    private static NodePlacement? Read(JsonElement happening)
    {
        const string Suffix = "_kernel_time";
        if (happening.GetProperty("cat").GetString() != "Node" || happening.GetProperty("name").GetString() is not { } name) return null;
        if (!name.EndsWith(Suffix, StringComparison.Ordinal)) return null;
        var details = happening.GetProperty("args");
        return new(name[..^Suffix.Length], details.GetProperty("op_name").GetString()!, details.GetProperty("provider").GetString()!);
    }
}
