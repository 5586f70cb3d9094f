using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace Microsoft.ML;

/// <summary>Reads a label as a number: true is 1, a key counts from 0 on, missing is NaN.</summary>
internal static class LabelReader
{
    public static Func<float> Create(DataViewRow row, DataViewSchema.Column label)
    {
        if (label.Type == NumberDataViewType.Single)
            return Read<float>(value => value);
        if (label.Type == NumberDataViewType.Double)
            return Read<double>(value => (float)value);
        if (label.Type is BooleanDataViewType)
            return Read<bool>(value => value ? 1 : 0);
        var (count, keys) = (((KeyDataViewType)label.Type).Count, KeyReader.Create(row, label));
        return () => keys()[0] is var key && key > 0 && key <= count ? key - 1 : float.NaN;

        Func<float> Read<T>(Func<T, float> convert)
        {
            var getter = row.GetGetter<T>(label);
            T value = default;
            return () =>
            {
                getter(ref value);
                return convert(value);
            };
        }
    }
}
