using Microsoft.ML;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>An estimator that lets a test see the shape that the estimator inside announces before it is fitted.</summary>
internal sealed class ShapeProbe<TTransformer>(IEstimator<TTransformer> inner, Action<SchemaShape> seen) : IEstimator<TTransformer>
    where TTransformer : class, ITransformer
{
    public TTransformer Fit(IDataView input) => inner.Fit(input);

    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        var shape = inner.GetOutputSchema(inputSchema);
        seen(shape);
        return shape;
    }
}
