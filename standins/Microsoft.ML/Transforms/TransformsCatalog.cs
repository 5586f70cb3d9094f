namespace Microsoft.ML;

public sealed class TransformsCatalog
{
    internal TransformsCatalog(MLContext context)
    {
        Context = context;
        Categorical = new CategoricalTransforms();
        Conversion = new ConversionTransforms();
    }

    public CategoricalTransforms Categorical { get; }

    public ConversionTransforms Conversion { get; }

    internal MLContext Context { get; }

    public sealed class CategoricalTransforms
    {
        internal CategoricalTransforms()
        {
        }
    }

    public sealed class ConversionTransforms
    {
        internal ConversionTransforms()
        {
        }
    }
}
