using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Transforms.Rows;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.Scoring;

/// <summary>A column that a transformer adds: its name and type, and how its value is read from a block of scored rows.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Type">Its type.</param>
/// <param name="CreateGetter">Makes a getter of the type's <see cref="DataViewType.RawType"/> for the current row of a block.</param>
/// <param name="Annotations">What else is known of it; null = nothing.</param>
internal sealed record ScoreColumn(
    string Name, DataViewType Type, Func<RowBlock, ICurrentRow, Delegate> CreateGetter, DataViewSchema.Annotations? Annotations = null)
{
    /// <summary>Computes a value from one row of an output.</summary>
    public delegate TValue RowFunction<TItem, out TValue>(ReadOnlySpan<TItem> row);

    /// <summary>A column of scalars that are computed from one output.</summary>
    /// <param name="name">The column's name.</param>
    /// <param name="type">Its type.</param>
    /// <param name="output">The place of the output among those that are computed.</param>
    /// <param name="width">The values of one row in it.</param>
    /// <param name="read">Computes the scalar.</param>
    /// <param name="annotations">What else is known of the column.</param>
    public static ScoreColumn Of<TItem, TValue>(
        string name,
        PrimitiveDataViewType type,
        int output,
        int width,
        RowFunction<TItem, TValue> read,
        DataViewSchema.Annotations? annotations = null)
        where TItem : unmanaged => new(
        name,
        type,
        (block, at) =>
        {
            var buffer = block.Output<TItem>(output);
            return (ValueGetter<TValue>)((ref TValue value) => value = read(buffer.Span.Slice(at.Index * width, width)));
        },
        annotations);

    /// <summary>A column with an output as it is: a scalar where <paramref name="type"/> is one, otherwise a vector.</summary>
    /// <param name="name">The column's name.</param>
    /// <param name="type">Its type, of as many values as the output has for a row.</param>
    /// <param name="tensor">The output.</param>
    /// <param name="output">Its place among those that are computed.</param>
    /// <param name="annotations">What else is known of the column.</param>
    public static ScoreColumn Of(
        string name, DataViewType type, RowTensor tensor, int output, DataViewSchema.Annotations? annotations = null)
    {
        var reader = tensor.Type == DataType.String
            ? new TextOutput()
            : (OutputReader)Activator.CreateInstance(typeof(NumberOutput<>).MakeGenericType(TensorTypes.RawTypeOf(tensor.Type)))!;
        return new ScoreColumn(
            name,
            type,
            (block, at) => type is VectorDataViewType ? reader.Vector(block, output, tensor.Count, at) : reader.Scalar(block, output, at),
            annotations);
    }

    private abstract class OutputReader
    {
        public abstract Delegate Scalar(RowBlock block, int output, ICurrentRow at);

        public abstract Delegate Vector(RowBlock block, int output, int width, ICurrentRow at);
    }

    private sealed class NumberOutput<T> : OutputReader
        where T : unmanaged
    {
        public override Delegate Scalar(RowBlock block, int output, ICurrentRow at)
        {
            var buffer = block.Output<T>(output);
            return (ValueGetter<T>)((ref T value) => value = buffer.Span[at.Index]);
        }

        public override Delegate Vector(RowBlock block, int output, int width, ICurrentRow at)
        {
            var buffer = block.Output<T>(output);
            return (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) =>
            {
                var row = buffer.Span.Slice(at.Index * width, width);
                var editor = VBufferEditor.Create(ref value, width);
                row.CopyTo(editor.Values);
                value = editor.Commit();
            });
        }
    }

    private sealed class TextOutput : OutputReader
    {
        public override Delegate Scalar(RowBlock block, int output, ICurrentRow at)
        {
            var texts = block.TextOutput(output);
            return (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = texts[at.Index]);
        }

        public override Delegate Vector(RowBlock block, int output, int width, ICurrentRow at)
        {
            var texts = block.TextOutput(output);
            return (ValueGetter<VBuffer<ReadOnlyMemory<char>>>)((ref VBuffer<ReadOnlyMemory<char>> value) =>
            {
                var first = at.Index * width;
                var editor = VBufferEditor.Create(ref value, width);
                texts.AsSpan(first, width).CopyTo(editor.Values);
                value = editor.Commit();
            });
        }
    }
}
