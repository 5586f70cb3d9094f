using System.Reflection;
using Microsoft.ML.Data;
using Microsoft.ML.Models;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Transforms;

[AttributeUsage(AttributeTargets.Class)]
public sealed class CustomMappingFactoryAttributeAttribute(string contractName) : ExtensionBaseAttribute(contractName)
{
}

internal interface ICustomMappingFactory
{
    ITransformer CreateTransformer(string contractName);
}

/// <summary>Gives the mapping that a saved model names by contract.</summary>
public abstract class CustomMappingFactory<TSrc, TDst> : ICustomMappingFactory where TSrc : class, new() where TDst : class, new()
{
    protected CustomMappingFactory()
    {
    }

    public abstract Action<TSrc, TDst> GetMapping();

    ITransformer ICustomMappingFactory.CreateTransformer(string contractName)
        => new CustomMappingTransformer<TSrc, TDst>(GetMapping(), contractName, null, null);
}

public sealed class CustomMappingEstimator<TSrc, TDst> : TrivialEstimator<CustomMappingTransformer<TSrc, TDst>>
    where TSrc : class, new() where TDst : class, new()
{
    internal CustomMappingEstimator(CustomMappingTransformer<TSrc, TDst> transformer) : base(transformer)
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        foreach (var expected in Transformer.InputColumns)
        {
            var source = inputSchema.Require(expected.Name);
            var required = new SchemaShape.Column(expected.Name, expected.Type);
            // A vector of any length also takes one of a known length.
            var kindFits = required.Kind == source.Kind
                || (required.Kind == SchemaShape.Column.VectorKind.VariableVector && source.Kind == SchemaShape.Column.VectorKind.Vector);
            if (!required.ItemType.Equals(source.ItemType) || required.IsKey != source.IsKey || !kindFits)
                throw SchemaExtensions.Mismatch("input", expected.Name, expected.Type, source.TypeName);
        }
        return inputSchema.With(SchemaShape.Create(Transformer.AddedSchema));
    }
}

public sealed class CustomMappingTransformer<TSrc, TDst> : ITransformer where TSrc : class, new() where TDst : class, new()
{
    private readonly Action<TSrc, TDst> _mapping;
    private readonly string _contractName;
    private readonly SchemaDefinition _inputDefinition;
    private readonly MemberBinding<TDst>[] _outputs;

    internal CustomMappingTransformer(Action<TSrc, TDst> mapping, string contractName, SchemaDefinition inputDefinition, SchemaDefinition outputDefinition)
    {
        ArgumentNullException.ThrowIfNull(mapping);
        _mapping = mapping;
        _contractName = contractName;
        _inputDefinition = inputDefinition;
        _outputs = MemberBinding<TDst>.CreateAll(outputDefinition, SchemaDefinition.Direction.Write);
        AddedSchema = ObjectRow<TDst>.SchemaOf(_outputs);
    }

    internal DataViewSchema AddedSchema { get; }

    internal IEnumerable<DataViewSchema.DetachedColumn> InputColumns
        => MemberBinding<TSrc>.CreateAll(_inputDefinition, SchemaDefinition.Direction.Both).Select(m => m.Detached);

    bool ITransformer.IsRowToRowMapper => true;

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => new Mapper(this, inputSchema).OutputSchema;

    public IDataView Transform(IDataView input) => new MappedDataView(input, new Mapper(this, input.Schema));

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => new Mapper(this, inputSchema);

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        if (_contractName is null)
            throw new InvalidOperationException("Empty contract name for a transform: the transform cannot be saved");
        ctx.SetSignature(CustomMappingLoader.Signature);
        ctx.Writer.Write(_contractName);
        ctx.Writer.Write(_mapping.Method.DeclaringType.Assembly.FullName);
    }

    private sealed class Mapper(CustomMappingTransformer<TSrc, TDst> parent, DataViewSchema inputSchema)
        : RowMapper(inputSchema, parent.AddedSchema.Select(c => new DataViewSchema.DetachedColumn(c)))
    {
        private readonly ObjectReader<TSrc> _reader = new(inputSchema, parent._inputDefinition, ignoreMissing: false);

        public override IEnumerable<int> SourcesOf(int added) => _reader.Columns.Select(c => c.Index);

        public override Delegate[] CreateGetters(DataViewRow input, bool[] active, out IDisposable resource)
        {
            resource = null;
            if (!active.Contains(true))
                return new Delegate[active.Length];
            var (source, destination, fill) = (new TSrc(), new TDst(), _reader.Bind(input));
            var mapped = -1L;
            // The mapping runs once per row, whatever the number of columns that are read.
            TDst Current()
            {
                if (mapped != input.Position)
                {
                    fill(source);
                    parent._mapping(source, destination);
                    mapped = input.Position;
                }
                return destination;
            }

            return parent._outputs.Select((output, i) => active[i] ? output.Getter(Current) : null).ToArray();
        }
    }
}

internal static class CustomMappingLoader
{
    public const string Signature = "CustomTransformer";

    public static ITransformer Load(ModelLoadContext ctx)
    {
        var (contractName, assemblyName) = (ctx.Reader.ReadString(), ctx.Reader.ReadString());
        ctx.Context.ComponentCatalog.RegisterAssembly(Assembly.Load(assemblyName));
        return ctx.Context.ComponentCatalog.CreateExtension(contractName) is ICustomMappingFactory factory
            ? factory.CreateTransformer(contractName)
            : throw new InvalidOperationException($"The class with contract '{contractName}' must derive from CustomMappingFactory.");
    }
}
