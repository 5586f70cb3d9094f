using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.ML.Data;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Transforms;

[AttributeUsage(AttributeTargets.Class)]
public sealed class CustomMappingFactoryAttributeAttribute(string contractName) : ExtensionBaseAttribute(contractName);

internal interface ICustomMappingFactory
{
    ITransformer CreateTransformer(string contractName);
}

/// <summary>Gives the mapping that a saved model names by contract.</summary>
public abstract class CustomMappingFactory<TSrc, TDst> : ICustomMappingFactory where TSrc : class, new() where TDst : class, new()
{
    public abstract Action<TSrc, TDst> GetMapping();
    ITransformer ICustomMappingFactory.CreateTransformer(string contractName)
        => new CustomMappingTransformer<TSrc, TDst>(GetMapping(), contractName, null, null);
}

public sealed class CustomMappingEstimator<TSrc, TDst> : TrivialEstimator<CustomMappingTransformer<TSrc, TDst>>
    where TSrc : class, new() where TDst : class, new()
{
    internal CustomMappingEstimator(CustomMappingTransformer<TSrc, TDst> transformer) : base(transformer) { }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        foreach (var expected in SchemaShape.Create(Transformer.InputSchema))
        {
            var source = inputSchema.Require(expected.Name);
            // A vector of any length also takes one of a known length.
            var kindFits = expected.Kind == source.Kind || (expected.Kind, source.Kind)
                is (SchemaShape.Column.VectorKind.VariableVector, SchemaShape.Column.VectorKind.Vector);
            if (!expected.ItemType.Equals(source.ItemType) || expected.IsKey != source.IsKey || !kindFits)
                throw SchemaExtensions.Mismatch("input", expected.Name, expected.TypeName, source.TypeName);
        }
        return inputSchema.With(SchemaShape.Create(Transformer.AddedSchema));
    }
}

public sealed class CustomMappingTransformer<TSrc, TDst> : IBoundTransformer where TSrc : class, new() where TDst : class, new()
{
    private readonly Action<TSrc, TDst> _mapping;
    private readonly string _contractName;
    private readonly SchemaDefinition _inputDefinition;
    private readonly Member<TDst>[] _outputs;

    internal CustomMappingTransformer(Action<TSrc, TDst> mapping, string contractName, SchemaDefinition inputDefinition, SchemaDefinition outputDefinition)
    {
        (_mapping, _contractName, _inputDefinition) = (mapping, contractName, inputDefinition);
        _outputs = Member<TDst>.All(outputDefinition, SchemaDefinition.Direction.Write);
    }

    internal DataViewSchema InputSchema => Member<TSrc>.SchemaOf(Member<TSrc>.All(_inputDefinition, SchemaDefinition.Direction.Both));
    internal DataViewSchema AddedSchema => Member<TDst>.SchemaOf(_outputs);
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).OutputSchema;
    public IDataView Transform(IDataView input) => Bind(input.Schema).Map(input);
    RowMapper IBoundTransformer.Bind(DataViewSchema inputSchema) => Bind(inputSchema);

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ctx.SetSignature(CustomMappingLoader.Signature);
        ctx.Writer.Write(_contractName ?? throw new InvalidOperationException("Empty contract name for a transform: the transform cannot be saved"));
        ctx.Writer.Write(_mapping.Method.DeclaringType.Assembly.FullName);
    }

    private RowMapper Bind(DataViewSchema inputSchema)
    {
        var reader = new ObjectReader<TSrc>(inputSchema, _inputDefinition, ignoreMissing: false);
        var sources = reader.Columns.Select(c => c.Index).ToArray();
        var rows = new ConditionalWeakTable<DataViewRow, Func<TDst>>();
        return new RowMapper(inputSchema, inputSchema, _outputs.Zip(AddedSchema, (output, column) => new AddedColumn(
            new DataViewSchema.DetachedColumn(column), sources, row => output.Getter(rows.GetValue(row, r => Mapped(r, reader))))));
    }

    /// <summary>The mapping runs once per row, whatever the number of columns that are read.</summary>
    private Func<TDst> Mapped(DataViewRow row, ObjectReader<TSrc> reader)
    {
        var (source, destination, fill, mapped) = (new TSrc(), new TDst(), reader.Bind(row), -1L);
        return () =>
        {
            if (mapped != row.Position)
            {
                fill(source);
                _mapping(source, destination);
                mapped = row.Position;
            }
            return destination;
        };
    }
}

internal static class CustomMappingLoader
{
    public const string Signature = "CustomTransformer";

    public static ITransformer Load(MLContext context, BinaryReader reader)
    {
        var contractName = reader.ReadString();
        context.ComponentCatalog.RegisterAssembly(Assembly.Load(reader.ReadString()));
        return context.ComponentCatalog.CreateExtension(contractName) is ICustomMappingFactory factory ? factory.CreateTransformer(contractName)
            : throw new InvalidOperationException($"The class with contract '{contractName}' must derive from CustomMappingFactory.");
    }
}
