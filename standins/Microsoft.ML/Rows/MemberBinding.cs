using System.Linq.Expressions;
using System.Reflection;
using Microsoft.ML.Data;

namespace Microsoft.ML.Rows;

/// <summary>One member of a row class, tied to the column it stands for.</summary>
internal abstract class MemberBinding<TRow>
{
    public SchemaDefinition.Column Column { get; private init; }

    public DataViewSchema.DetachedColumn Detached => new(Column.ColumnName, Column.ColumnType, Column.Annotations);

    /// <summary>A getter of the column's values that reads the member of the current object.</summary>
    public abstract Delegate Getter(Func<TRow> current);

    /// <summary>Reads the column of the row into the member of an object.</summary>
    public abstract Action<TRow> Setter(DataViewRow row, DataViewSchema.Column column);

    public static MemberBinding<TRow> Create(SchemaDefinition.Column column)
    {
        var member = typeof(TRow).GetField(column.MemberName)
            ?? (MemberInfo)typeof(TRow).GetProperty(column.MemberName)
            ?? throw new ArgumentException($"The class {typeof(TRow).FullName} has no public member '{column.MemberName}'.");
        var type = SchemaDefinition.TypeOfValue(member);
        var item = type.IsArray ? type.GetElementType() : type.IsGenericType ? type.GetGenericArguments()[0] : type;
        var binding = type == typeof(string) ? typeof(TextBinding)
            : type == typeof(string[]) ? typeof(TextsBinding)
            : type.IsArray ? typeof(MemberBinding<>.ArrayBinding<>).MakeGenericType(typeof(TRow), item)
            : type.IsGenericType && type.GetGenericTypeDefinition() == typeof(VBuffer<>) ? typeof(MemberBinding<>.VectorBinding<>).MakeGenericType(typeof(TRow), item)
            : typeof(MemberBinding<>.ValueBinding<>).MakeGenericType(typeof(TRow), type);
        return (MemberBinding<TRow>)Activator.CreateInstance(binding, column, member);
    }

    /// <summary>The columns of the class by default, or those of the <paramref name="definition"/>.</summary>
    public static MemberBinding<TRow>[] CreateAll(SchemaDefinition definition, SchemaDefinition.Direction direction)
        => (definition ?? SchemaDefinition.Create(typeof(TRow), direction)).Select(Create).ToArray();

    private abstract class Binding<TMember> : MemberBinding<TRow>
    {
        protected Binding(SchemaDefinition.Column column, MemberInfo member)
        {
            Column = column;
            var row = Expression.Parameter(typeof(TRow));
            var value = Expression.Parameter(typeof(TMember));
            var access = Expression.MakeMemberAccess(row, member);
            var property = member as PropertyInfo;
            if (property?.GetGetMethod() is not null || property is null)
                Get = Expression.Lambda<Func<TRow, TMember>>(access, row).Compile();
            if (property?.GetSetMethod() is not null || member is FieldInfo { IsInitOnly: false })
                Set = Expression.Lambda<Action<TRow, TMember>>(Expression.Assign(access, value), row, value).Compile();
        }

        protected Func<TRow, TMember> Get { get; }

        protected Action<TRow, TMember> Set { get; }
    }

    private sealed class ValueBinding<T>(SchemaDefinition.Column column, MemberInfo member) : Binding<T>(column, member)
    {
        public override Delegate Getter(Func<TRow> current) => (ValueGetter<T>)((ref T value) => value = Get(current()));

        public override Action<TRow> Setter(DataViewRow row, DataViewSchema.Column column)
        {
            var getter = row.GetGetter<T>(column);
            T value = default;
            return target =>
            {
                getter(ref value);
                Set(target, value);
            };
        }
    }

    private sealed class TextBinding(SchemaDefinition.Column column, MemberInfo member) : Binding<string>(column, member)
    {
        public override Delegate Getter(Func<TRow> current)
            => (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = Get(current()).AsMemory());

        public override Action<TRow> Setter(DataViewRow row, DataViewSchema.Column column)
        {
            var getter = row.GetGetter<ReadOnlyMemory<char>>(column);
            ReadOnlyMemory<char> value = default;
            return target =>
            {
                getter(ref value);
                Set(target, value.ToString());
            };
        }
    }

    private sealed class ArrayBinding<T>(SchemaDefinition.Column column, MemberInfo member) : Binding<T[]>(column, member)
    {
        public override Delegate Getter(Func<TRow> current) => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) =>
        {
            var array = Get(current()) ?? [];
            VBuffer<T>.Copy(array, 0, ref value, array.Length);
        });

        public override Action<TRow> Setter(DataViewRow row, DataViewSchema.Column column)
        {
            var getter = row.GetGetter<VBuffer<T>>(column);
            VBuffer<T> value = default;
            return target =>
            {
                getter(ref value);
                // An array of the right length is written into: that is how a reused row object costs no allocation.
                var array = Get?.Invoke(target);
                if (array?.Length != value.Length)
                    Set(target, array = new T[value.Length]);
                value.CopyTo(array);
            };
        }
    }

    private sealed class TextsBinding(SchemaDefinition.Column column, MemberInfo member) : Binding<string[]>(column, member)
    {
        public override Delegate Getter(Func<TRow> current) => (ValueGetter<VBuffer<ReadOnlyMemory<char>>>)((ref VBuffer<ReadOnlyMemory<char>> value) =>
        {
            var array = Get(current()) ?? [];
            var editor = VBufferEditor.Create(ref value, array.Length);
            for (var i = 0; i < array.Length; i++)
                editor.Values[i] = array[i].AsMemory();
            value = editor.Commit();
        });

        public override Action<TRow> Setter(DataViewRow row, DataViewSchema.Column column)
        {
            var getter = row.GetGetter<VBuffer<ReadOnlyMemory<char>>>(column);
            VBuffer<ReadOnlyMemory<char>> value = default;
            return target =>
            {
                getter(ref value);
                Set(target, value.DenseValues().Select(t => t.ToString()).ToArray());
            };
        }
    }

    private sealed class VectorBinding<T>(SchemaDefinition.Column column, MemberInfo member) : Binding<VBuffer<T>>(column, member)
    {
        public override Delegate Getter(Func<TRow> current) => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => Get(current()).CopyTo(ref value));

        public override Action<TRow> Setter(DataViewRow row, DataViewSchema.Column column)
        {
            var getter = row.GetGetter<VBuffer<T>>(column);
            return target =>
            {
                var value = Get is null ? default : Get(target);
                getter(ref value);
                Set(target, value);
            };
        }
    }
}
