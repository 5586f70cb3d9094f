using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx;

/// <summary>Rows to compare models on, from where the caller has them, and, where they are known, the right answers for them.</summary>
public sealed class ModelInputs
{
    private readonly Func<OnnxModel, ModelRows> _read;

    /// <summary>Rows that are made when the model is known.</summary>
    internal ModelInputs(Func<OnnxModel, ModelRows> read) => _read = read;

    /// <summary>
    /// Rows from a file in NumPy's format, or from a folder laid out like ONNX's test data. It is read when the model is known, and fails
    /// then with <see cref="FileNotFoundException"/> or <see cref="InvalidDataException"/>.
    /// </summary>
    /// <param name="path">
    /// An <c>.npz</c> file with an array for each input, under its name; or a folder with <c>input_0.pb</c>, <c>input_1.pb</c>, … (a
    /// protobuf tensor each, in the order of the model's inputs), or with several such folders in it (<c>test_data_set_0</c>, …), a set
    /// each.
    /// </param>
    /// <param name="label">
    /// The array of the <c>.npz</c> that holds the right answers, or in folders the file of that name with <c>.pb</c> behind it; null =
    /// none.
    /// </param>
    public static ModelInputs FromFile(string path, string? label = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new ModelInputs(model =>
        {
            string[] names = [.. model.Inputs.Select(input => input.Name)];
            return label is null ? new ModelRows(InputFiles.Read(path, names)) : InputFiles.ReadLabeled(path, names, label);
        });
    }

    /// <summary>Rows of float32 for a model with one input.</summary>
    /// <param name="rows">The rows one behind the other, row-major, copied.</param>
    /// <param name="count">How many rows they are.</param>
    /// <exception cref="ArgumentException">The numbers are not so many rows of one length.</exception>
    public static ModelInputs FromRows(ReadOnlySpan<float> rows, int count)
    {
        if (count <= 0 || rows.Length % count != 0)
            throw new ArgumentException($"{rows.Length} numbers are not {count} rows of one length; give rows × the length of a row.");
        var copy = rows.ToArray();
        return new ModelInputs(model =>
        {
            if (model.Inputs is not [{ Type: DataType.Float } input])
                throw new InvalidDataException(
                    $"Rows of float32 go into models with one input of float32; this one has {string.Join(", ", model.Inputs)}.");
            var width = copy.Length / count;
            long[] sizes = [.. input.Shape.Skip(1).Select(size => size.Size ?? 0)];
            if (sizes.Length == 0 || sizes.Contains(0)) sizes = [width];
            if (sizes.Aggregate(1L, (product, size) => product * size) != width)
                throw new InvalidDataException(
                    $"The input {input} takes [{string.Join(", ", sizes)}] for each row, but the rows have {width} numbers.");
            return new ModelRows([new Dictionary<string, HostTensor> { [input.Name] = HostTensor.Of(copy, [count, .. sizes]) }]);
        });
    }

    /// <summary>The rows as tensors for the inputs of a model.</summary>
    internal ModelRows For(OnnxModel model) => _read(model);
}
