using System.Collections.Immutable;
using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Transforms;

public sealed class NormalizingEstimator : IEstimator<NormalizingTransformer>
{
    private readonly InputOutputColumnPair[] _columns;
    private readonly long _maximumExamples;
    private readonly Func<SlotStatistics, Affine> _rule;

    internal NormalizingEstimator(InputOutputColumnPair[] columns, long maximumExamples, Func<SlotStatistics, Affine> rule)
    {
        _columns = columns;
        _maximumExamples = maximumExamples;
        _rule = rule;
    }

    public NormalizingTransformer Fit(IDataView input) => new(_columns, _columns.Select(pair =>
    {
        var column = input.Schema.Require(pair.InputColumnName);
        Check(column.Name, column.Type.ItemType(), column.Type);
        using var cursor = input.GetRowCursor([column]);
        var statistics = column.Type.ItemType().RawType.For<SlotStatistics[]>(Statistics<int>, cursor, column, _maximumExamples);
        return statistics.Select(_rule).ToArray();
    }).ToArray(), _columns.Select(pair => input.Schema.Require(pair.InputColumnName).Type).ToArray());

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.With(_columns.Select(pair =>
    {
        var source = inputSchema.Require(pair.InputColumnName);
        Check(source.Name, source.ItemType, source.TypeName);
        if (source.Kind == SchemaShape.Column.VectorKind.VariableVector)
            throw SchemaExtensions.Mismatch("input", source.Name, "known-size vector or scalar", source.TypeName);
        var annotations = source.Annotations.Where(a => a.Name == SchemaExtensions.SlotNames)
            .Append(new SchemaShape.Column(SchemaExtensions.IsNormalized, BooleanDataViewType.Instance));
        return new SchemaShape.Column(pair.OutputColumnName, source.Kind, source.ItemType, false, new SchemaShape(annotations));
    }));

    private static void Check(string name, DataViewType item, object type)
    {
        if (item != NumberDataViewType.Single && item != NumberDataViewType.Double)
            throw SchemaExtensions.Mismatch("input", name, "vector or scalar of Single or Double", type);
    }

    private static SlotStatistics[] Statistics<T>(DataViewRowCursor cursor, DataViewSchema.Column column, long maximum)
    {
        var slots = Enumerable.Range(0, (column.Type as VectorDataViewType)?.Size ?? 1).Select(_ => new SlotStatistics()).ToArray();
        foreach (var row in ColumnValues.ReadRows<T>(cursor, column))
        {
            if (maximum-- <= 0)
                break;
            for (var i = 0; i < slots.Length; i++)
                slots[i].Add(Convert.ToDouble(row[i], CultureInfo.InvariantCulture));
        }
        return slots;
    }
}

/// <summary>Running mean and variance (Welford), and range, of the finite values of a slot.</summary>
internal sealed class SlotStatistics
{
    private double _squares;
    private long _count;

    public double Mean { get; private set; }

    public double Variance => _count == 0 ? 0 : _squares / _count;

    public double Minimum { get; private set; } = double.PositiveInfinity;

    public double Maximum { get; private set; } = double.NegativeInfinity;

    public void Add(double value)
    {
        if (!double.IsNaN(value))
            (Minimum, Maximum) = (Math.Min(Minimum, value), Math.Max(Maximum, value));
        if (!double.IsFinite(value))
            return;
        _count++;
        var delta = value - Mean;
        Mean += delta / _count;
        _squares += delta * (value - Mean);
    }
}

/// <summary>(value − offset) · scale. A constant slot says nothing, and becomes 0.</summary>
internal readonly record struct Affine(double Scale, double Offset)
{
    public static Affine MeanVariance(SlotStatistics slot)
        => slot.Variance == 0 ? default : new Affine(1 / Math.Sqrt(slot.Variance), slot.Mean);

    public static Affine MeanVarianceFixingZero(SlotStatistics slot)
        => slot.Variance == 0 ? default : new Affine(1 / Math.Sqrt(slot.Variance + (slot.Mean * slot.Mean)), 0);

    public static Affine MinMax(SlotStatistics slot)
        => slot.Maximum > slot.Minimum ? new Affine(1 / (slot.Maximum - slot.Minimum), slot.Minimum) : default;

    public static Affine MinMaxFixingZero(SlotStatistics slot)
        => slot.Maximum > slot.Minimum ? new Affine(1 / Math.Max(Math.Abs(slot.Maximum), Math.Abs(slot.Minimum)), 0) : default;
}

public sealed class NormalizingTransformer : OneToOneTransformerBase
{
    internal const string Signature = "Normalizer";
    private readonly Affine[][] _slots;
    private readonly DataViewType[] _types;

    internal NormalizingTransformer(InputOutputColumnPair[] columns, Affine[][] slots, DataViewType[] types) : base(columns)
    {
        _slots = slots;
        _types = types;
    }

    /// <summary>The scale and offset of a column: a number each for a scalar, an array each for a vector.</summary>
    public NormalizerModelParametersBase GetNormalizerModelParameters(int index)
    {
        var isVector = _types[index] is VectorDataViewType;
        var (scales, offsets) = (_slots[index].Select(s => s.Scale).ToImmutableArray(), _slots[index].Select(s => s.Offset).ToImmutableArray());
        if (_types[index].ItemType() == NumberDataViewType.Double)
        {
            return isVector ? new AffineNormalizerModelParameters<ImmutableArray<double>>(scales, offsets)
                : new AffineNormalizerModelParameters<double>(scales[0], offsets[0]);
        }
        var (singleScales, singleOffsets) = (scales.Select(s => (float)s).ToImmutableArray(), offsets.Select(o => (float)o).ToImmutableArray());
        return isVector ? new AffineNormalizerModelParameters<ImmutableArray<float>>(singleScales, singleOffsets)
            : new AffineNormalizerModelParameters<float>(singleScales[0], singleOffsets[0]);
    }

    internal static NormalizingTransformer Load(ModelLoadContext ctx)
        => new(ReadColumns(ctx.Reader), ctx.Reader.ReadArray(r => r.ReadArray(s => new Affine(s.ReadDouble(), s.ReadDouble()))),
            ctx.Reader.ReadArray(r => r.ReadType()));

    private protected override void Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        WriteColumns(ctx.Writer);
        ctx.Writer.WriteArray(_slots, (w, slots) => w.WriteArray(slots, (s, affine) =>
        {
            s.Write(affine.Scale);
            s.Write(affine.Offset);
        }));
        ctx.Writer.WriteArray(_types, (w, type) => w.WriteType(type));
    }

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
    {
        var slots = _slots[index];
        var size = (source.Type as VectorDataViewType)?.Size ?? 1;
        if (size != slots.Length)
            throw new InvalidOperationException($"Normalizer expected {slots.Length} slots, but the input data column has {size} slots.");
        var builder = new DataViewSchema.Annotations.Builder();
        builder.AddIsNormalized();
        builder.Add(source.Annotations, kind => kind == SchemaExtensions.SlotNames);
        return (source.Type, builder.ToAnnotations(), row => NumberMapping.Getter(row, source,
            (value, slot) => (value - (float)slots[slot].Offset) * (float)slots[slot].Scale,
            (value, slot) => (value - slots[slot].Offset) * slots[slot].Scale));
    }

    public abstract class NormalizerModelParametersBase
    {
        private protected NormalizerModelParametersBase()
        {
        }
    }

    public sealed class AffineNormalizerModelParameters<TData> : NormalizerModelParametersBase
    {
        internal AffineNormalizerModelParameters(TData scale, TData offset)
        {
            Scale = scale;
            Offset = offset;
        }

        public TData Scale { get; }

        public TData Offset { get; }
    }
}
