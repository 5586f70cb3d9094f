using System.Collections;
using Microsoft.ML.Data;

namespace Microsoft.ML;

/// <summary>What an estimator asks of its input and promises of its output, before sizes of vectors and counts of keys are known.</summary>
public sealed class SchemaShape : IReadOnlyList<SchemaShape.Column>
{
    private static readonly SchemaShape _empty = new([]);
    private readonly Column[] _columns;

    public SchemaShape(IEnumerable<Column> columns)
    {
        ArgumentNullException.ThrowIfNull(columns);
        _columns = [.. columns];
        if (_columns.Any(c => c.Name is null))
            throw new ArgumentException("Some items are not initialized properly.", nameof(columns));
    }

    public int Count => _columns.Length;

    public Column this[int index] => _columns[index];

    public IEnumerator<Column> GetEnumerator() => ((IEnumerable<Column>)_columns).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static SchemaShape Create(DataViewSchema schema)
        => new(schema.Where(c => !c.IsHidden).Select(c => new Column(c.Name, c.Type, Create(c.Annotations.Schema))));

    internal Column Require(string name) => Find(name) ?? throw SchemaExtensions.Missing("input", name);

    internal Column? Find(string name) => _columns.Where(c => c.Name == name).Select(c => (Column?)c).FirstOrDefault();

    /// <summary>These columns and the <paramref name="added"/> ones, which replace those of the same name.</summary>
    internal SchemaShape With(params IEnumerable<Column> added)
    {
        var columns = _columns.ToList();
        foreach (var column in added)
        {
            var index = columns.FindIndex(c => c.Name == column.Name);
            if (index < 0)
                columns.Add(column);
            else
                columns[index] = column;
        }
        return new SchemaShape(columns);
    }

    public readonly struct Column
    {
        public readonly string Name;

        public readonly VectorKind Kind;

        /// <summary>The type of an item; of a key, its underlying number.</summary>
        public readonly DataViewType ItemType;

        public readonly bool IsKey;

        public readonly SchemaShape Annotations;

        internal Column(string name, VectorKind kind, DataViewType itemType, bool isKey = false, SchemaShape annotations = null)
        {
            Name = name;
            Kind = kind;
            ItemType = itemType;
            IsKey = isKey;
            Annotations = annotations ?? _empty;
        }

        internal Column(string name, DataViewType type, SchemaShape annotations = null)
            : this(name, KindOf(type), NumberOf(type.ItemType()), type.ItemType() is KeyDataViewType, annotations)
        {
        }

        internal bool Has(string annotation) => Annotations.Find(annotation) is not null;

        internal Column Renamed(string name) => new(name, Kind, ItemType, IsKey, Annotations);

        internal string TypeName
        {
            get
            {
                var item = IsKey ? $"Key<{ItemType}>" : ItemType.ToString();
                return Kind == VectorKind.Scalar ? item : $"{(Kind == VectorKind.Vector ? "Vector" : "VarVector")}<{item}>";
            }
        }

        internal static VectorKind KindOf(DataViewType type) => type is not VectorDataViewType vector ? VectorKind.Scalar
            : vector.IsKnownSize ? VectorKind.Vector : VectorKind.VariableVector;

        private static DataViewType NumberOf(DataViewType item) => item is KeyDataViewType ? SchemaExtensions.PrimitiveOf(item.RawType) : item;

        public enum VectorKind
        {
            Scalar,
            Vector,
            VariableVector,
        }
    }
}
