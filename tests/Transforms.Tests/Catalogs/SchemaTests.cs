using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests.Catalogs;

/// <summary>What an estimator announces and what its transformer adds: the same columns, types and annotations.</summary>
public sealed class SchemaTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void GetOutputSchema_BeforeAndAfterFit_AgreeInEveryColumn(LearningTask task)
    {
        SchemaShape? announced = null;
        var options = Trainers.Quick with { Epochs = 1 };
        var input = task == LearningTask.Multiclass
            ? _ml.Transforms.Conversion.MapValueToKey("Label").Fit(Trainers.Data(_ml, task, 100)).Transform(Trainers.Data(_ml, task, 100))
            : Trainers.Data(_ml, task, 100);
        IEstimator<BatchNormTransformer> trainer = task switch
        {
            LearningTask.Binary => _ml.BinaryClassification.Trainers.BatchNormNetwork(options),
            LearningTask.Multiclass => _ml.MulticlassClassification.Trainers.BatchNormNetwork(options),
            _ => _ml.Regression.Trainers.BatchNormNetwork(options),
        };
        using var chain = new EstimatorChain<BatchNormTransformer>()
            .Append(new ShapeProbe<BatchNormTransformer>(trainer, shape => announced = shape)).Fit(input);
        var actual = chain.Transform(input).Schema;
        Assert.Equal(actual.Select(column => column.Name), chain.GetOutputSchema(input.Schema).Select(column => column.Name));
        Assert.Equal(input.Schema.Count + (task switch { LearningTask.Binary => 3, LearningTask.Multiclass => 2, _ => 1 }), actual.Count);

        // ML.NET's chain describes its input; what our estimator made of that must be what came out.
        Assert.Equal(actual.Where(column => !column.IsHidden).Select(Describe).Order(), announced!.Select(Describe).Order());
    }

    private static string Describe(DataViewSchema.Column column)
    {
        var item = column.Type is VectorDataViewType vector ? vector.ItemType : column.Type;
        var kind = column.Type is not VectorDataViewType sized ? "Scalar" : sized.IsKnownSize ? "Vector" : "VariableVector";
        return Text(column.Name, kind, item.RawType, item is KeyDataViewType, column.Annotations.Schema.Select(Describe));
    }

    private static string Describe(SchemaShape.Column column) =>
        Text(column.Name, column.Kind.ToString(), column.ItemType.RawType, column.IsKey, column.Annotations.Select(Describe));

    private static string Text(string name, string kind, Type item, bool isKey, IEnumerable<string> annotations) =>
        $"{name}: {kind} of {(isKey ? "key " : string.Empty)}{item.Name} ({string.Join("; ", annotations.Order())})";
}
