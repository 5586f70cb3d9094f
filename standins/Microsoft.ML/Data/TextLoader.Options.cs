using System.Reflection;

namespace Microsoft.ML.Data;

public sealed partial class TextLoader
{
    public class Options
    {
        public bool AllowQuoting;

        public bool AllowSparse;

        public int? InputSize;

        public char[] Separators = ['\t'];

        public char DecimalMarker = '.';

        public Column[] Columns;

        public bool TrimWhitespace;

        public bool HasHeader;

        public bool UseThreads = true;

        public bool ReadMultilines;

        public string HeaderFile;

        public long? MaxRows;

        public char EscapeChar = '"';

        public bool MissingRealsAsNaNs;

        public Options()
        {
        }
    }

    public sealed class Range
    {
        public int Min;

        public int? Max;

        public bool AutoEnd;

        public bool VariableEnd;

        public bool AllOther;

        public bool ForceVector;

        public Range()
        {
        }

        public Range(int index) : this(index, index) => ForceVector = false;

        public Range(int min, int? max)
        {
            if (min < 0 || max < min)
                throw new ArgumentException($"The range from {min} to {max} must neither start below 0 nor end before it starts.", nameof(min));
            Min = min;
            Max = max;
            ForceVector = true;
            AutoEnd = max is null;
        }
    }

    public sealed class Column
    {
        public string Name;

        public Range[] Source;

        public KeyCount KeyCount;

        public Column()
        {
        }

        public Column(string name, DataKind dataKind, int index) : this(name, dataKind, [new Range(index)])
        {
        }

        public Column(string name, DataKind dataKind, int minIndex, int maxIndex) : this(name, dataKind, [new Range(minIndex, maxIndex)])
        {
        }

        public Column(string name, DataKind dataKind, Range[] source, KeyCount keyCount = null)
        {
            ArgumentNullException.ThrowIfNull(name);
            ArgumentNullException.ThrowIfNull(source);
            Name = name;
            DataKind = dataKind;
            Source = source;
            KeyCount = keyCount;
        }

        public DataKind DataKind { get; set; } = DataKind.Single;

        internal PrimitiveDataViewType ItemType
        {
            get
            {
                var type = SchemaExtensions.PrimitiveOf(DataKind);
                return KeyCount?.TypeOf(type.RawType) ?? type;
            }
        }

        internal static Column[] AllOf(Type type)
        {
            var members = type.GetFields(BindingFlags.Public | BindingFlags.Instance).Concat<MemberInfo>(
                type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
                    .Where(p => p.GetGetMethod() is not null && p.GetIndexParameters().Length == 0));
            return members.Select(Of).ToArray();
        }

        private static Column Of(MemberInfo member)
        {
            var load = member.GetCustomAttribute<LoadColumnAttribute>() ?? throw new InvalidOperationException(
                $"{(member is FieldInfo ? "Field" : "Property")} '{member.Name}' is missing the LoadColumnAttribute attribute");
            var item = SchemaExtensions.PrimitiveOf(SchemaDefinition.ItemOf(SchemaDefinition.TypeOfValue(member)).Item);
            return new Column(member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name,
                Enum.GetValues<DataKind>().First(k => SchemaExtensions.PrimitiveOf(k) == item), load.Sources,
                member.GetCustomAttribute<KeyTypeAttribute>()?.Count);
        }
    }
}
