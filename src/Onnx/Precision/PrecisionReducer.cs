using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// Gives a model fewer bits. Fold its batch normalizations first (<see cref="BatchNormFolder"/>): their parameters are vectors,
/// which stay float32. Whether the result is good enough is for <see cref="PrecisionCheck"/> to say.
/// </summary>
internal static class PrecisionReducer
{
    /// <summary>Makes a model of another precision.</summary>
    /// <param name="model">The model; it is left as it is.</param>
    /// <param name="precision">The precision.</param>
    /// <param name="inputs">
    /// Sets of inputs, as real as possible, on which the values inside the model are looked at: what would leave float16's range, or lose
    /// too much in int8, stays float32. Null to generate them. Plain float16 does not look at them.
    /// </param>
    /// <exception cref="ArgumentException">Inputs are given, but there is not one row in them.</exception>
    /// <exception cref="InvalidModelException">The model is not valid; see <see cref="GraphChecker"/>.</exception>
    /// <exception cref="ModelRunException">The model does not run on the inputs.</exception>
    /// <exception cref="NotSupportedException">The operator set is too old, or nothing in the model can have fewer bits.</exception>
    internal static PrecisionResult Reduce(
        ModelProto model, ModelPrecision precision, IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (inputs is not null && !inputs.Any(set => set.Count == 0 || set.Values.Any(tensor => tensor.Data.Length > 0)))
            throw new ArgumentException(
                "There are no rows in the inputs, and without rows nobody can say what fewer bits cost. Give some, or null to generate"
                + " them.");
        GraphChecker.Check(model);
        var reduced = model.Clone();
        var bytes = ModelFile.Size(model);
        if (precision == ModelPrecision.Float32) return new PrecisionResult(new OnnxModel(reduced), precision, [], bytes, bytes);

        PrecisionScheme scheme = precision switch
        {
            ModelPrecision.Float16 => new Float16Storage(),
            ModelPrecision.Float16Arithmetic => new Float16Arithmetic(),
            ModelPrecision.Int8 => new Int8Products(),
            _ => throw new ArgumentOutOfRangeException(nameof(precision), precision, "Unknown precision."),
        };
        var name = PrecisionNames.NameOf(precision);
        var editor = new ModelEditor(reduced);
        editor.InferShapes();
        if (editor.Opset < scheme.LeastOpset)
            throw new NotSupportedException(
                $"{name} needs operator set {scheme.LeastOpset} or later, but the model is written for {editor.Opset}; export or"
                + " convert it anew.");
        var outcomes = scheme.Apply(editor, new CalibrationRows(model, inputs));
        if (!outcomes.Any(outcome => outcome.IsReduced))
        {
            var why = outcomes.Count == 0
                ? "it has no such weights"
                : string.Join("; ", outcomes.Take(3).Select(outcome => $"'{outcome.Name}' stays float32: {outcome.Detail}"));
            throw new NotSupportedException($"Nothing in the model can be {name}: {why}.");
        }

        editor.Finish();
        ModelFile.SetMetadata(reduced, ModelMetadata.Precision, name);
        return new PrecisionResult(new OnnxModel(reduced), precision, outcomes, bytes, ModelFile.Size(reduced));
    }
}
