using System.Linq.Expressions;
using System.Reflection;
using Microsoft.ML.Data;

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

    public static DataViewSchema SchemaOf(IEnumerable<Member<TRow>> members)
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(members.Select(m => new DataViewSchema.DetachedColumn(m.Column.ColumnName, m.Column.ColumnType, m.Column.Annotations)));
        return builder.ToSchema();
    }

    private static Member<TRow> Create(SchemaDefinition.Column column)
    {
        var member = typeof(TRow).GetField(column.MemberName) ?? (MemberInfo)typeof(TRow).GetProperty(column.MemberName)
            ?? throw new ArgumentException($"The class {typeof(TRow).FullName} has no public member '{column.MemberName}'.");
        return SchemaDefinition.TypeOf(member).For<Member<TRow>>(Create<int>, column, member);
    }

    private static Member<TRow> Create<TMember>(SchemaDefinition.Column column, MemberInfo member)
    {
        var (row, value) = (Expression.Parameter(typeof(TRow)), Expression.Parameter(typeof(TMember)));
        var access = Expression.MakeMemberAccess(row, member);
        var property = member as PropertyInfo;
        var get = property is null || property.GetGetMethod() is not null ? Expression.Lambda<Func<TRow, TMember>>(access, row).Compile() : null;
        var set = property?.GetSetMethod() is not null || member is FieldInfo { IsInitOnly: false }
            ? Expression.Lambda<Action<TRow, TMember>>(Expression.Assign(access, value), row, value).Compile() : null;
        return (Delegate)get switch
        {
            Func<TRow, string> getText => new Text(column, getText, set as Action<TRow, string>),
            _ when typeof(TMember) == typeof(string) => new Text(column, null, set as Action<TRow, string>),
            _ when typeof(TMember).IsArray => typeof(TMember).GetElementType().For<Member<TRow>>(CreateArray<int>, column, get, set),
            _ when column.ColumnType is VectorDataViewType vector => vector.ItemType.RawType.For<Member<TRow>>(CreateVector<int>, column, get, set),
            _ => new Scalar<TMember>(column, get, set),
        };
    }

    private static Member<TRow> CreateArray<T>(SchemaDefinition.Column column, Func<TRow, T[]> get, Action<TRow, T[]> set)
        => new Array<T>(column, get, set);

    private static Member<TRow> CreateVector<T>(SchemaDefinition.Column column, Func<TRow, VBuffer<T>> get, Action<TRow, VBuffer<T>> set)
        => new Vector<T>(column, get, set);

    private sealed class Text(SchemaDefinition.Column column, Func<TRow, string> get, Action<TRow, string> set) : Member<TRow>(column)
    {
        public override Delegate Getter(Func<TRow> current)
            => (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = get(current()).AsMemory());

        public override Action<TRow> Setter(DataViewRow row, DataViewSchema.Column source)
        {
            var read = Values.Reader<ReadOnlyMemory<char>>(row, source);
            return target => set(target, read()[0].ToString());
        }
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

    private sealed class Array<T>(SchemaDefinition.Column column, Func<TRow, T[]> get, Action<TRow, T[]> set) : Member<TRow>(column)
    {
        public override Delegate Getter(Func<TRow> current) => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) =>
        {
            var array = get(current()) ?? [];
            new VBuffer<T>(array.Length, array).CopyTo(ref value);
        });

        public override Action<TRow> Setter(DataViewRow row, DataViewSchema.Column source)
        {
            var read = Values.Reader<T>(row, source);
            return target =>
            {
                // An array of the right length is written into: that is how a reused row object costs no allocation.
                var (values, array) = (read(), get?.Invoke(target));
                if (array?.Length == values.Length)
                    values.CopyTo(array, 0);
                else
                    set(target, [.. values]);
            };
        }
    }

    private sealed class Vector<T>(SchemaDefinition.Column column, Func<TRow, VBuffer<T>> get, Action<TRow, VBuffer<T>> set) : Member<TRow>(column)
    {
        public override Delegate Getter(Func<TRow> current) => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => get(current()).CopyTo(ref value));

        public override Action<TRow> Setter(DataViewRow row, DataViewSchema.Column source)
        {
            var getter = row.GetGetter<VBuffer<T>>(source);
            return target =>
            {
                VBuffer<T> value = default;
                getter(ref value);
                set(target, value);
            };
        }
    }
}
