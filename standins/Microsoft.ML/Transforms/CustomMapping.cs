using System.Runtime.CompilerServices;

namespace Microsoft.ML.Transforms;

[AttributeUsage(AttributeTargets.Class)]
public sealed class CustomMappingFactoryAttributeAttribute(string contractName) : ExtensionBaseAttribute(contractName);

internal interface ICustomMappingFactory { ITransformer CreateTransformer(string contractName); }

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

public sealed class CustomMappingTransformer<TSrc, TDst> : IWrappingTransformer where TSrc : class, new() where TDst : class, new()
{
    private readonly Action<TSrc, TDst> _mapping;
    private readonly SchemaDefinition _inputDefinition;
    private readonly Member<TDst>[] _outputs;
    private readonly ITransformer _inner;

    internal CustomMappingTransformer(Action<TSrc, TDst> mapping, string contractName, SchemaDefinition inputDefinition, SchemaDefinition outputDefinition)
    {
        (_mapping, _inputDefinition) = (mapping, inputDefinition);
        _outputs = Member<TDst>.All(outputDefinition, SchemaDefinition.Direction.Write);
        _inner = new FunctionTransformer(CustomMappingLoader.Signature, Bind, writer => writer.WriteStrings([mapping.Method.DeclaringType.Assembly.FullName,
            contractName ?? throw new InvalidOperationException("Empty contract name for a transform: the transform cannot be saved")]));
    }

    ITransformer IWrappingTransformer.Inner => _inner;
    internal DataViewSchema InputSchema => Member<TSrc>.SchemaOf(Member<TSrc>.All(_inputDefinition, SchemaDefinition.Direction.Both));
    internal DataViewSchema AddedSchema => Member<TDst>.SchemaOf(_outputs);
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _inner.GetOutputSchema(inputSchema);
    public IDataView Transform(IDataView input) => _inner.Transform(input);

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

    public static ITransformer Load(MLContext context, string[] assemblyAndContract)
    {
        context.ComponentCatalog.RegisterAssembly(Assembly.Load(assemblyAndContract[0]));
        return context.ComponentCatalog.CreateExtension(assemblyAndContract[1]) is ICustomMappingFactory factory
            ? factory.CreateTransformer(assemblyAndContract[1])
            : throw new InvalidOperationException($"The class with contract '{assemblyAndContract[1]}' must derive from CustomMappingFactory.");
    }
}
