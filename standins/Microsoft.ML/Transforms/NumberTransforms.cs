namespace Microsoft.ML.Transforms;

/// <summary>(value − Offset) · Scale, or Missing where the value is missing. There is one for each slot of a column, or one for all.</summary>
internal readonly record struct SlotMap(double Offset, double Scale, double Missing)
{
    public static void Check(string name, DataViewType item)
    {
        if (item != NumberDataViewType.Single && item != NumberDataViewType.Double)
            throw SchemaExtensions.Mismatch("input", name, "vector or scalar of Single or Double", item);
    }

    public static SlotMap[][] ReadAll(BinaryReader reader)
        => reader.ReadArray(column => column.ReadArray(r => new SlotMap(r.ReadDouble(), r.ReadDouble(), r.ReadDouble())));

    public static Action<BinaryWriter> WriteAll(SlotMap[][] columns) => writer => writer.WriteArray(columns, (w, slots) =>
    {
        w.Write(slots.Length);
        Array.ForEach(slots.SelectMany<SlotMap, double>(s => [s.Offset, s.Scale, s.Missing]).ToArray(), w.Write);
    });

    /// <summary>Reads the columns, and makes a map of the values of each slot.</summary>
    public static SlotMap[][] TrainAll(IDataView data, InputOutputColumnPair[] columns, long maximum, Func<IReadOnlyList<double>, SlotMap> rule)
        => columns.Select(pair =>
        {
            var column = data.Schema.Require(pair.InputColumnName);
            Check(column.Name, column.Type.ItemType());
            var rows = Numbers.Read(data, column).TakeWhile((_, i) => i < maximum).ToArray();
            var slots = (column.Type as VectorDataViewType)?.Size ?? 1;
            return Enumerable.Range(0, slots).Select(slot => rule(rows.Select(r => r[slot]).Where(double.IsFinite).ToArray())).ToArray();
        }).ToArray();

    public static Func<DataViewRow, Delegate> Getter(SlotMap[] slots, DataViewSchema.Column source)
    {
        Check(source.Name, source.Type.ItemType());
        if (slots.Length != 1 && slots.Length != (source.Type as VectorDataViewType)?.Size)
            throw new InvalidOperationException($"Expected {slots.Length} slots, but the input data column '{source.Name}' is of type {source.Type}.");
        SlotMap At(int slot) => slots[slots.Length == 1 ? 0 : slot];
        return row => source.Type.ItemType() == NumberDataViewType.Single
            ? Values.Mapped<float, float>(row, source, (v, i) => float.IsNaN(v) ? (float)At(i).Missing : (v - (float)At(i).Offset) * (float)At(i).Scale)
            : Values.Mapped<double, double>(row, source, (v, i) => double.IsNaN(v) ? At(i).Missing : (v - At(i).Offset) * At(i).Scale);
    }
}

public sealed class MissingValueReplacingEstimator : IEstimator<MissingValueReplacingTransformer>
{
    private readonly InputOutputColumnPair[] _columns;
    private readonly ReplacementMode _mode;
    internal MissingValueReplacingEstimator(InputOutputColumnPair[] columns, ReplacementMode mode, bool bySlot)
        => (_columns, _mode) = (columns, bySlot ? mode : throw new NotSupportedException("The stand-in for ML.NET imputes by slot only."));
    public MissingValueReplacingTransformer Fit(IDataView input)
        => new(_columns, SlotMap.TrainAll(input, _columns, long.MaxValue, values => new SlotMap(0, 1, Statistic(values))));

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Map(_columns, (source, name) =>
    {
        SlotMap.Check(source.Name, source.ItemType);
        return source.With(name, source.ItemType, source.Only(SchemaExtensions.SlotNames));
    });

    private double Statistic(IReadOnlyList<double> values) => values.Count == 0 ? 0 : _mode switch
    {
        ReplacementMode.DefaultValue => 0,
        ReplacementMode.Mean => values.Average(),
        ReplacementMode.Minimum => values.Min(),
        ReplacementMode.Maximum => values.Max(),
        _ => values.CountBy(v => v).MaxBy(c => c.Value).Key,
    };

    public enum ReplacementMode : byte { DefaultValue = 0, Mean = 1, Minimum = 2, Maximum = 3, Mode = 5 }
}

public sealed class MissingValueReplacingTransformer : OneToOneTransformerBase
{
    internal const string Signature = "NAReplaceTransform";
    internal MissingValueReplacingTransformer(InputOutputColumnPair[] columns, SlotMap[][] slots) : base(Signature, columns, (i, source)
        => (source.Type, source.Annotations.Only(SchemaExtensions.SlotNames), SlotMap.Getter(slots[i], source)),
        SlotMap.WriteAll(slots))
    { }
}

public sealed class NormalizingEstimator : IEstimator<NormalizingTransformer>
{
    private readonly InputOutputColumnPair[] _columns;
    private readonly long _maximum;
    private readonly Func<IReadOnlyList<double>, SlotMap> _rule;
    internal NormalizingEstimator(InputOutputColumnPair[] columns, long maximum, Func<IReadOnlyList<double>, SlotMap> rule)
        => (_columns, _maximum, _rule) = (columns, maximum, rule);
    public NormalizingTransformer Fit(IDataView input) => new(_columns, SlotMap.TrainAll(input, _columns, _maximum, _rule));

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Map(_columns, (source, name) =>
    {
        SlotMap.Check(source.Name, source.ItemType);
        return source.With(name, source.ItemType, source.Only(SchemaExtensions.SlotNames));
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
    internal const string Signature = "Normalizer";
    internal NormalizingTransformer(InputOutputColumnPair[] columns, SlotMap[][] slots) : base(Signature, columns, (i, source)
        => (source.Type, source.Annotations.Only(SchemaExtensions.SlotNames), SlotMap.Getter(slots[i], source)), SlotMap.WriteAll(slots))
    { }
}

public sealed class TypeConvertingEstimator : TrivialEstimator<TypeConvertingTransformer>
{
    internal TypeConvertingEstimator(TypeConvertingTransformer transformer) : base(transformer) { }
    public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
        => inputSchema.Map(Transformer.Columns, (source, name) => source.With(name, Transformer.Item, source.Only(SchemaExtensions.SlotNames)));
}

public sealed class TypeConvertingTransformer : OneToOneTransformerBase
{
    internal const string Signature = "TypeConverterTransform";
    internal TypeConvertingTransformer(InputOutputColumnPair[] columns, PrimitiveDataViewType item) : base(Signature, columns, (_, source)
        => (source.Type.WithItem(item), source.Annotations.Only(SchemaExtensions.SlotNames),
            row => source.Type.ItemType().RawType.For<Delegate>(From<int>, row, source, item)), writer => writer.WriteDataViewType(item)) => Item = item;
    internal PrimitiveDataViewType Item { get; }
    // By way of text: what a number, a flag or a text is as another of them is what a text file would say it is.
    private static Delegate From<T>(DataViewRow row, DataViewSchema.Column source, PrimitiveDataViewType item)
    {
        var read = Values.Reader<T>(row, source);
        return item.RawType.For<Delegate>(To<int>, () => Array.ConvertAll(read(), v => KeyMap.TextOf(v)), source.Type is VectorDataViewType);
    }

    private static Delegate To<T>(Func<ReadOnlyMemory<char>[]> read, bool isVector)
    {
        var parse = TextParser.For<T>();
        return Values.Getter(isVector, () => Array.ConvertAll(read(), text => parse(text)));
    }
}
