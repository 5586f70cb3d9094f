using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Adds the columns of a prediction to a schema's shape. ML.NET gives <c>SchemaShape.Column</c> no public constructor, so its own estimators
/// that would add the same columns are asked for their shapes.
/// </summary>
internal static class PredictionShape
{
    /// <summary>Adds a scalar for each member of a prediction class.</summary>
    public static SchemaShape Append<TPrediction>(SchemaShape input)
        where TPrediction : class, new() =>
        new MLContext().Transforms
            .CustomMapping<NoInput, TPrediction>((_, _) => { }, contractName: null)
            .GetOutputSchema(input);

    /// <summary>
    /// Adds a vector with slot names, as joining scalars makes one, and a key with the label's own key values, as copying it makes one.
    /// </summary>
    public static SchemaShape AppendMulticlass(SchemaShape input, string label)
    {
        var transforms = new MLContext().Transforms;
        var withScore = transforms.Concatenate(MulticlassColumns.Score, MulticlassColumns.Score).GetOutputSchema(Append<RegressionPrediction>(input));
        return transforms.CopyColumns(MulticlassColumns.PredictedLabel, label).GetOutputSchema(withScore);
    }

    /// <summary>Adds a column of a name and type.</summary>
    public static SchemaShape Append(SchemaShape input, string name, DataViewType type)
    {
        var vector = type as VectorDataViewType;
        var cell = (vector is null ? typeof(ScalarCell<>) : typeof(VectorCell<>)).MakeGenericType((vector?.ItemType ?? type).RawType);
        return (SchemaShape)typeof(PredictionShape).GetMethod(nameof(AppendCell), BindingFlags.NonPublic | BindingFlags.Static)!
            .MakeGenericMethod(cell).Invoke(null, [input, name, type])!;
    }

    private static SchemaShape AppendCell<TCell>(SchemaShape input, string name, DataViewType type)
        where TCell : class, new()
    {
        var definition = SchemaDefinition.Create(typeof(TCell));
        var column = definition["Value"];
        column.ColumnName = name;
        column.ColumnType = type;
        return new MLContext().Transforms
            .CustomMapping<NoInput, TCell>((_, _) => { }, contractName: null, outputSchemaDefinition: definition)
            .GetOutputSchema(input);
    }

    private sealed class NoInput;

    private sealed class ScalarCell<T>
    {
        public T Value { get; set; } = default!;
    }

    private sealed class VectorCell<T>
    {
        public VBuffer<T> Value { get; set; }
    }
}
