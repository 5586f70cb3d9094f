using System.Collections;

namespace Microsoft.ML.Data;

[Flags]
public enum TransformerScope { None = 0, Training = 1, Testing = 2, Scoring = 4, TrainTest = Training | Testing, Everything = Training | Testing | Scoring }

/// <summary>What a cross validation needs of a chain whose last transformer it doesn't know.</summary>
internal interface IScopedTransformer { IDataView Transform(IDataView input, TransformerScope scope); }

public sealed class TransformerChain<TLastTransformer> : ITransformer, IEnumerable<ITransformer>, IDisposable, IScopedTransformer
    where TLastTransformer : class, ITransformer
{
    internal const string Signature = "TransformerChain";
    public readonly TLastTransformer LastTransformer;
    private readonly ITransformer[] _transformers;
    private readonly TransformerScope[] _scopes;
    public TransformerChain(params ITransformer[] transformers) : this(transformers, transformers.Select(_ => TransformerScope.Everything)) { }

    public TransformerChain(IEnumerable<ITransformer> transformers, IEnumerable<TransformerScope> scopes)
    {
        (_transformers, _scopes) = ([.. transformers], [.. scopes]);
        LastTransformer = _transformers.LastOrDefault() as TLastTransformer;
        if (_transformers.Length != _scopes.Length || (_transformers.Length > 0 && LastTransformer is null))
            throw new InvalidOperationException($"The chain needs one scope per transformer, and a {typeof(TLastTransformer).Name} as its last one.");
    }

    bool ITransformer.IsRowToRowMapper => Array.TrueForAll(_transformers, t => t.IsRowToRowMapper);
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => GetOutputSchema(inputSchema, TransformerScope.Scoring);
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema, TransformerScope scope)
        => GetModelFor(scope).Aggregate(inputSchema, (schema, transformer) => transformer.GetOutputSchema(schema));
    public IDataView Transform(IDataView input) => Transform(input, TransformerScope.Scoring);
    public IEnumerator<ITransformer> GetEnumerator() => ((IEnumerable<ITransformer>)_transformers).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public IDataView Transform(IDataView input, TransformerScope scope)
    {
        // A mismatch must show before the first transformer has done any work.
        GetOutputSchema(input.Schema, scope);
        return GetModelFor(scope).Aggregate(input, (data, transformer) => transformer.Transform(data));
    }

    public TransformerChain<ITransformer> GetModelFor(TransformerScope scopeFilter)
    {
        var kept = _transformers.Zip(_scopes).Where(t => (t.Second & scopeFilter) != TransformerScope.None).ToArray();
        return new TransformerChain<ITransformer>(kept.Select(t => t.First), kept.Select(t => t.Second));
    }

    public void Dispose()
    {
        foreach (var transformer in _transformers.OfType<IDisposable>())
            transformer.Dispose();
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema)
    {
        var mappers = new List<IRowToRowMapper>();
        foreach (var transformer in _transformers)
            mappers.Add(transformer.GetRowToRowMapper(mappers.Count == 0 ? inputSchema : mappers[^1].OutputSchema));
        return new MapperChain(inputSchema, mappers);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(Signature);
        ctx.Writer.WriteArray(_scopes, (w, scope) => w.Write((int)scope));
        for (var i = 0; i < _transformers.Length; i++)
            ctx.SaveModel(_transformers[i], $"Transform_{i:000}");
    }

    internal static TransformerChain<ITransformer> Load(ModelLoadContext ctx)
    {
        var scopes = ctx.Reader.ReadArray(r => (TransformerScope)r.ReadInt32());
        return new TransformerChain<ITransformer>(scopes.Select((_, i) => ctx.LoadModel($"Transform_{i:000}")), scopes);
    }
}
