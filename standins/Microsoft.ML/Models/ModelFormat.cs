using System.IO.Compression;
using Microsoft.ML.Transforms.Onnx;

namespace Microsoft.ML
{
    /// <summary>One folder of a zip: "Model.bin" has a version, who loads it, and values; the models that it consists of are sub-folders.</summary>
    public sealed class ModelSaveContext : IDisposable
    {
        private readonly ZipArchive _archive;
        private readonly string _folder;
        private readonly MemoryStream _payload = new();
        private string _signature;
        internal ModelSaveContext(ZipArchive archive, string folder) => (_archive, _folder, Writer) = (archive, folder, new BinaryWriter(_payload));
        internal BinaryWriter Writer { get; }
        public void Dispose() => Writer.Dispose();
        internal void SetSignature(string signature) => _signature = signature;
        internal void SaveModel(ICanSaveModel model, string name) => SaveModel(_archive, model, $"{_folder}{name}/");

        internal void SaveBytes(string name, byte[] bytes)
        {
            using var writer = new BinaryWriter(_archive.CreateEntry($"{_folder}{name}", CompressionLevel.Fastest).Open());
            writer.Write(bytes.Length);
            writer.Write(bytes);
        }

        internal static void SaveModel(ZipArchive archive, ICanSaveModel model, string folder)
        {
            using var ctx = new ModelSaveContext(archive, folder);
            model.Save(ctx);
            using var writer = new BinaryWriter(archive.CreateEntry($"{folder}{ModelLoadContext.EntryName}", CompressionLevel.Fastest).Open());
            writer.Write(ModelLoadContext.Version);
            writer.Write(ctx._signature ?? throw new InvalidOperationException("ModelSignature not specified!"));
            writer.Write(ctx._payload.ToArray());
        }
    }
}

namespace Microsoft.ML.Models
{
    /// <summary>The counterpart of <see cref="ModelSaveContext"/>.</summary>
    internal sealed class ModelLoadContext(MLContext context, ZipArchive archive, string folder, BinaryReader reader)
    {
        public const string EntryName = "Model.bin";
        public const int Version = 1;
        public BinaryReader Reader => reader;
        public ITransformer LoadModel(string name) => LoadModel(context, archive, $"{folder}{name}/");

        public static ITransformer LoadModel(MLContext context, ZipArchive archive, string folder)
        {
            var entry = archive.GetEntry($"{folder}{EntryName}") ?? throw new FormatException($"This is not a model: it has no '{folder}{EntryName}'.");
            using var reader = new BinaryReader(entry.Open());
            if (reader.ReadInt32() is var version && version != Version)
                throw new FormatException($"The model has format version {version}; this version of the stand-in for ML.NET reads {Version}.");
            InputOutputColumnPair[] Columns() => reader.ReadStrings().Zip(reader.ReadStrings(), (output, input) => new InputOutputColumnPair(output, input)).ToArray();
            return reader.ReadString() switch
            {
                TransformerChain<ITransformer>.Signature => TransformerChain<ITransformer>.Load(new ModelLoadContext(context, archive, folder, reader)),
                ColumnConcatenatingTransformer.Signature => new ColumnConcatenatingTransformer(reader.ReadString(), reader.ReadStrings()),
                ColumnCopyingTransformer.Signature => new ColumnCopyingTransformer(Columns()),
                ColumnSelectingTransformer.Signature => new ColumnSelectingTransformer(reader.ReadStrings(), reader.ReadBoolean()),
                CustomMappingLoader.Signature => CustomMappingLoader.Load(context, reader.ReadStrings()),
                KeyToValueMappingTransformer.Signature => new KeyToValueMappingTransformer(Columns()),
                MissingValueReplacingTransformer.Signature => new MissingValueReplacingTransformer(Columns(), SlotMap.ReadAll(reader)),
                NormalizingTransformer.Signature => new NormalizingTransformer(Columns(), SlotMap.ReadAll(reader)),
                IndicatorTransformer.Signature => new OneHotEncodingTransformer(new IndicatorTransformer(Columns(), reader.ReadArray(KeyMap.Read))),
                OnnxTransformer.Signature => OnnxTransformer.Load(context, reader, ReadBytes(new(archive.GetEntry($"{folder}{OnnxTransformer.ModelEntry}").Open()))),
                TypeConvertingTransformer.Signature => new TypeConvertingTransformer(Columns(), (PrimitiveDataViewType)reader.ReadDataViewType()),
                ValueToKeyMappingTransformer.Signature => new ValueToKeyMappingTransformer(Columns(), reader.ReadArray(KeyMap.Read)),
                var unknown => throw new FormatException($"The model names '{unknown}', which this stand-in for ML.NET can't load."),
            };
        }

        private static byte[] ReadBytes(BinaryReader reader) { using (reader) return reader.ReadBytes(reader.ReadInt32()); }
    }

    /// <summary>How values, types and schemas are written.</summary>
    internal static class BinaryFormat
    {
        public static void WriteArray<T>(this BinaryWriter writer, IEnumerable<T> items, Action<BinaryWriter, T> write)
        {
            writer.Write(items.Count());
            foreach (var item in items)
                write(writer, item);
        }

        public static T[] ReadArray<T>(this BinaryReader reader, Func<BinaryReader, T> read)
        {
            var items = new T[reader.ReadInt32()];
            for (var i = 0; i < items.Length; i++)
                items[i] = read(reader);
            return items;
        }

        public static void WriteStrings(this BinaryWriter writer, IEnumerable<string> items) => writer.WriteArray(items, (w, s) => w.Write(s));
        public static string[] ReadStrings(this BinaryReader reader) => reader.ReadArray(r => r.ReadString());
        /// <summary>An array, with the type of its items.</summary>
        public static void WriteValues(this BinaryWriter writer, PrimitiveDataViewType item, Array values)
        {
            writer.WriteDataViewType(item);
            writer.WriteStrings(values.Cast<object>().Select(v => Convert.ToString(v, CultureInfo.InvariantCulture)));
        }

        public static (PrimitiveDataViewType Item, Array Values) ReadValues(this BinaryReader reader)
        {
            var item = (PrimitiveDataViewType)reader.ReadDataViewType();
            return (item, item.RawType.For<Array>(Parse<int>, (object)reader.ReadStrings()));
        }

        public static void WriteDataViewType(this BinaryWriter writer, DataViewType type)
        {
            var key = type.ItemType() as KeyDataViewType;
            writer.WriteArray((type as VectorDataViewType)?.Dimensions ?? [], (w, d) => w.Write(d));
            writer.Write(key?.Count ?? 0);
            writer.Write(type.ItemType() is TextDataViewType ? typeof(string).FullName : type.ItemType().RawType.FullName);
        }

        public static DataViewType ReadDataViewType(this BinaryReader reader)
        {
            var (dimensions, keys, number) = (reader.ReadArray(r => r.ReadInt32()), reader.ReadUInt64(), Type.GetType(reader.ReadString()));
            var item = keys > 0 ? new KeyDataViewType(number, keys) : SchemaExtensions.PrimitiveOf(number);
            return dimensions.Length > 0 ? new VectorDataViewType(item, dimensions) : item;
        }

        public static void WriteSchema(this BinaryWriter writer, DataViewSchema schema) => writer.WriteArray(schema, (w, column) =>
        {
            w.Write(column.Name);
            w.WriteDataViewType(column.Type);
            // Of the annotations, those that are vectors (names of slots, values of keys) are kept.
            w.WriteArray(column.Annotations.Schema.Where(a => a.Type is VectorDataViewType), (a, annotation) =>
            {
                a.Write(annotation.Name);
                var item = annotation.Type.ItemType();
                a.WriteValues(item, item.RawType.For<Array>(ValuesOf<int>, column.Annotations, annotation.Name));
            });
        });

        public static DataViewSchema ReadSchema(this BinaryReader reader) => DataViewSchema.Of(reader.ReadArray(r =>
        {
            var (name, type, annotations) = (r.ReadString(), r.ReadDataViewType(), DataViewSchema.Annotations.Empty);
            for (var count = r.ReadInt32(); count > 0; count--)
                annotations = r.ReadString() is var kind && r.ReadValues() is var (item, values) ? annotations.With(kind, item, values) : annotations;
            return new DataViewSchema.DetachedColumn(name, type, annotations);
        }));

        private static T[] ValuesOf<T>(DataViewSchema.Annotations annotations, string kind)
        {
            VBuffer<T> values = default;
            annotations.GetValue(kind, ref values);
            return [.. values.DenseValues()];
        }

        private static T[] Parse<T>(string[] texts)
        {
            var parse = TextParser.For<T>();
            return Array.ConvertAll(texts, text => parse(text.AsMemory()));
        }
    }
}
