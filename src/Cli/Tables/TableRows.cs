using System.Globalization;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// Rows of a CSV file for any model with one input of float32: by the features that the model's own metadata describe, or else a number for
/// each column but the label, in the order of the table.
/// </summary>
internal static class TableRows
{
    /// <summary>Whether a file is a table, by its name: nothing else that rows are read from is.</summary>
    public static bool IsTable(string path) =>
        Path.GetExtension(path).ToUpperInvariant() is ".CSV" or ".TSV" or ".TXT" or ".GZ" or ".PARQUET";

    /// <exception cref="TableException">The table does not fit; file, row and column are named.</exception>
    /// <exception cref="InvalidDataException">The model does not take a table, or has another number of features.</exception>
    public static ModelRows Read(string path, ModelProto model, string? label)
    {
        var initializers = model.Graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        var given = model.Graph.Input.Where(input => !initializers.Contains(input.Name)).ToList();
        if (given is not [{ Type.TensorType.ElemType: (int)DataType.Float } input])
            throw new InvalidDataException(
                $"A table goes into models with one input of float32, which this one is not; give its inputs as an .npz file instead of "
                + $"'{path}'.");
        var table = CsvTable.Read(path);
        if (label is not null) _ = table.Column(label);
        var names = table.Columns.Select(column => column.Name).Where(name => name != label).ToList();
        var (features, width) = ModelFile.GetMetadata(model, ModelMetadata.FeatureMap) is { } map
            ? (FeatureMap.FromJson(map).EncodeAll(table), FeatureMap.FromJson(map).FeatureCount)
            : (Numbers(table, names), names.Count);
        long[] sizes = [.. input.Type.TensorType.Shape?.Dim.Skip(1).Select(size => size.DimValue) ?? []];
        if (sizes.Length == 0 || sizes.Contains(0)) sizes = [width];
        if (sizes.Aggregate(1L, (product, size) => product * size) != width)
            throw new InvalidDataException(
                $"The input '{input.Name}' takes [{string.Join(", ", sizes)}] for each row, but '{path}' gives {width} numbers "
                + $"({string.Join(", ", names.Take(8))}{(names.Count > 8 ? ", …" : string.Empty)}).");
        var inputs = new Dictionary<string, HostTensor> { [input.Name] = HostTensor.Of(features, [table.RowCount, .. sizes]) };
        return new ModelRows([inputs], label is null ? null : Labels(table, model, label));
    }

    private static float[] Numbers(CsvTable table, List<string> names)
    {
        var result = new float[table.RowCount * names.Count];
        var numbers = TableNumbers.Infer(table);
        for (var i = 0; i < names.Count; i++)
        {
            var column = table.Column(names[i]);
            column = column.ReadAs(numbers[column].Format);
            for (var row = 0; row < table.RowCount; row++)
            {
                if (column.Numbers is not null && !double.IsNaN(column.NumberAt(row)))
                {
                    result[(row * names.Count) + i] = (float)column.NumberAt(row);
                    continue;
                }

                var value = column.Values[column.Codes[row]];
                ref var number = ref result[(row * names.Count) + i];
                number = (float)value.Number;
                if (value.Kind != CellKind.Number
                    && !float.TryParse(column[row], NumberStyles.Float, CultureInfo.InvariantCulture, out number))
                    throw new TableException(
                        $"{table.FilePath}, line {table.LineOf(row)}, column {names[i]}: '{column[row]}' is no number, and the model does "
                        + "not say how its features are made from a table.");
            }
        }

        return result;
    }

    // A model that was trained on a table knows its classes; otherwise labels are what they look like.
    private static RowLabels Labels(CsvTable table, ModelProto model, string label)
    {
        var column = table.Column(label);
        if (TableDescription.Find(model, table.FilePath) is { } known)
        {
            // Counted as the last output counts, which is judged unless another is named.
            var map = new LabelMap(label, known.Task.Kind, known.Classes, known.Features.LabelNumbers) { Offset = known.LabelOffset };
            return Of(HostTensor.Of(map.Encode(table), table.RowCount));
        }

        var texts = Enumerable.Range(0, table.RowCount).Select(row => column[row]).ToArray();
        var format = TableNumbers.Infer(table)[column].Format;
        double?[] numbers = Array.ConvertAll(texts, ToNumber);
        return Of(Array.Exists(numbers, number => number is null)
            ? new HostTensor(DataType.String, [texts.Length], texts)
            : new HostTensor(DataType.Double, [numbers.Length], Array.ConvertAll(numbers, number => number!.Value)));

        double? ToNumber(string text) => format.TryRead(text, out var number)
            || double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) ? number : null;

        RowLabels Of(HostTensor values) => new([values]) { Name = label };
    }
}
