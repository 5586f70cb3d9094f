using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>One way to give a model fewer bits. Only the main graph is changed; subgraphs keep reading the values that they read.</summary>
internal abstract class PrecisionScheme
{
    /// <summary>The first operator set that has the operators that the scheme writes.</summary>
    public abstract long LeastOpset { get; }

    /// <summary>Changes a model in place and says what was done.</summary>
    /// <param name="editor">The model.</param>
    /// <param name="rows">Rows to see the model's own values on.</param>
    public abstract IReadOnlyList<PrecisionOutcome> Apply(ModelEditor editor, CalibrationRows rows);
}

/// <summary>Inputs of a model, to see the values inside it on. They are held in memory, all at once.</summary>
/// <param name="model">The model before anything was changed.</param>
/// <param name="inputs">Sets of inputs, or null to generate them.</param>
internal sealed class CalibrationRows(ModelProto model, IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs)
{
    /// <summary>What float32 values inside the model are on the inputs: a tensor for each set.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<HostTensor>> Observe(IReadOnlyCollection<string> values)
    {
        if (values.Count == 0) return new Dictionary<string, IReadOnlyList<HostTensor>>();
        var inner = model.Clone();
        inner.Graph.Output.Clear();
        foreach (var value in values)
        {
            var info = ValueInfo.Of(value, DataType.Float);
            // It may not be known, and ONNX Runtime finds it out.
            info.Type.TensorType.Shape = null;
            inner.Graph.Output.Add(info);
        }

        using var source = ModelSource.Of(inner);
        using var session = source.Open(new ExecutionOptions { Optimization = GraphOptimization.None, Threads = 0, Spinning = false });
        var runs = inputs is null ? InputGenerator.Run(session).Select(run => run.Outputs).ToList() : [.. inputs.Select(session.Run)];
        return values.ToDictionary(
            value => value, IReadOnlyList<HostTensor> (value) => [.. runs.Select(run => run[value])], StringComparer.Ordinal);
    }
}

/// <summary>The node between two precisions.</summary>
internal static class CastNode
{
    /// <summary>A Cast of <paramref name="from"/> to <paramref name="type"/>, under the name <paramref name="to"/>.</summary>
    public static NodeProto Create(string from, string to, DataType type, ModelEditor editor) => new()
    {
        OpType = "Cast",
        Name = editor.Names.Fresh($"{to}_cast"),
        Input = { from },
        Output = { to },
        Attribute = { ((NodeArgument)("to", (long)type)).Proto },
    };
}
