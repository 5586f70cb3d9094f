using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>A column that a transformer adds: its name and type, and how its value is read from a row's result.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Type">Its type.</param>
/// <param name="CreateGetter">
/// Makes a getter of the type's <see cref="DataViewType.RawType"/>, given a function that returns the result of the current row.
/// </param>
internal sealed record ScoreColumn(string Name, DataViewType Type, Func<Func<ReadOnlyMemory<float>>, Delegate> CreateGetter)
{
    /// <summary>A column of scalars.</summary>
    public static ScoreColumn Of<T>(string name, PrimitiveDataViewType type, Func<ReadOnlyMemory<float>, T> read) =>
        new(name, type, result => (ValueGetter<T>)((ref T value) => value = read(result())));
}
