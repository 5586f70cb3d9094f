using System.IO.Compression;

namespace Microsoft.ML;

public sealed class ModelOperationsCatalog
{
    private const string ModelFolder = "TransformerChain/";
    private const string SchemaEntry = "Schema.bin";
    private readonly MLContext _context;
    internal ModelOperationsCatalog(MLContext context) => _context = context;

    public void Save(ITransformer model, DataViewSchema inputSchema, string filePath)
    {
        using var stream = File.Create(filePath);
        Save(model, inputSchema, stream);
    }

    public void Save(ITransformer model, DataViewSchema inputSchema, Stream stream)
    {
        using var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
        ModelSaveContext.SaveModel(archive, model, ModelFolder);
        using var writer = inputSchema is null ? null : new BinaryWriter(archive.CreateEntry(SchemaEntry, CompressionLevel.Fastest).Open());
        writer?.WriteSchema(inputSchema);
    }

    public ITransformer Load(string filePath, out DataViewSchema inputSchema)
    {
        using var stream = File.OpenRead(filePath);
        try
        {
            return Load(stream, out inputSchema);
        }
        catch (Exception e) when (e is FormatException or InvalidDataException or EndOfStreamException)
        {
            throw new FormatException($"'{filePath}' can't be loaded as a model: {e.Message}", e);
        }
    }

    public ITransformer Load(Stream stream, out DataViewSchema inputSchema)
    {
        using var archive = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        using var reader = archive.GetEntry(SchemaEntry) is { } entry ? new BinaryReader(entry.Open()) : null;
        inputSchema = reader?.ReadSchema();
        return ModelLoadContext.LoadModel(_context, archive, ModelFolder);
    }

    public PredictionEngine<TSrc, TDst> CreatePredictionEngine<TSrc, TDst>(ITransformer transformer, bool ignoreMissingColumns = true,
        SchemaDefinition inputSchemaDefinition = null, SchemaDefinition outputSchemaDefinition = null)
        where TSrc : class where TDst : class, new()
        => CreatePredictionEngine<TSrc, TDst>(transformer, new PredictionEngineOptions
        { IgnoreMissingColumns = ignoreMissingColumns, InputSchemaDefinition = inputSchemaDefinition, OutputSchemaDefinition = outputSchemaDefinition });

    public PredictionEngine<TSrc, TDst> CreatePredictionEngine<TSrc, TDst>(ITransformer transformer, DataViewSchema inputSchema)
        where TSrc : class where TDst : class, new()
        => CreatePredictionEngine<TSrc, TDst>(transformer, false, SchemaDefinition.Of(typeof(TSrc), inputSchema));
    public PredictionEngine<TSrc, TDst> CreatePredictionEngine<TSrc, TDst>(ITransformer transformer, PredictionEngineOptions options)
        where TSrc : class where TDst : class, new()
        => new(transformer, options);
}

public sealed class PredictionEngineOptions
{
    public bool IgnoreMissingColumns = true;
    public SchemaDefinition InputSchemaDefinition;
    public SchemaDefinition OutputSchemaDefinition;
    public bool OwnsTransformer = true;
}

/// <summary>Predicts one example at a time. As in the real one, the transformer is disposed of, but not the row that it made.</summary>
public abstract class PredictionEngineBase<TSrc, TDst> : IDisposable where TSrc : class where TDst : class, new()
{
    private readonly IDisposable _transformer;
    private readonly ObjectRow<TSrc> _input;
    private readonly Action<TDst> _fill;

    private protected PredictionEngineBase(ITransformer transformer, PredictionEngineOptions options)
    {
        if (!transformer.IsRowToRowMapper)
            throw new ArgumentException("Must be a row to row mapper", nameof(transformer));
        _transformer = options.OwnsTransformer ? transformer as IDisposable : null;
        var members = Member<TSrc>.All(options.InputSchemaDefinition, SchemaDefinition.Direction.Read);
        var schema = Member<TSrc>.SchemaOf(members);
        _input = new ObjectRow<TSrc>(schema, members, schema);
        var mapper = transformer.GetRowToRowMapper(schema);
        var reader = new ObjectReader<TDst>(mapper.OutputSchema, options.OutputSchemaDefinition, options.IgnoreMissingColumns);
        _fill = reader.Bind(mapper.GetRow(_input, mapper.OutputSchema));
        OutputSchema = transformer.GetOutputSchema(schema);
    }

    public DataViewSchema OutputSchema { get; }

    public TDst Predict(TSrc example)
    {
        var prediction = new TDst();
        Predict(example, ref prediction);
        return prediction;
    }

    public abstract void Predict(TSrc example, ref TDst prediction);

    public void Dispose() { _input.Dispose(); _transformer?.Dispose(); }

    private protected void Run(TSrc example, TDst prediction) { _input.Put(example); _fill(prediction); }
}

public sealed class PredictionEngine<TSrc, TDst> : PredictionEngineBase<TSrc, TDst> where TSrc : class where TDst : class, new()
{
    internal PredictionEngine(ITransformer transformer, PredictionEngineOptions options) : base(transformer, options) { }
    public override void Predict(TSrc example, ref TDst prediction) => Run(example, prediction ??= new TDst());
}
