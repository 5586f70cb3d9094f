using Mono.Cecil;

namespace MlNetBatchNorm.Architecture.Tests;

/// <summary>What is public has to be kept for all who use it, so it stays little.</summary>
public sealed class PublicTypesTests
{
    private const int Most = 115;

    [Fact]
    public void PublicTypes_OfTheFourLibraries_AreFew()
    {
        string[] names = [.. new[] { "Onnx", "Trainer", "Transforms", "Hosting" }.SelectMany(Names)];
        Assert.True(names.Length <= Most, $"{names.Length} types are public, more than {Most}: {string.Join(", ", names)}");
        Assert.Contains("Onnx: MlNetBatchNorm.Onnx.OnnxModel", names);
    }

    private static List<string> Names(string project)
    {
        using var module = ModuleDefinition.ReadModule(Checkout.AssemblyOf(project));
        return [.. module.GetTypes().Where(IsShown).Select(type => $"{project}: {type.FullName}")];
    }

    private static bool IsShown(TypeDefinition type) => type.IsPublic || (type.IsNestedPublic && IsShown(type.DeclaringType));
}
