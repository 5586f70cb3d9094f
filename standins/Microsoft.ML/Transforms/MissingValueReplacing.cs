using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Transforms;

public sealed class MissingValueReplacingEstimator : IEstimator<MissingValueReplacingTransformer>
{
    private readonly InputOutputColumnPair[] _columns;
    private readonly ReplacementMode _mode;
    private readonly bool _bySlot;

    internal MissingValueReplacingEstimator(InputOutputColumnPair[] columns, ReplacementMode mode, bool bySlot)
    {
        _columns = columns;
        _mode = mode;
        _bySlot = bySlot;
    }

    public MissingValueReplacingTransformer Fit(IDataView input) => new(_columns, _columns.Select(pair =>
    {
        var column = input.Schema.Require(pair.InputColumnName);
        if (_mode == ReplacementMode.DefaultValue)
            return [0.0];
        using var cursor = input.GetRowCursor([column]);
        return column.Type.ItemType().RawType.For<double[]>(Statistics<int>, cursor, column);
    }).ToArray());

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.With(_columns.Select(pair =>
    {
        var source = inputSchema.Require(pair.InputColumnName);
        MissingValueReplacingTransformer.Check(source.Name, source.ItemType);
        var annotations = source.Annotations.Where(a => a.Name is SchemaExtensions.SlotNames or SchemaExtensions.IsNormalized);
        return new SchemaShape.Column(pair.OutputColumnName, source.Kind, source.ItemType, false, new SchemaShape(annotations));
    }));

    /// <summary>The replacement of each slot, or one for all.</summary>
    private double[] Statistics<T>(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        MissingValueReplacingTransformer.Check(column.Name, column.Type.ItemType());
        var present = new List<List<double>>();
        foreach (var row in ColumnValues.ReadRows<T>(cursor, column))
        {
            for (var slot = 0; slot < row.Length; slot++)
            {
                var list = _bySlot ? slot : 0;
                if (present.Count <= list)
                    present.Add([]);
                var value = Convert.ToDouble(row[slot], CultureInfo.InvariantCulture);
                if (!double.IsNaN(value))
                    present[list].Add(value);
            }
        }
        return present.Count == 0 ? [0] : present.Select(Statistic).ToArray();
    }

    private double Statistic(List<double> values) => values.Count == 0 ? 0 : _mode switch
    {
        ReplacementMode.Mean => values.Average(),
        ReplacementMode.Minimum => values.Min(),
        ReplacementMode.Maximum => values.Max(),
        _ => values.GroupBy(v => v).MaxBy(g => g.Count()).Key,
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
    internal const string Signature = "NAReplaceTransform";
    private readonly double[][] _replacements;

    internal MissingValueReplacingTransformer(InputOutputColumnPair[] columns, double[][] replacements) : base(columns)
        => _replacements = replacements;

    internal static MissingValueReplacingTransformer Load(ModelLoadContext ctx)
        => new(ReadColumns(ctx.Reader), ctx.Reader.ReadArray(r => r.ReadArray(v => v.ReadDouble())));

    internal static void Check(string name, DataViewType item)
    {
        if (item != NumberDataViewType.Single && item != NumberDataViewType.Double)
            throw new ArgumentException($"The column '{name}' is of type '{item}', which has no missing value to replace.");
    }

    private protected override void Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        WriteColumns(ctx.Writer);
        ctx.Writer.WriteArray(_replacements, (w, values) => w.WriteArray(values, (v, value) => v.Write(value)));
    }

    private protected override (DataViewType Type, DataViewSchema.Annotations Annotations, Func<DataViewRow, Delegate> Getter) Map(
        int index, DataViewSchema.Column source)
    {
        Check(source.Name, source.Type.ItemType());
        var values = _replacements[index];
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add(source.Annotations, kind => kind is SchemaExtensions.SlotNames or SchemaExtensions.IsNormalized);
        double ValueAt(int slot) => values[values.Length == 1 ? 0 : slot];
        return (source.Type, builder.ToAnnotations(), row => NumberMapping.Getter(row, source,
            (value, slot) => float.IsNaN(value) ? (float)ValueAt(slot) : value, (value, slot) => double.IsNaN(value) ? ValueAt(slot) : value));
    }
}
