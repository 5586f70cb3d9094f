using System.Globalization;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>Inputs for a comparison from files of the user's: a NumPy archive, or a folder laid out like the ONNX test data.</summary>
internal static class InputFiles
{
    /// <summary>Reads sets of inputs.</summary>
    /// <param name="path">
    /// An <c>.npz</c> file with an array for each input, under its name; or a folder with <c>input_0.pb</c>, <c>input_1.pb</c>, … (a
    /// protobuf tensor each, in the order of the model's inputs), or with several such folders in it (<c>test_data_set_0</c>, …), a set
    /// each.
    /// </param>
    /// <param name="inputNames">The names of the model's inputs, in its order.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="InvalidDataException">
    /// A file cannot be read, an input is missing, or one is given that the model does not have.
    /// </exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, HostTensor>> Read(string path, IReadOnlyList<string> inputNames) =>
        Read(path, inputNames, null).Inputs;

    /// <summary>Reads sets of inputs, and with them the right answers for their rows.</summary>
    /// <param name="path">As above.</param>
    /// <param name="inputNames">The names of the model's inputs, in its order.</param>
    /// <param name="label">
    /// The array of the <c>.npz</c> that holds the labels; in folders the file of that name with <c>.pb</c> behind it.
    /// </param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="InvalidDataException">
    /// A file cannot be read, an input or the labels are missing, or something is given that the model does not have.
    /// </exception>
    public static ModelRows ReadLabeled(string path, IReadOnlyList<string> inputNames, string label)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        return Read(path, inputNames, label);
    }

    private static ModelRows Read(string path, IReadOnlyList<string> inputNames, string? label)
    {
        ArgumentNullException.ThrowIfNull(inputNames);
        if (label is not null && inputNames.Contains(label))
            throw new InvalidDataException(
                $"'{label}' is an input of the model, so it cannot be the label as well; give the labels under another name.");
        var sets = ReadSets(path, inputNames, label);
        if (inputNames.Count > 0 && sets.All(set => inputNames.All(name => set[name].Data.Length == 0)))
            throw new InvalidDataException($"'{path}' holds no rows: all of its arrays are empty.");
        if (label is null) return new ModelRows(sets, null);
        var inputs = sets.ConvertAll<IReadOnlyDictionary<string, HostTensor>>(
            set => inputNames.ToDictionary(name => name, name => set[name], StringComparer.Ordinal));
        return new ModelRows(inputs, new RowLabels([.. sets.Select(set => set[label])]) { Name = label });
    }

    private static List<IReadOnlyDictionary<string, HostTensor>> ReadSets(string path, IReadOnlyList<string> inputNames, string? label)
    {
        if (Directory.Exists(path))
        {
            var folders = Directory.GetFiles(path, "input_*.pb").Length > 0
                ? [path]
                : Directory.GetDirectories(path).Where(folder => Directory.GetFiles(folder, "input_*.pb").Length > 0)
                    .Order(StringComparer.Ordinal).ToArray();
            if (folders.Length == 0)
                throw new InvalidDataException($"The folder '{path}' holds no input_0.pb, and neither does a folder in it.");
            return [.. folders.Select(folder => Complete(ReadFolder(folder, inputNames, label), inputNames, label, folder))];
        }

        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file or folder '{path}'.", path);
        return [Complete(NumpyFile.ReadArchive(path), inputNames, label, path)];
    }

    private static Dictionary<string, HostTensor> ReadFolder(string folder, IReadOnlyList<string> inputNames, string? label)
    {
        var result = new Dictionary<string, HostTensor>(StringComparer.Ordinal);
        foreach (var file in Directory.GetFiles(folder, "input_*.pb"))
        {
            var tensor = ReadTensor(file);
            var number = Path.GetFileNameWithoutExtension(file)["input_".Length..];
            if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
                throw new InvalidDataException($"'{file}' has no number in its name.");
            // A name in the tensor counts; without one, its place does.
            var name = inputNames.Contains(tensor.Name) ? tensor.Name : index < inputNames.Count ? inputNames[index] : $"input {index}";
            result[name] = ToHost(tensor, file);
        }

        if (label is not null && Path.Combine(folder, $"{label}.pb") is var labels && File.Exists(labels))
            result[label] = ToHost(ReadTensor(labels), labels);
        return result;
    }

    private static HostTensor ToHost(TensorProto tensor, string file)
    {
        try
        {
            return StoredTensor.ToHost(tensor);
        }
        catch (InvalidModelException exception)
        {
            throw new InvalidDataException($"'{file}': {exception.Message}", exception);
        }
    }

    private static TensorProto ReadTensor(string file)
    {
        try
        {
            return TensorProto.Parser.ParseFrom(File.ReadAllBytes(file));
        }
        catch (InvalidProtocolBufferException exception)
        {
            throw new InvalidDataException($"'{file}' is not a protobuf tensor: {exception.Message.Split('\n')[0]}", exception);
        }
    }

    private static IReadOnlyDictionary<string, HostTensor> Complete(
        IReadOnlyDictionary<string, HostTensor> arrays, IReadOnlyList<string> inputNames, string? label, string path)
    {
        if (label is not null && !arrays.ContainsKey(label))
            throw new InvalidDataException($"'{path}' has no '{label}' to take the labels from; it has {string.Join(", ", arrays.Keys)}.");
        var missing = inputNames.Where(name => !arrays.ContainsKey(name)).ToList();
        var extra = arrays.Keys.Except(inputNames).Where(name => name != label).ToList();
        if (missing.Count + extra.Count == 0) return arrays;
        var problem = missing.Count > 0 ? $"has no '{missing[0]}'" : $"has '{extra[0]}', which is no input of the model";
        throw new InvalidDataException($"'{path}' {problem}; the model's inputs are {string.Join(", ", inputNames)}.");
    }
}
