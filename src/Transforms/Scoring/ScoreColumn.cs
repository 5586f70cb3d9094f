using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>A column that a transformer adds: its name and type, and how its value is read from a row's result.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Type">Its type.</param>
/// <param name="CreateGetter">
/// Makes a getter of the type's <see cref="DataViewType.RawType"/>, given a function that returns the result of the current row.
/// </param>
/// <param name="Annotations">What else is known of it; null = nothing.</param>
internal sealed record ScoreColumn(
    string Name, DataViewType Type, Func<Func<ReadOnlyMemory<float>>, Delegate> CreateGetter, DataViewSchema.Annotations? Annotations = null)
{
    /// <summary>A column of scalars.</summary>
    public static ScoreColumn Of<T>(
        string name, PrimitiveDataViewType type, Func<ReadOnlyMemory<float>, T> read, DataViewSchema.Annotations? annotations = null) =>
        new(name, type, result => (ValueGetter<T>)((ref T value) => value = read(result())), annotations);

    /// <summary>A column with the whole result as a vector.</summary>
    public static ScoreColumn Vector(string name, int size, DataViewSchema.Annotations annotations) => new(
        name,
        new VectorDataViewType(NumberDataViewType.Single, size),
        result => (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
        {
            var editor = VBufferEditor.Create(ref value, size);
            result().Span.CopyTo(editor.Values);
            value = editor.Commit();
        }),
        annotations);
}
