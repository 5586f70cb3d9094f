namespace Microsoft.ML
{
    public interface ICanSaveModel { void Save(ModelSaveContext ctx); }

    public interface ITransformer : ICanSaveModel
    {
        bool IsRowToRowMapper { get; }
        DataViewSchema GetOutputSchema(DataViewSchema inputSchema);
        IDataView Transform(IDataView input);
        IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema);
    }

    public interface IEstimator<out TTransformer> where TTransformer : ITransformer
    {
        TTransformer Fit(IDataView input);
        SchemaShape GetOutputSchema(SchemaShape inputSchema);
    }

    public interface IPredictionTransformer<out TModel> : ITransformer where TModel : class { TModel Model { get; } }

    public interface ISingleFeaturePredictionTransformer<out TModel> : IPredictionTransformer<TModel> where TModel : class
    {
        string FeatureColumnName { get; }
        DataViewType FeatureColumnType { get; }
    }

    /// <summary>What a trainer wants of its data. As in the real one, nobody outside can make one.</summary>
    public sealed class TrainerInfo
    {
        private TrainerInfo() { }
        public bool NeedNormalization { get; }
        public bool WantCaching { get; }
    }

    public sealed class InputOutputColumnPair(string outputColumnName, string inputColumnName = null)
    {
        public string InputColumnName { get; } = inputColumnName ?? outputColumnName;
        public string OutputColumnName { get; } = outputColumnName;
    }
}

namespace Microsoft.ML.Trainers
{
    public interface ITrainerEstimator<out TTransformer, out TModel> : IEstimator<TTransformer>
        where TTransformer : IPredictionTransformer<TModel> where TModel : class
    {
        TrainerInfo Info { get; }
    }
}

namespace Microsoft.ML.Data
{
    /// <summary>A transformer bound to an input schema, that maps one row to one row.</summary>
    public interface IRowToRowMapper
    {
        DataViewSchema InputSchema { get; }
        DataViewSchema OutputSchema { get; }
        IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns);
        DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns);
    }
}
