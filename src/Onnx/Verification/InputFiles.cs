using System.Globalization;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>Inputs for a comparison from files of the user's: a NumPy archive, or a folder laid out like the ONNX test data.</summary>
public static class InputFiles
{
    /// <summary>Reads sets of inputs.</summary>
    /// <param name="path">
    /// An <c>.npz</c> file with an array for each input, under its name; or a folder with <c>input_0.pb</c>, <c>input_1.pb</c>, … (a protobuf
    /// tensor each, in the order of the model's inputs), or with several such folders in it (<c>test_data_set_0</c>, …), a set each.
    /// </param>
    /// <param name="inputNames">The names of the model's inputs, in its order.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="InvalidDataException">A file cannot be read, an input is missing, or one is given that the model does not have.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, HostTensor>> Read(string path, IReadOnlyList<string> inputNames)
    {
        ArgumentNullException.ThrowIfNull(inputNames);
        if (Directory.Exists(path))
        {
            var folders = Directory.GetFiles(path, "input_*.pb").Length > 0
                ? [path]
                : Directory.GetDirectories(path).Where(folder => Directory.GetFiles(folder, "input_*.pb").Length > 0).Order(StringComparer.Ordinal).ToArray();
            if (folders.Length == 0)
                throw new InvalidDataException($"The folder '{path}' holds no input_0.pb, and neither does a folder in it.");
            return [.. folders.Select(folder => Complete(ReadFolder(folder, inputNames), inputNames, folder))];
        }

        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file or folder '{path}'.", path);
        return [Complete(NumpyFile.ReadArchive(path), inputNames, path)];
    }

    private static Dictionary<string, HostTensor> ReadFolder(string folder, IReadOnlyList<string> inputNames)
    {
        var result = new Dictionary<string, HostTensor>(StringComparer.Ordinal);
        foreach (var file in Directory.GetFiles(folder, "input_*.pb"))
        {
            TensorProto tensor;
            try
            {
                tensor = TensorProto.Parser.ParseFrom(File.ReadAllBytes(file));
            }
            catch (InvalidProtocolBufferException exception)
            {
                throw new InvalidDataException($"'{file}' is not a protobuf tensor: {exception.Message.Split('\n')[0]}", exception);
            }

            var number = Path.GetFileNameWithoutExtension(file)["input_".Length..];
            if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
                throw new InvalidDataException($"'{file}' has no number in its name.");
            // A name in the tensor counts; without one, its place does.
            var name = inputNames.Contains(tensor.Name) ? tensor.Name : index < inputNames.Count ? inputNames[index] : $"input {index}";
            result[name] = StoredTensor.ToHost(tensor);
        }

        return result;
    }

    private static IReadOnlyDictionary<string, HostTensor> Complete(IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlyList<string> inputNames, string path)
    {
        var missing = inputNames.Where(name => !inputs.ContainsKey(name)).ToList();
        var extra = inputs.Keys.Except(inputNames).ToList();
        if (missing.Count + extra.Count == 0) return inputs;
        var problem = missing.Count > 0 ? $"has no '{missing[0]}'" : $"has '{extra[0]}', which is no input of the model";
        throw new InvalidDataException($"'{path}' {problem}; the model's inputs are {string.Join(", ", inputNames)}.");
    }
}
