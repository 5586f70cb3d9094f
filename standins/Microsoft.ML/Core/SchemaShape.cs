using System.Collections;

namespace Microsoft.ML;

/// <summary>What an estimator asks of its input and promises of its output, before sizes of vectors and counts of keys are known.</summary>
public sealed class SchemaShape : IReadOnlyList<SchemaShape.Column>
{
    private readonly Column[] _columns;

    public SchemaShape(IEnumerable<Column> columns)
    {
        _columns = [.. columns];
        if (_columns.Any(c => c.Name is null))
            throw new ArgumentException("Some items are not initialized properly.", nameof(columns));
    }

    public int Count => _columns.Length;
    public Column this[int index] => _columns[index];
    public IEnumerator<Column> GetEnumerator() => ((IEnumerable<Column>)_columns).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    internal static SchemaShape Create(DataViewSchema schema)
        => new(schema.Where(c => !c.IsHidden).Select(c => new Column(c.Name, c.Type, [.. Create(c.Annotations.Schema)])));
    internal Column Require(string name) => Find(name) ?? throw SchemaExtensions.Missing("input", name);
    internal Column? Find(string name) => _columns.Where(c => c.Name == name).Select(c => (Column?)c).FirstOrDefault();

    /// <summary>These columns and the added ones, which replace those of the same name.</summary>
    internal SchemaShape With(params IEnumerable<Column> added)
    {
        var columns = _columns.ToDictionary(c => c.Name);
        foreach (var column in added)
            columns[column.Name] = column;
        return new SchemaShape(columns.Values);
    }

    /// <summary>These columns and one output for each pair, made from its input.</summary>
    internal SchemaShape Map(IEnumerable<InputOutputColumnPair> pairs, Func<Column, string, Column> output)
        => With(pairs.Select(p => output(Require(p.InputColumnName), p.OutputColumnName)));

    public readonly struct Column
    {
        public readonly string Name;
        public readonly VectorKind Kind;
        /// <summary>The type of an item; of a key, its underlying number.</summary>
        public readonly DataViewType ItemType;
        public readonly bool IsKey;
        public readonly SchemaShape Annotations;
        internal Column(string name, VectorKind kind, DataViewType item, bool isKey, params Column[] annotations)
            => (Name, Kind, ItemType, IsKey, Annotations) = (name, kind, item, isKey, new SchemaShape(annotations));
        internal Column(string name, DataViewType type, params Column[] annotations) : this(name, KindOf(type),
            type.ItemType() is KeyDataViewType key ? SchemaExtensions.PrimitiveOf(key.RawType) : type.ItemType(),
            type.ItemType() is KeyDataViewType, annotations)
        { }
        internal string TypeName
            => (Kind == VectorKind.Scalar ? "{0}" : $"{(Kind == VectorKind.Vector ? "" : "Var")}Vector<{{0}}>").Replace("{0}", IsKey ? $"Key<{ItemType}>" : $"{ItemType}");
        internal Column[] Only(string kind) => Annotations.Where(a => a.Name == kind).ToArray();
        internal Column With(string name, DataViewType item, params Column[] annotations) => new(name, Kind, item, false, annotations);
        private static VectorKind KindOf(DataViewType type) => type is not VectorDataViewType vector ? VectorKind.Scalar
            : vector.IsKnownSize ? VectorKind.Vector : VectorKind.VariableVector;

        public enum VectorKind { Scalar, Vector, VariableVector }
    }
}
