using Microsoft.ML;
using Microsoft.ML.Data;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.Tests.Scoring;

/// <summary>Columns of every type, through a model that changes nothing: scored, saved, loaded and rebuilt.</summary>
public sealed class ApplyOnnxModelBatchedTypesTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void SingleValues_AllTypes_PassThroughBatchRowFileAndBack()
    {
        CheckScalars(DataType.Float, [1.5f, -2f, float.NaN, 3f]);
        CheckScalars(DataType.Double, [1.5, -2, double.MaxValue]);
        CheckScalars(DataType.Bool, [true, false, false]);
        CheckScalars<sbyte>(DataType.Int8, [1, -2, 127]);
        CheckScalars<short>(DataType.Int16, [1, -2, 30000]);
        CheckScalars(DataType.Int32, [1, -2, int.MaxValue]);
        CheckScalars(DataType.Int64, [1, -2, long.MaxValue]);
        CheckScalars<byte>(DataType.Uint8, [1, 2, 255]);
        CheckScalars<ushort>(DataType.Uint16, [1, 2, 65535]);
        CheckScalars<uint>(DataType.Uint32, [1, 2, uint.MaxValue]);
        CheckScalars<ulong>(DataType.Uint64, [1, 2, ulong.MaxValue]);
        CheckScalars(DataType.String, ["a".AsMemory(), "äöü €".AsMemory(), string.Empty.AsMemory()]);
    }

    [Fact]
    public void Vectors_AllTypes_KeepTheirDimensions()
    {
        CheckVectors(DataType.Float, i => i + 0.5f);
        CheckVectors(DataType.Double, i => i + 0.5);
        CheckVectors(DataType.Bool, i => i % 2 == 0);
        CheckVectors(DataType.Int8, i => (sbyte)i);
        CheckVectors(DataType.Int16, i => (short)-i);
        CheckVectors(DataType.Int32, i => -i);
        CheckVectors(DataType.Int64, i => 10_000_000_000L + i);
        CheckVectors(DataType.Uint8, i => (byte)i);
        CheckVectors(DataType.Uint16, i => (ushort)i);
        CheckVectors(DataType.Uint32, i => (uint)i);
        CheckVectors(DataType.Uint64, i => (ulong)i);
        CheckVectors(DataType.String, i => $"text {i}".AsMemory());
    }

    private void CheckScalars<T>(DataType type, T[] values)
    {
        var data = _ml.Data.LoadFromEnumerable(values.Select(value => new Cell<T> { In = value }));
        using var model = _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.Identity(type)), Renamed("In")).Fit(data);
        Check(model, type, data, values, item => item);
    }

    private void CheckVectors<T>(DataType type, Func<int, T> value)
    {
        T[][] rows = [.. Enumerable.Range(0, 20).Select(row => Enumerable.Range(0, 6).Select(i => value((row * 6) + i)).ToArray())];
        var data = _ml.Data.LoadFromEnumerable(rows.Select(row => new Cells<T> { In = row }));
        using var model = _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.Identity(type, 2, 3)), Renamed("In")).Fit(data);
        Check(model, type, data, rows, item => new VectorDataViewType(item, 2, 3));
    }

    private void Check<T>(
        BatchedOnnxTransformer model, DataType type, IDataView data, T[] expected, Func<PrimitiveDataViewType, DataViewType> columnType)
    {
        var output = columnType(TypeOf(type));
        var loaded = Reloaded(model, data, batched: false);
        var rebuilt = Reloaded(model, data, batched: true);
        Assert.IsType<BatchedOnnxTransformer>(Assert.Single((IEnumerable<ITransformer>)rebuilt));
        foreach (var transformer in new[] { model, loaded, rebuilt, Reloaded(rebuilt, data, batched: true) })
        {
            var scored = transformer.Transform(data);
            Assert.Equal(["In", "Out"], scored.Schema.Where(column => !column.IsHidden).Select(column => column.Name));
            Assert.Equal(output, scored.Schema["Out"].Type);
            Assert.Equal(expected.Select(Plain), Values(scored).Select(Plain));
        }

        IEnumerable<T> Values(IDataView view) => typeof(T) == typeof(ReadOnlyMemory<char>)
            ? (IEnumerable<T>)view.GetColumn<string>("Out").Select(text => text.AsMemory())
            : typeof(T) == typeof(ReadOnlyMemory<char>[])
                ? (IEnumerable<T>)Texts(view)
                : view.GetColumn<T>("Out");
    }

    private static List<ReadOnlyMemory<char>[]> Texts(IDataView view)
    {
        using var cursor = view.GetRowCursor([view.Schema["Out"]]);
        var getTexts = cursor.GetGetter<VBuffer<ReadOnlyMemory<char>>>(view.Schema["Out"]);
        VBuffer<ReadOnlyMemory<char>> texts = default;
        List<ReadOnlyMemory<char>[]> rows = [];
        while (cursor.MoveNext())
        {
            getTexts(ref texts);
            rows.Add([.. texts.DenseValues()]);
        }

        return rows;
    }

    private static object? Plain<T>(T value) => value switch
    {
        ReadOnlyMemory<char> text => text.ToString(),
        ReadOnlyMemory<char>[] texts => Array.ConvertAll(texts, text => text.ToString()),
        _ => value,
    };

    private static PrimitiveDataViewType TypeOf(DataType type) => type switch
    {
        DataType.Float => NumberDataViewType.Single,
        DataType.Double => NumberDataViewType.Double,
        DataType.Bool => BooleanDataViewType.Instance,
        DataType.Int8 => NumberDataViewType.SByte,
        DataType.Int16 => NumberDataViewType.Int16,
        DataType.Int32 => NumberDataViewType.Int32,
        DataType.Int64 => NumberDataViewType.Int64,
        DataType.Uint8 => NumberDataViewType.Byte,
        DataType.Uint16 => NumberDataViewType.UInt16,
        DataType.Uint32 => NumberDataViewType.UInt32,
        DataType.Uint64 => NumberDataViewType.UInt64,
        _ => TextDataViewType.Instance,
    };

    private static BatchedOnnxOptions Renamed(string input) => new()
    {
        Inputs = new Dictionary<string, string> { ["in"] = input },
        Outputs = new Dictionary<string, string> { ["out"] = "Out" },
    };

    private ITransformer Reloaded(ITransformer model, IDataView data, bool batched) => Models.SaveAndLoad(_ml, model, data.Schema, batched);

    private sealed class Cell<T>
    {
        public T In { get; set; } = default!;
    }

    private sealed class Cells<T>
    {
        [VectorType(6)]
        public T[] In { get; set; } = [];
    }
}
