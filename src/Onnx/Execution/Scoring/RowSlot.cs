using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>The buffer of one input or output in a <see cref="RowBlock"/>.</summary>
internal abstract class RowSlot(RowTensor tensor, RowLayout layout) : IDisposable
{
    public RowTensor Tensor => tensor;

    public static bool Supports(DataType type) => type == DataType.String || ElementTypes.Find(type) is { IsPlain: true };

    /// <summary>Makes the buffer of a tensor that is <see cref="Supports">supported</see>.</summary>
    public static RowSlot Create(OnnxSession session, RowTensor tensor, int capacity, RowLayout layout) => tensor.Type == DataType.String
        ? new TextSlot(tensor, capacity, layout)
        : ElementTypes.Of(tensor.Type).Do(new Creation(session, tensor, capacity, layout));

    /// <summary>Ties rows to an input of a run.</summary>
    public abstract void BindInput(BoundRun run, int first, int rows);

    /// <summary>Ties rows to an output of a run.</summary>
    public abstract void BindOutput(BoundRun run, int first, int rows);

    /// <summary>
    /// Fills the rows from <paramref name="count"/> on with copies of the last one, and hands over what is not in native memory yet.
    /// </summary>
    public abstract void Complete(int count, int rows);

    /// <summary>Takes over what a run of <paramref name="rows"/> rows wrote, as far as it is not in its place already.</summary>
    public abstract void Collect(int count, int rows);

    public abstract void Dispose();

    /// <summary>The shape of the tensor that the model sees.</summary>
    protected long[] ShapeOf(int rows) => layout.ShapeOf(tensor, rows);

    private sealed record Creation(OnnxSession Session, RowTensor Tensor, int Capacity, RowLayout Layout) : IElementAction<RowSlot>
    {
        public RowSlot For<T>()
            where T : unmanaged => new NumberSlot<T>(Session, Tensor, Capacity, Layout);
    }

    private sealed class NumberSlot<T>(OnnxSession session, RowTensor tensor, int capacity, RowLayout layout)
        : RowSlot(tensor, layout), INumbers<T>
        where T : unmanaged
    {
        public TensorBuffer<T> Buffer { get; } = session.CreateBuffer<T>(checked((long)capacity * tensor.Count));

        public override void BindInput(BoundRun run, int first, int rows) => run.BindInput(Tensor.Name, Part(first, rows));

        public override void BindOutput(BoundRun run, int first, int rows) => run.BindOutput(Tensor.Name, Part(first, rows));

        public override void Complete(int count, int rows)
        {
            var width = Tensor.Count;
            var values = Buffer.Span;
            var last = values.Slice((count - 1) * width, width);
            for (var row = count; row < rows; row++) last.CopyTo(values[(row * width)..]);
        }

        public override void Collect(int count, int rows)
        {
        }

        public override void Dispose() => Buffer.Dispose();

        private TensorView<T> Part(int first, int rows) => Buffer.At(first * Tensor.Count, ShapeOf(rows));
    }

    /// <summary>Native texts have no views of different length over one block, so that each length has a tensor of its own.</summary>
    private sealed class TextSlot(RowTensor tensor, int capacity, RowLayout layout) : RowSlot(tensor, layout), ITexts
    {
        private readonly Dictionary<int, TextBuffer> _native = [];

        public ReadOnlyMemory<char>[] Texts { get; } = new ReadOnlyMemory<char>[capacity * tensor.Count];

        public override void BindInput(BoundRun run, int first, int rows) => run.BindInput(Tensor.Name, Native(rows));

        public override void BindOutput(BoundRun run, int first, int rows) => run.BindOutput(Tensor.Name, Native(rows));

        public override void Complete(int count, int rows)
        {
            var (width, native) = (Tensor.Count, Native(rows));
            for (var row = 0; row < rows; row++)
                for (var i = 0; i < width; i++) native.Set((row * width) + i, Texts[(Math.Min(row, count - 1) * width) + i].Span);
        }

        public override void Collect(int count, int rows)
        {
            var native = Native(rows);
            for (var i = 0; i < count * Tensor.Count; i++) Texts[i] = native.Get(i).AsMemory();
        }

        public override void Dispose()
        {
            foreach (var texts in _native.Values) texts.Dispose();
        }

        private TextBuffer Native(int rows) =>
            _native.TryGetValue(rows, out var texts) ? texts : _native[rows] = new TextBuffer(ShapeOf(rows));
    }

    internal interface INumbers<T>
        where T : unmanaged
    {
        TensorBuffer<T> Buffer { get; }
    }

    internal interface ITexts
    {
        ReadOnlyMemory<char>[] Texts { get; }
    }
}
