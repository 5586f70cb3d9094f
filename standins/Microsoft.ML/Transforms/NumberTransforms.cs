using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Transforms;

/// <summary>(value − Offset) · Scale, or Missing where the value is missing. There is one for each slot of a column.</summary>
internal readonly record struct SlotMap(double Offset, double Scale, double Missing)
{
    public static void Check(string name, DataViewType item)
    {
        if (item != NumberDataViewType.Single && item != NumberDataViewType.Double)
            throw SchemaExtensions.Mismatch("input", name, "vector or scalar of Single or Double", item);
    }

    public static SlotMap Read(BinaryReader reader) => new(reader.ReadDouble(), reader.ReadDouble(), reader.ReadDouble());

    public static void Write(BinaryWriter writer, SlotMap slot)
    {
        writer.Write(slot.Offset);
        writer.Write(slot.Scale);
        writer.Write(slot.Missing);
    }

    /// <summary>Reads the column, and makes a map of the values of each slot.</summary>
    public static SlotMap[] Train(IDataView data, string name, long maximum, Func<IReadOnlyList<double>, SlotMap> rule)
    {
        var column = data.Schema.Require(name);
        Check(name, column.Type.ItemType());
        using var cursor = data.GetRowCursor([column]);
        var rows = column.Type.ItemType().RawType.For<List<double[]>>(Rows<int>, cursor, column, maximum);
        var slots = (column.Type as VectorDataViewType)?.Size ?? 1;
        return Enumerable.Range(0, slots).Select(slot => rule(rows.Select(r => r[slot]).Where(double.IsFinite).ToArray())).ToArray();
    }

    public static Delegate Getter(SlotMap[] slots, DataViewRow row, DataViewSchema.Column source)
    {
        SlotMap At(int slot) => slots[slots.Length == 1 ? 0 : slot];
        return source.Type.ItemType() == NumberDataViewType.Single
            ? Values.Mapped<float, float>(row, source, (v, i) => float.IsNaN(v) ? (float)At(i).Missing : (v - (float)At(i).Offset) * (float)At(i).Scale)
            : Values.Mapped<double, double>(row, source, (v, i) => double.IsNaN(v) ? At(i).Missing : (v - At(i).Offset) * At(i).Scale);
    }

    private static List<double[]> Rows<T>(DataViewRowCursor cursor, DataViewSchema.Column column, long maximum)
        => Values.Read<T>(cursor, column).TakeWhile(_ => maximum-- > 0)
            .Select(row => Array.ConvertAll(row, v => Convert.ToDouble(v, CultureInfo.InvariantCulture))).ToList();
}

public sealed class MissingValueReplacingEstimator : IEstimator<MissingValueReplacingTransformer>
{
    private readonly InputOutputColumnPair[] _columns;
    private readonly ReplacementMode _mode;

    internal MissingValueReplacingEstimator(InputOutputColumnPair[] columns, ReplacementMode mode, bool bySlot)
        => (_columns, _mode) = (columns, bySlot ? mode : throw new NotSupportedException("The stand-in for ML.NET imputes by slot only."));

    public MissingValueReplacingTransformer Fit(IDataView input) => new(_columns, _columns.Select(pair => _mode == ReplacementMode.DefaultValue
        ? [new SlotMap(0, 1, 0)] : SlotMap.Train(input, pair.InputColumnName, long.MaxValue, v => new SlotMap(0, 1, Statistic(v)))).ToArray());

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Map(_columns, (source, name) =>
    {
        SlotMap.Check(source.Name, source.ItemType);
        return source.With(name, source.ItemType, source.Only(SchemaExtensions.SlotNames, SchemaExtensions.IsNormalized));
    });

    private double Statistic(IReadOnlyList<double> values) => values.Count == 0 ? 0 : _mode switch
    {
        ReplacementMode.Mean => values.Average(),
        ReplacementMode.Minimum => values.Min(),
        ReplacementMode.Maximum => values.Max(),
        _ => values.CountBy(v => v).MaxBy(c => c.Value).Key,
    };

    public enum ReplacementMode : byte
    {
        DefaultValue = 0,
        Mean = 1,
        Minimum = 2,
        Maximum = 3,
        Mode = 5,
    }
}

public sealed class MissingValueReplacingTransformer : OneToOneTransformerBase
{
    internal const string Name = "NAReplaceTransform";
    private readonly SlotMap[][] _slots;
    internal MissingValueReplacingTransformer(InputOutputColumnPair[] columns, SlotMap[][] slots) : base(columns) => _slots = slots;
    private protected override string Signature => Name;
    private protected override void Write(BinaryWriter writer) => writer.WriteArray(_slots, (w, slots) => w.WriteArray(slots, SlotMap.Write));

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
    {
        SlotMap.Check(source.Name, source.Type.ItemType());
        return (source.Type, source.Annotations.Only(SchemaExtensions.SlotNames, SchemaExtensions.IsNormalized),
            row => SlotMap.Getter(_slots[index], row, source));
    }
}

public sealed class NormalizingEstimator : IEstimator<NormalizingTransformer>
{
    private readonly InputOutputColumnPair[] _columns;
    private readonly long _maximum;
    private readonly Func<IReadOnlyList<double>, SlotMap> _rule;

    internal NormalizingEstimator(InputOutputColumnPair[] columns, long maximum, Func<IReadOnlyList<double>, SlotMap> rule)
        => (_columns, _maximum, _rule) = (columns, maximum, rule);

    public NormalizingTransformer Fit(IDataView input)
        => new(_columns, _columns.Select(pair => SlotMap.Train(input, pair.InputColumnName, _maximum, _rule)).ToArray());

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Map(_columns, (source, name) =>
    {
        SlotMap.Check(source.Name, source.ItemType);
        return source.With(name, source.ItemType, [SchemaShape.Column.Normalized, .. source.Only(SchemaExtensions.SlotNames)]);
    });

    /// <summary>To variance 1, and to mean 0 unless zeros must stay zeros. A constant slot says nothing, and becomes 0.</summary>
    internal static SlotMap MeanVariance(IReadOnlyList<double> values, bool fixZero)
    {
        var mean = values.DefaultIfEmpty().Average();
        var variance = values.DefaultIfEmpty().Average(v => (v - mean) * (v - mean));
        var scale = variance == 0 ? 0 : 1 / Math.Sqrt(fixZero ? variance + (mean * mean) : variance);
        return new SlotMap(fixZero ? 0 : mean, scale, double.NaN);
    }

    /// <summary>To [0, 1], or to [-1, 1] where zeros must stay zeros. A constant slot says nothing, and becomes 0.</summary>
    internal static SlotMap MinMax(IReadOnlyList<double> values, bool fixZero)
    {
        var (minimum, maximum) = (values.DefaultIfEmpty().Min(), values.DefaultIfEmpty().Max());
        var scale = maximum > minimum ? 1 / (fixZero ? Math.Max(Math.Abs(minimum), Math.Abs(maximum)) : maximum - minimum) : 0;
        return new SlotMap(fixZero ? 0 : minimum, scale, double.NaN);
    }
}

public sealed class NormalizingTransformer : OneToOneTransformerBase
{
    internal const string Name = "Normalizer";
    private readonly SlotMap[][] _slots;
    internal NormalizingTransformer(InputOutputColumnPair[] columns, SlotMap[][] slots) : base(columns) => _slots = slots;
    private protected override string Signature => Name;
    private protected override void Write(BinaryWriter writer) => writer.WriteArray(_slots, (w, slots) => w.WriteArray(slots, SlotMap.Write));

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
    {
        var size = (source.Type as VectorDataViewType)?.Size ?? 1;
        if (size != _slots[index].Length)
            throw new InvalidOperationException($"Normalizer expected {_slots[index].Length} slots, but the input data column has {size} slots.");
        return (source.Type, source.Annotations.Only(SchemaExtensions.SlotNames).Normalized(), row => SlotMap.Getter(_slots[index], row, source));
    }
}

public sealed class TypeConvertingEstimator : TrivialEstimator<TypeConvertingTransformer>
{
    internal TypeConvertingEstimator(TypeConvertingTransformer transformer) : base(transformer) { }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
        => inputSchema.Map(Transformer.Columns, (source, name) => source.With(name, Transformer.Item, source.Only(SchemaExtensions.SlotNames)));
}

public sealed class TypeConvertingTransformer : OneToOneTransformerBase
{
    internal const string Name = "TypeConverterTransform";
    private readonly DataKind _kind;
    internal TypeConvertingTransformer(InputOutputColumnPair[] columns, DataKind kind) : base(columns) => _kind = kind;
    internal PrimitiveDataViewType Item => SchemaExtensions.PrimitiveOf(_kind);
    private protected override string Signature => Name;
    private protected override void Write(BinaryWriter writer) => writer.Write((byte)_kind);

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
        => (source.Type.WithItem(Item), source.Annotations.Only(SchemaExtensions.SlotNames),
            row => source.Type.ItemType().RawType.For<Delegate>(From<int>, row, source));

    private Delegate From<TSource>(DataViewRow row, DataViewSchema.Column source) => Type.GetTypeCode(Item.RawType) switch
    {
        TypeCode.Object => Values.Mapped<TSource, ReadOnlyMemory<char>>(row, source,
            (value, _) => (value is bool flag ? (flag ? "1" : "0") : Convert.ToString(value, CultureInfo.InvariantCulture)).AsMemory()),
        _ when typeof(TSource) == typeof(ReadOnlyMemory<char>) => Item.RawType.For<Delegate>(FromText<int>, row, source),
        _ => Item.RawType.For<Delegate>(FromNumber<int>, Values.Reader<TSource>(row, source), source.Type is VectorDataViewType),
    };

    private static Delegate FromText<T>(DataViewRow row, DataViewSchema.Column source)
    {
        var parse = TextParser.For<T>();
        return Values.Mapped<ReadOnlyMemory<char>, T>(row, source, (text, _) => parse(text));
    }

    private static Delegate FromNumber<T>(Delegate read, bool isVector) => Values.Getter(isVector, () => ((Array)read.DynamicInvoke())
        .Cast<object>().Select(value => (T)Convert.ChangeType(value, typeof(T), CultureInfo.InvariantCulture)).ToArray());
}
