using System.Linq.Expressions;

namespace Microsoft.ML.Rows;

/// <summary>One member of a row class, tied to the column it stands for.</summary>
internal abstract class Member<TRow>(SchemaDefinition.Column column)
{
    public SchemaDefinition.Column Column => column;
    /// <summary>A getter of the column's values that reads the member of the current object.</summary>
    public abstract Delegate Getter(Func<TRow> current);
    /// <summary>Reads the column of the row into the member of an object.</summary>
    public abstract Action<TRow> Setter(DataViewRow row, DataViewSchema.Column source);
    public static Member<TRow>[] All(SchemaDefinition definition, SchemaDefinition.Direction direction)
        => (definition ?? SchemaDefinition.Create(typeof(TRow), direction)).Select(Create).ToArray();
    public static DataViewSchema SchemaOf(IEnumerable<Member<TRow>> members) => DataViewSchema.Of(
        members.Select(m => new DataViewSchema.DetachedColumn(m.Column.ColumnName, m.Column.ColumnType, m.Column.Annotations)));

    private static Member<TRow> Create(SchemaDefinition.Column column)
    {
        var member = typeof(TRow).GetField(column.MemberName) ?? (MemberInfo)typeof(TRow).GetProperty(column.MemberName)
            ?? throw new ArgumentException($"The class {typeof(TRow).FullName} has no public member '{column.MemberName}'.");
        var type = SchemaDefinition.TypeOf(member);
        if (type == typeof(string))
        {
            var (getText, setText) = (Get<string>(member), Set<string>(member));
            return new Scalar<ReadOnlyMemory<char>>(column, row => getText(row).AsMemory(), (row, text) => setText(row, text.ToString()));
        }
        return SchemaDefinition.ItemOf(type) is not { } item ? type.For<Member<TRow>>(CreateScalar<int>, column, member)
            : type.IsArray ? item.For<Member<TRow>>(CreateArray<int>, column, member) : item.For<Member<TRow>>(CreateVector<int>, column, member);
    }

    private static Scalar<T> CreateScalar<T>(SchemaDefinition.Column column, MemberInfo member) => new(column, Get<T>(member), Set<T>(member));
    private static Slots<T> CreateArray<T>(SchemaDefinition.Column column, MemberInfo member) => new(column, Get<T[]>(member), Set<T[]>(member), true);

    private static Slots<T> CreateVector<T>(SchemaDefinition.Column column, MemberInfo member)
    {
        var (get, set) = (Get<VBuffer<T>>(member), Set<VBuffer<T>>(member));
        return new(column, row => get(row).DenseValues().ToArray(), (row, values) => set(row, Values.ToVector(values)), false);
    }

    private static Func<TRow, TMember> Get<TMember>(MemberInfo member)
    {
        var row = Expression.Parameter(typeof(TRow));
        return (member as PropertyInfo)?.CanRead == false ? null
            : Expression.Lambda<Func<TRow, TMember>>(Expression.MakeMemberAccess(row, member), row).Compile();
    }

    private static Action<TRow, TMember> Set<TMember>(MemberInfo member)
    {
        var (row, value) = (Expression.Parameter(typeof(TRow)), Expression.Parameter(typeof(TMember)));
        return member is PropertyInfo { CanWrite: false } or FieldInfo { IsInitOnly: true } ? null
            : Expression.Lambda<Action<TRow, TMember>>(Expression.Assign(Expression.MakeMemberAccess(row, member), value), row, value).Compile();
    }

    private sealed class Scalar<T>(SchemaDefinition.Column column, Func<TRow, T> get, Action<TRow, T> set) : Member<TRow>(column)
    {
        public override Delegate Getter(Func<TRow> current) => Column.ColumnType is not KeyDataViewType key
            ? (ValueGetter<T>)((ref T value) => value = get(current()))
            // In objects, ML.NET counts keys from 0 on when it reads them, but from 1 on when it writes them.
            : (ValueGetter<T>)((ref T value) => value = Convert.ToUInt64(get(current())) is var index && index < key.Count
                ? (T)Convert.ChangeType(index + 1, typeof(T)) : default);

        public override Action<TRow> Setter(DataViewRow row, DataViewSchema.Column source)
        {
            var read = Values.Reader<T>(row, source);
            return target => set(target, read()[0]);
        }
    }

    private sealed class Slots<T>(SchemaDefinition.Column column, Func<TRow, T[]> get, Action<TRow, T[]> set, bool canFill) : Member<TRow>(column)
    {
        public override Delegate Getter(Func<TRow> current) => Values.Getter(true, () => get(current()) ?? []);

        public override Action<TRow> Setter(DataViewRow row, DataViewSchema.Column source)
        {
            var read = Values.Reader<T>(row, source);
            return target =>
            {
                // An array of the right length is filled: that is how a reused row object costs no allocation.
                var (values, array) = (read(), canFill ? get?.Invoke(target) : null);
                if (array?.Length == values.Length)
                    values.CopyTo(array, 0);
                else
                    set(target, [.. values]);
            };
        }
    }
}
