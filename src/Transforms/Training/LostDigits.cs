using System.Globalization;
using System.Numerics.Tensors;
using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Tables;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Transforms.Rows;

namespace MlNetBatchNorm.Transforms.Training;

/// <summary>
/// Finds features and labels that lost digits before a trainer could see them: ML.NET joins features as Single, which keeps 7 digits. Where
/// the column that one was made from is still there (also hidden behind its conversion), it is asked; otherwise numbers that lie as close
/// to each other as Single lets them are a sign.
/// </summary>
internal static class LostDigits
{
    // Below, Single holds every whole number.
    private const float AllWholeNumbers = 1 << 24;

    // The most features that are looked at.
    private const int MostSlots = 64;

    private static readonly Dictionary<Type, Func<object, double>> Exact = new()
    {
        [typeof(double)] = value => (double)value,
        [typeof(long)] = value => (long)value,
        [typeof(ulong)] = value => (ulong)value,
        [typeof(int)] = value => (int)value,
        [typeof(uint)] = value => (uint)value,
    };

    /// <summary>What was lost, a sentence for each feature and one for the label.</summary>
    /// <param name="data">The rows as the trainer gets them.</param>
    /// <param name="features">The column of the features.</param>
    /// <param name="label">The label column.</param>
    /// <param name="rows">The rows that were read.</param>
    public static IEnumerable<string> Find(IDataView data, DataViewSchema.Column features, DataViewSchema.Column label, TrainingData rows)
    {
        var names = Columns.SlotNames(features);
        foreach (var (slot, values) in LargeSlots(rows.FeatureRows))
        {
            var name = names is null || names[slot].Length == 0 ? null : names[slot];
            var what = name is null ? $"The feature in slot {slot}" : $"The feature '{name}'";
            if (Describe(what, values, name is null ? null : Source(data, name)) is { } lost)
                yield return $"{lost} Take off what its numbers have in common in front of ConvertType, on the column as Double: "
                    + "NormalizeMeanVariance with fixZero: false does.";
        }

        if (rows.TargetOffset != 0)
        {
            var size = (float)Math.Abs(rows.TargetOffset);
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"The label '{label.Name}' has more digits than the Score of ML.NET, a Single, can have: at this size scores are "
                    + $"{MathF.BitIncrement(size) - size} apart. Take off {rows.TargetOffset} and add it to the scores.");
        }
        else if (label.Type == NumberDataViewType.Single && rows.TargetArray.Max(Math.Abs) >= AllWholeNumbers
            && Describe($"The label '{label.Name}'", rows.TargetArray, Source(data, label.Name)) is { } lost)
        {
            yield return $"{lost} Leave the label as Double or Int64: what its numbers have in common is taken off before they become "
                + "Single.";
        }
    }

    private static Dictionary<int, float[]> LargeSlots(FeatureRows rows)
    {
        var largest = new float[rows.Width];
        rows.Visit((_, values, slots) =>
        {
            if (slots.IsEmpty && !values.IsEmpty) TensorPrimitives.MaxMagnitude(largest, values, largest);
            for (var i = 0; i < slots.Length; i++) largest[slots[i]] = Math.Max(largest[slots[i]], Math.Abs(values[i]));
        });
        for (var slot = 0; slot < largest.Length; slot++) largest[slot] = Math.Abs(largest[slot]);
        var large = Enumerable.Range(0, rows.Width).Where(slot => largest[slot] >= AllWholeNumbers).Take(MostSlots)
            .ToDictionary(slot => slot, _ => new float[rows.Count]);
        if (large.Count > 0)
            rows.Visit((row, values, slots) =>
            {
                if (slots.IsEmpty && !values.IsEmpty)
                    foreach (var (slot, kept) in large) kept[row] = values[slot];
                for (var i = 0; i < slots.Length; i++)
                    if (large.TryGetValue(slots[i], out var kept)) kept[row] = values[i];
            });
        return large;
    }

    private static string? Describe(string what, float[] values, (string Type, double[] Numbers)? source)
    {
        if (source is var (type, numbers))
        {
            var (exact, kept) = (numbers.Distinct().Count(), numbers.Select(number => (float)number).Distinct().Count());
            return kept == exact || Float32Map.For(numbers).Offset == 0 ? null : string.Create(
                CultureInfo.InvariantCulture,
                $"{what} has {exact:N0} different numbers as {type} but {kept:N0} as Single, which keeps 7 digits.");
        }

        float[] different = [.. values.Distinct().Order()];
        var closest = different.Zip(different.Skip(1)).Any(pair => MathF.BitIncrement(pair.First) == pair.Second);
        if (!closest) return null;

        // Half a step of Single against how far apart the numbers are: the rule by which columns of Double get an offset.
        var middle = different[different.Length / 2];
        var halfSteps = Array.ConvertAll(values, value => value + ((MathF.BitIncrement(Math.Abs(value)) - Math.Abs((double)value)) / 2));
        return Float32Map.For(halfSteps).Offset == 0 ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"{what} has {different.Length:N0} different numbers from {different[0]:R} to {different[^1]:R}, where those of Single are "
                + $"{MathF.BitIncrement(Math.Abs(middle)) - Math.Abs(middle)} apart: if they had more digits, these are lost.");
    }

    // The column of a name before it became Single.
    private static (string Type, double[] Numbers)? Source(IDataView data, string name)
    {
        var source = data.Schema.Where(column => column.Name == name && Exact.ContainsKey(column.Type.RawType)
            && column.Type is NumberDataViewType).Cast<DataViewSchema.Column?>().LastOrDefault();
        if (source is not { } column) return null;
        var read = typeof(LostDigits).GetMethod(nameof(Read), BindingFlags.NonPublic | BindingFlags.Static)!
            .MakeGenericMethod(column.Type.RawType);
        double[] numbers = [.. ((double[])read.Invoke(null, [data, column])!).Where(double.IsFinite)];
        return numbers.Length == 0 ? null : (column.Type.ToString()!, numbers);
    }

    private static double[] Read<T>(IDataView data, DataViewSchema.Column column)
    {
        var (numbers, toDouble, value) = (new List<double>(), Exact[typeof(T)], default(T)!);
        using var cursor = data.GetRowCursor([column]);
        var getter = cursor.GetGetter<T>(column);
        while (cursor.MoveNext())
        {
            getter(ref value);
            numbers.Add(toDouble(value!));
        }

        return [.. numbers];
    }
}
