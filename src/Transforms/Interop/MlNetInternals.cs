using System.IO.Compression;
using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms.Onnx;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Transforms.Interop;

/// <summary>
/// What ML.NET keeps to itself and a trainer of its kind cannot do without. All that depends on its insides stands here, and each has a way
/// out or an error of its own where another version has other insides.
/// </summary>
internal static class MlNetInternals
{
    // So ML.NET calls the part of its file with an ONNX model: a length, and that many bytes.
    private const string OnnxEntry = "OnnxModel";

    private static readonly TransformerScope[] Scopes = [TransformerScope.Training, TransformerScope.Testing, TransformerScope.Scoring];

    /// <summary>
    /// The environment of the <c>MLContext</c> that a catalog belongs to, with its log and its generator; null where the catalog does not
    /// show it. ML.NET's own extensions find it by the same interface, which is explicit, but public only to them.
    /// </summary>
    /// <param name="catalog">A catalog of trainers, of transforms, or of operations on models.</param>
    public static IHostEnvironment? EnvironmentOf(object catalog) =>
        Read<IHostEnvironment>(catalog, "Microsoft.ML.Data.IInternalCatalog", "Environment");

    /// <summary>Whether a context was cancelled (by AutoML at the end of a trial's time, or by <c>CancelExecution</c>).</summary>
    public static bool IsCancelled(IHostEnvironment environment) =>
        Read<object>(environment, "Microsoft.ML.Runtime.ICancelable", "IsCanceled") is true;

    /// <summary>The device by the context's <c>GpuDeviceId</c> and <c>FallbackToCpu</c>; null where it names no GPU.</summary>
    public static Device? GpuOf(IHostEnvironment? environment)
    {
        const string Interface = "Microsoft.ML.Runtime.IHostEnvironmentInternal";
        if (environment is null || Read<object>(environment, Interface, "GpuDeviceId") is not int index) return null;
        var gpu = Device.Cuda(index);
        return Read<object>(environment, Interface, "FallbackToCpu") is true ? gpu.OrCpu() : gpu;
    }

    /// <summary>
    /// What ML.NET may ask a trainer about. The class has no public constructor; one that is all false is what is true of ours.
    /// </summary>
    public static TrainerInfo CreateTrainerInfo() => (TrainerInfo)RuntimeHelpers.GetUninitializedObject(typeof(TrainerInfo));

    /// <summary>
    /// Adds a scalar for each member of a prediction class to a schema's shape. <c>SchemaShape.Column</c> has no public constructor, so an
    /// estimator that would add the same columns is asked.
    /// </summary>
    public static SchemaShape Append<TPrediction>(SchemaShape input)
        where TPrediction : class, new() =>
        new MLContext().Transforms
            .CustomMapping<NoInput, TPrediction>((_, _) => { }, contractName: null)
            .GetOutputSchema(input);

    /// <summary>Adds a column of a name and type to a schema's shape.</summary>
    public static SchemaShape Append(SchemaShape input, string name, DataViewType type)
    {
        var vector = type as VectorDataViewType;
        var cell = (vector is null ? typeof(ScalarCell<>) : typeof(VectorCell<>)).MakeGenericType((vector?.ItemType ?? type).RawType);
        return (SchemaShape)typeof(MlNetInternals).GetMethod(nameof(AppendCell), BindingFlags.NonPublic | BindingFlags.Static)!
            .MakeGenericMethod(cell).Invoke(null, [input, name, type])!;
    }

    /// <summary>The bytes of the model in one of ML.NET's own ONNX transformers. It shows them to nobody, but its file has them.</summary>
    /// <exception cref="InvalidModelException">The file is of a kind that is not known here.</exception>
    public static byte[] OnnxBytesOf(ModelOperationsCatalog catalog, OnnxTransformer transformer)
    {
        using var file = new MemoryStream();
        catalog.Save(transformer, null, file);
        file.Position = 0;
        using var archive = new ZipArchive(file, ZipArchiveMode.Read);
        var entry = archive.Entries.FirstOrDefault(entry => entry.Name == OnnxEntry) ?? throw new InvalidModelException(
            $"ML.NET saved an ONNX transformer without a part '{OnnxEntry}'; this version of ML.NET is not known.");
        using var reader = new BinaryReader(entry.Open());
        return reader.ReadBytes(reader.ReadInt32());
    }

    /// <summary>The scopes of a chain's parts. A chain does not show them, but it tells which parts remain for each.</summary>
    public static TransformerScope[] ScopesOf(ITransformer chain, ITransformer[] parts)
    {
        if (chain.GetType().GetMethod(nameof(TransformerChain<ITransformer>.GetModelFor)) is not { } modelFor)
            return [.. parts.Select(_ => TransformerScope.Everything)];
        var scopes = new TransformerScope[parts.Length];
        foreach (var scope in Scopes)
        {
            var remaining = ((IEnumerable<ITransformer>)modelFor.Invoke(chain, [scope])!).ToHashSet(ReferenceEqualityComparer.Instance);
            for (var i = 0; i < parts.Length; i++)
                if (remaining.Contains(parts[i])) scopes[i] |= scope;
        }

        return scopes;
    }

    /// <summary>
    /// The columns that one of ML.NET's transformers of single columns makes, in its own order, by which it numbers them; empty where it
    /// does not show them.
    /// </summary>
    public static IReadOnlyList<string> ColumnsMadeBy(ITransformer transformer)
    {
        var pairs = transformer.GetType().GetField("ColumnPairs", BindingFlags.NonPublic | BindingFlags.Instance)?.GetValue(transformer);
        return pairs is (string Output, string Input)[] columns ? [.. columns.Select(column => column.Output)] : [];
    }

    private static T? Read<T>(object from, string interfaceName, string property)
        where T : class =>
        from.GetType().GetInterface(interfaceName)?.GetProperty(property)?.GetValue(from) as T;

    private static SchemaShape AppendCell<TCell>(SchemaShape input, string name, DataViewType type)
        where TCell : class, new()
    {
        var definition = SchemaDefinition.Create(typeof(TCell));
        var column = definition["Value"];
        column.ColumnName = name;
        column.ColumnType = type;
        return new MLContext().Transforms
            .CustomMapping<NoInput, TCell>((_, _) => { }, contractName: null, outputSchemaDefinition: definition)
            .GetOutputSchema(input);
    }

    private sealed class NoInput;

    private sealed class ScalarCell<T>
    {
        public T Value { get; set; } = default!;
    }

    private sealed class VectorCell<T>
    {
        public VBuffer<T> Value { get; set; }
    }
}
