using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Scoring;

namespace MlNetBatchNorm.Transforms.Scoring;

/// <summary>Writes what a row has in one column to its place in a block.</summary>
internal abstract class RowFeed
{
    /// <summary>Copies the current row's values to a row of the block.</summary>
    public abstract void Read(int index);

    public sealed class Vector<T>(InputColumn input, DataViewRow row, DataViewSchema.Column column, RowBlock block) : RowFeed
        where T : unmanaged
    {
        private readonly ValueGetter<VBuffer<T>> _getter = row.GetGetter<VBuffer<T>>(column);
        private readonly TensorBuffer<T> _buffer = block.Input<T>(input.Index);
        private readonly int _width = input.Tensor.Count;
        private VBuffer<T> _vector;

        public override void Read(int index)
        {
            _getter(ref _vector);
            if (_vector.Length != _width) throw input.WrongLength(row.Position, _vector.Length);
            var target = _buffer.Span.Slice(index * _width, _width);
            if (_vector.IsDense) _vector.GetValues().CopyTo(target);
            else _vector.CopyTo(target);
        }
    }

    public sealed class Scalar<T>(InputColumn input, DataViewRow row, DataViewSchema.Column column, RowBlock block) : RowFeed
        where T : unmanaged
    {
        private readonly ValueGetter<T> _getter = row.GetGetter<T>(column);
        private readonly TensorBuffer<T> _buffer = block.Input<T>(input.Index);

        public override void Read(int index) => _getter(ref _buffer.Span[index]);
    }

    public sealed class TextVector(InputColumn input, DataViewRow row, DataViewSchema.Column column, RowBlock block) : RowFeed
    {
        private readonly ValueGetter<VBuffer<ReadOnlyMemory<char>>> _getter = row.GetGetter<VBuffer<ReadOnlyMemory<char>>>(column);
        private readonly ReadOnlyMemory<char>[] _texts = block.TextInput(input.Index);
        private readonly int _width = input.Tensor.Count;
        private VBuffer<ReadOnlyMemory<char>> _vector;

        public override void Read(int index)
        {
            _getter(ref _vector);
            if (_vector.Length != _width) throw input.WrongLength(row.Position, _vector.Length);
            _vector.CopyTo(_texts.AsSpan(index * _width, _width));
        }
    }

    public sealed class Text(InputColumn input, DataViewRow row, DataViewSchema.Column column, RowBlock block) : RowFeed
    {
        private readonly ValueGetter<ReadOnlyMemory<char>> _getter = row.GetGetter<ReadOnlyMemory<char>>(column);
        private readonly ReadOnlyMemory<char>[] _texts = block.TextInput(input.Index);

        public override void Read(int index) => _getter(ref _texts[index]);
    }
}
