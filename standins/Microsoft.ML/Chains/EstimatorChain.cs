namespace Microsoft.ML.Data
{
    internal sealed record EstimatorLink(IEstimator<ITransformer> Estimator, TransformerScope Scope, bool CacheAfter);

    public sealed class EstimatorChain<TLastTransformer> : IEstimator<TransformerChain<TLastTransformer>> where TLastTransformer : class, ITransformer
    {
        public readonly IEstimator<TLastTransformer> LastEstimator;
        private readonly EstimatorLink[] _links;
        public EstimatorChain() => _links = [];
        internal EstimatorChain(IEnumerable<EstimatorLink> links)
            => (_links, LastEstimator) = ([.. links], (IEstimator<TLastTransformer>)links.Last().Estimator);

        public TransformerChain<TLastTransformer> Fit(IDataView input)
        {
            // A mismatch must show before the first estimator has done any work.
            GetOutputSchema(SchemaShape.Create(input.Schema));
            var transformers = new List<ITransformer>();
            foreach (var link in _links)
            {
                transformers.Add(link.Estimator.Fit(input));
                input = transformers[^1].Transform(input);
                input = link.CacheAfter ? new MLContext().Data.Cache(input) : input;
            }
            return new TransformerChain<TLastTransformer>(transformers, _links.Select(l => l.Scope));
        }

        public SchemaShape GetOutputSchema(SchemaShape inputSchema)
            => _links.Aggregate(inputSchema, (schema, link) => link.Estimator.GetOutputSchema(schema));
        public EstimatorChain<TNewTrans> Append<TNewTrans>(IEstimator<TNewTrans> estimator, TransformerScope scope = TransformerScope.Everything)
            where TNewTrans : class, ITransformer
            => new(_links.Append(new EstimatorLink(estimator ?? throw new ArgumentNullException(nameof(estimator)), scope, false)));
        public EstimatorChain<TLastTransformer> AppendCacheCheckpoint(IHostEnvironment env)
            => new(_links.SkipLast(1).Append(_links[^1] with { CacheAfter = true }));
    }
}

namespace Microsoft.ML
{
    public static class LearningPipelineExtensions
    {
        public static EstimatorChain<TTrans> Append<TTrans>(this IEstimator<ITransformer> start, IEstimator<TTrans> estimator,
            TransformerScope scope = TransformerScope.Everything) where TTrans : class, ITransformer
            => (start as EstimatorChain<ITransformer> ?? new EstimatorChain<ITransformer>().Append(start)).Append(estimator, scope);

        public static TransformerChain<TTrans> Append<TTrans>(this ITransformer start, TTrans transformer) where TTrans : class, ITransformer
            => new(start, transformer);
        public static EstimatorChain<TTrans> AppendCacheCheckpoint<TTrans>(this IEstimator<TTrans> start, IHostEnvironment env)
            where TTrans : class, ITransformer
            => new EstimatorChain<ITransformer>().Append(start).AppendCacheCheckpoint(env);
    }
}
