using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Tables;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>A whole pipeline, which takes the columns.</summary>
internal sealed class PipelineModel : NamedModel
{
    // A row of a pipeline goes through many small nodes; so many hide what each of them costs.
    private const int MostRows = 1024;

    private readonly RowModel _model;
    private readonly FeatureMap? _map;
    private readonly int[] _cells;

    public PipelineModel(RowModel model, IReadOnlyList<TensorInfo> inputs, FeatureMap? map, string? label, NamedOutputs outputs)
        : base(map is null ? RowColumns.Of(inputs, label) : RowColumns.Of(map, label), outputs)
    {
        (_model, _map) = (model, map);
        _cells = [.. model.Inputs.Select((input, index) => map is null ? index
            : map.Columns.Select((column, cell) => (column.Name, cell)).First(column => column.Name == input.Name).cell)];
    }

    /// <inheritdoc/>
    public override int BatchSize => _model.FixedRows ?? Math.Min(_model.Layout.BatchSize, MostRows);

    /// <inheritdoc/>
    public override DeviceReport DeviceReport => _model.Session.DeviceReport;

    /// <inheritdoc/>
    public override IReadOnlyList<TensorInfo> Tensors =>
        [.. _model.Outputs.Select(output => _model.Session.RequireOutput(output.Name))];

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata => _model.Metadata;

    private protected override RowLane CreateLane() => new Lane(this);

    private protected override void DisposeModel() => _model.Dispose();

    private sealed class Lane(PipelineModel model) : RowLane(model)
    {
        private RowBlock? _block;
        private IFeed[] _feeds = [];
        private float[] _values = [];

        public override void Reserve(int rows)
        {
            if (_block?.Capacity >= rows) return;
            _block?.Dispose();
            _block = null;
            var block = model._model.CreateBlock(rows);
            _feeds = [.. model._model.Inputs.Select((input, index) => FeedOf(block, input, index))];
            _values = new float[block.Capacity * model.Outputs.Width];
            _block = block;
        }

        public override void Put(int row)
        {
            foreach (var feed in _feeds) feed.Put(row, Cells);
        }

        public override ReadOnlySpan<float> Run(int rows)
        {
            _block!.Run(rows);
            var start = 0;
            for (var i = 0; i < model._model.Outputs.Count; i++)
            {
                var length = rows * model._model.Outputs[i].Count;
                _block.Output<float>(i).Span[..length].CopyTo(_values.AsSpan(start));
                start += length;
            }

            return _values.AsSpan(0, start);
        }

        public override void Dispose() => _block?.Dispose();

        private IFeed FeedOf(RowBlock block, RowTensor input, int index)
        {
            var cell = model._cells[index];
            var column = model._map?.Columns[cell];
            if (column is TextFeature words) return new WordsFeed(block.Input<float>(index), cell, words.FeatureCount);
            return input.Type == DataType.String ? new TextFeed(block.TextInput(index), cell, column as CategoricalFeature)
                : ElementTypes.Of(input.Type).Do(new FeedCreation(block, index, cell, column as NumericFeature));
        }
    }

    private interface IFeed
    {
        void Put(int row, RowCells cells);
    }

    private sealed record FeedCreation(RowBlock Block, int Index, int Cell, NumericFeature? Feature) : IElementAction<IFeed>
    {
        public IFeed For<T>()
            where T : unmanaged => new NumberFeed<T>(Block.Input<T>(Index), Cell, Feature);
    }

    // Where an offset is taken off, or a power of two, the pipeline does it, in float64.
    private sealed class NumberFeed<T>(TensorBuffer<T> buffer, int cell, NumericFeature? feature) : IFeed
        where T : unmanaged
    {
        public void Put(int row, RowCells cells)
        {
            var number = cells.Numbers[cell];
            buffer.Span[row] = feature is { Map.IsPlain: true } ? Cast(feature.Map.Apply(number)) : Cast(number);
        }

        private static T Cast(double number) =>
            typeof(T) == typeof(float) ? (T)(object)(float)number
            : typeof(T) == typeof(double) ? (T)(object)number
            : typeof(T) == typeof(bool) ? (T)(object)(number != 0)
            : typeof(T) == typeof(byte) ? (T)(object)(byte)number
            : typeof(T) == typeof(sbyte) ? (T)(object)(sbyte)number
            : typeof(T) == typeof(ushort) ? (T)(object)(ushort)number
            : typeof(T) == typeof(short) ? (T)(object)(short)number
            : typeof(T) == typeof(uint) ? (T)(object)(uint)number
            : typeof(T) == typeof(int) ? (T)(object)(int)number
            : typeof(T) == typeof(ulong) ? (T)(object)(ulong)number
            : typeof(T) == typeof(long) ? (T)(object)(long)number
            : throw new InvalidOperationException($"A column of {typeof(T).Name} cannot be given.");
    }

    private sealed class WordsFeed(TensorBuffer<float> buffer, int cell, int width) : IFeed
    {
        public void Put(int row, RowCells cells)
        {
            var features = buffer.Span.Slice(row * width, width);
            features.Clear();
            cells.Terms[cell].WriteTo(features);
        }
    }

    private sealed class TextFeed(ReadOnlyMemory<char>[] texts, int cell, CategoricalFeature? feature) : IFeed
    {
        // What is none of the categories is all the same to the pipeline, as long as it is none of them.
        private readonly ReadOnlyMemory<char>[] _categories =
            [.. (feature?.AllCategories ?? []).Select(category => category.AsMemory())];

        private readonly ReadOnlyMemory<char> _other =
            CategoricalFeature.MissingTextBeside([.. feature?.AllCategories ?? []]).AsMemory();

        public void Put(int row, RowCells cells)
        {
            if (feature is null) texts[row] = cells.Texts[cell].AsMemory();
            else texts[row] = cells.Numbers[cell] is >= 0 and var place ? _categories[(int)place] : _other;
        }
    }
}
