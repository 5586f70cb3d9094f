using Microsoft.ML.Data;

namespace Microsoft.ML.Transforms;

public sealed class OneHotEncodingEstimator : IEstimator<OneHotEncodingTransformer>
{
    private readonly IEstimator<ITransformer> _estimator;

    internal OneHotEncodingEstimator(InputOutputColumnPair[] columns, OutputKind kind, int maximum,
        ValueToKeyMappingEstimator.KeyOrdinality ordinality, IDataView keyData)
    {
        var toKey = new ValueToKeyMappingEstimator(columns, maximum, ordinality, true, keyData);
        var outputs = columns.Select(c => new InputOutputColumnPair(c.OutputColumnName));
        _estimator = kind switch
        {
            OutputKind.Key => toKey,
            OutputKind.Indicator or OutputKind.Bag
                => toKey.Append(new KeyToVectorMappingEstimator(new KeyToVectorMappingTransformer(outputs, kind == OutputKind.Bag))),
            _ => throw new NotSupportedException($"The stand-in for ML.NET has no one-hot encoding of the kind {kind}."),
        };
    }

    public OneHotEncodingTransformer Fit(IDataView input) => new(_estimator.Fit(input));

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _estimator.GetOutputSchema(inputSchema);

    public enum OutputKind : byte
    {
        Bag = 1,
        Indicator = 2,
        Key = 3,
        Binary = 4,
    }
}

/// <summary>A chain of two, value to key and key to vector; saved as that chain, and loaded as it.</summary>
public sealed class OneHotEncodingTransformer : ITransformer
{
    private readonly ITransformer _chain;

    internal OneHotEncodingTransformer(ITransformer fitted) => _chain = fitted as TransformerChain<KeyToVectorMappingTransformer>
        ?? (ITransformer)new TransformerChain<ITransformer>(fitted);

    bool ITransformer.IsRowToRowMapper => _chain.IsRowToRowMapper;

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _chain.GetOutputSchema(inputSchema);

    public IDataView Transform(IDataView input) => _chain.Transform(input);

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => _chain.GetRowToRowMapper(inputSchema);

    void ICanSaveModel.Save(ModelSaveContext ctx) => _chain.Save(ctx);
}
