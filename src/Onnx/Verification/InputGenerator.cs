using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// Makes inputs from what a model declares about them. Real numbers are standard normal; integers are 0 or 1, because they are most often
/// indexes; text is "a" or "b". Sizes that are not fixed are tried until two choices run: a model that says [N, 3, H, W] may need its H to
/// be a multiple of something that it does not say. The same model gets the same inputs every time.
/// </summary>
internal static class InputGenerator
{
    private const long LargestTensor = 1L << 28;

    // Rows first, then every other open size.
    private static readonly (long Rows, long Others)[] Sizes =
        [(2, 32), (3, 64), (1, 32), (1, 64), (2, 8), (3, 16), (1, 8), (1, 224), (2, 3), (2, 2), (1, 1), (4, 4), (5, 128)];

    /// <summary>Runs a model on generated inputs: twice, with two different choices of the open sizes where there are any.</summary>
    /// <exception cref="ModelRunException">Nothing that was generated runs; the message is that of the first try.</exception>
    /// <exception cref="NotSupportedException">An input is not a tensor, or of a type that cannot be generated.</exception>
    public static IReadOnlyList<(IReadOnlyDictionary<string, HostTensor> Inputs, IReadOnlyDictionary<string, HostTensor> Outputs)> Run(
        OnnxSession session)
    {
        ArgumentNullException.ThrowIfNull(session);
        var random = new Random(1);
        var runs = new List<(IReadOnlyDictionary<string, HostTensor>, IReadOnlyDictionary<string, HostTensor>)>();
        var open = session.Inputs.Any(input => input.Shape.Any(size => size.Size is null));
        ModelRunException? failure = null;
        foreach (var (rows, others) in open ? Sizes : [(1, 1), (1, 1)])
        {
            if (Generate(session.Inputs, rows, others, random) is not { } inputs) continue;
            try
            {
                runs.Add((inputs, session.Run(inputs)));
            }
            catch (ModelRunException exception)
            {
                failure ??= exception;
            }

            if (runs.Count == 2) break;
        }

        if (runs.Count > 0) return runs;
        throw new ModelRunException(
            $"No generated inputs fit the model; give some of your own. {failure?.Message ?? "The declared inputs are too large."}",
            failure);
    }

    private static Dictionary<string, HostTensor>? Generate(IReadOnlyList<TensorInfo> inputs, long rows, long others, Random random)
    {
        // The symbol of any first dimension means the batch, wherever else it stands.
        var batch = inputs.Where(input => input.Shape.Count > 0 && input.Shape[0].Symbol is not null)
            .Select(input => input.Shape[0].Symbol).ToHashSet(StringComparer.Ordinal);
        var result = new Dictionary<string, HostTensor>(StringComparer.Ordinal);
        foreach (var input in inputs)
        {
            var shape = input.Shape.Select(
                (size, axis) => size.Size ?? (axis == 0 || batch.Contains(size.Symbol) ? rows : others)).ToArray();
            // A declared 2^40 elements must not be allocated.
            if (shape.Aggregate((Int128)1, (product, size) => product * size) > LargestTensor) return null;
            result.Add(
                input.Name,
                new HostTensor(input.Type, shape, Elements(input, (int)shape.Aggregate(1L, (product, size) => product * size), random)));
        }

        return result;
    }

    private static Array Elements(TensorInfo input, int count, Random random)
    {
        if (input.Type == DataType.String) return Fill(count, () => random.Next(2) == 1 ? "a" : "b");
        if (ElementTypes.Find(input.Type) is not { Clr: not null } type)
            throw new NotSupportedException($"The input '{input.Name}' of type {input.Type} cannot be generated; give inputs of your own.");
        var elements = type.Create(count);
        type.Write(Fill(count, () => type.IsReal ? Normal(random) : random.Next(2)), type.Bytes(elements));
        return elements;
    }

    private static T[] Fill<T>(int count, Func<T> element)
    {
        var result = new T[count];
        for (var i = 0; i < count; i++) result[i] = element();
        return result;
    }

    // Box and Muller's transform.
    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
