using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Models;

namespace Microsoft.ML.Transforms;

public sealed class TypeConvertingEstimator : TrivialEstimator<TypeConvertingTransformer>
{
    internal TypeConvertingEstimator(TypeConvertingTransformer transformer) : base(transformer)
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.With(Transformer.Pairs.Select(pair =>
    {
        var source = inputSchema.Require(pair.InputColumnName);
        return new SchemaShape.Column(pair.OutputColumnName, source.Kind, Transformer.ItemType, false, source.Annotations);
    }));
}

public sealed class TypeConvertingTransformer : OneToOneTransformerBase
{
    internal const string Signature = "TypeConverterTransform";
    private readonly DataKind _kind;

    internal TypeConvertingTransformer(InputOutputColumnPair[] columns, DataKind kind) : base(columns) => _kind = kind;

    internal PrimitiveDataViewType ItemType => SchemaExtensions.PrimitiveOf(_kind);

    internal IReadOnlyList<InputOutputColumnPair> Pairs => Columns;

    internal static TypeConvertingTransformer Load(ModelLoadContext ctx) => new(ReadColumns(ctx.Reader), (DataKind)ctx.Reader.ReadByte());

    private protected override void Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        WriteColumns(ctx.Writer);
        ctx.Writer.Write((byte)_kind);
    }

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
    {
        var builder = new DataViewSchema.Annotations.Builder();
        if (source.HasSlotNames())
            builder.Add(source.Annotations, kind => kind == SchemaExtensions.SlotNames);
        if (source.Type.ItemType() is NumberDataViewType && ItemType is NumberDataViewType)
            builder.Add(source.Annotations, kind => kind == SchemaExtensions.IsNormalized);
        if (source.Type is BooleanDataViewType && ItemType is NumberDataViewType)
            builder.AddIsNormalized();
        DataViewType type = source.Type is VectorDataViewType vector ? new VectorDataViewType(ItemType, vector.Dimensions) : ItemType;
        return (type, builder.ToAnnotations(), row => source.Type.ItemType().RawType.For<Delegate>(From<int>, row, source));
    }

    private Delegate From<TSource>(DataViewRow row, DataViewSchema.Column source)
        => ItemType.RawType.For<Delegate>(Getter<TSource, int>, typeof(TSource), row, source);

    private Delegate Getter<TSource, T>(Type sourceType, DataViewRow row, DataViewSchema.Column source)
    {
        var convert = Converter<TSource, T>(source);
        if (source.Type is not VectorDataViewType)
        {
            var getter = row.GetGetter<TSource>(source);
            TSource value = default;
            return (ValueGetter<T>)((ref T converted) =>
            {
                getter(ref value);
                converted = convert(value);
            });
        }
        var vectorGetter = row.GetGetter<VBuffer<TSource>>(source);
        VBuffer<TSource> vector = default;
        return (ValueGetter<VBuffer<T>>)((ref VBuffer<T> converted) =>
        {
            vectorGetter(ref vector);
            var values = vector.DenseValues().Select(convert).ToArray();
            VBuffer<T>.Copy(values, 0, ref converted, values.Length);
        });
    }

    private Func<TSource, T> Converter<TSource, T>(DataViewSchema.Column source)
    {
        if (typeof(TSource) == typeof(T))
            return value => (T)(object)value;
        if (typeof(TSource) == typeof(ReadOnlyMemory<char>))
        {
            var parse = TextParser.For<T>(ItemType);
            return value => parse((ReadOnlyMemory<char>)(object)value, out var parsed) ? parsed
                : typeof(T) == typeof(float) || typeof(T) == typeof(double) ? parsed
                : throw new InvalidOperationException($"The value '{value}' of the column '{source.Name}' is not a {ItemType}.");
        }
        if (typeof(T) == typeof(ReadOnlyMemory<char>))
            return value => (T)(object)(value is bool flag ? (flag ? "1" : "0") : Convert.ToString(value, CultureInfo.InvariantCulture)).AsMemory();
        // A key becomes its number from 0 on, as NaN where it is missing.
        if (source.Type.ItemType() is KeyDataViewType && (typeof(T) == typeof(float) || typeof(T) == typeof(double)))
        {
            return value => Convert.ToDouble(value, CultureInfo.InvariantCulture) is var key
                ? (T)Convert.ChangeType(key == 0 ? double.NaN : key, typeof(T), CultureInfo.InvariantCulture) : default;
        }
        return value => (T)Convert.ChangeType(value, typeof(T), CultureInfo.InvariantCulture);
    }
}
