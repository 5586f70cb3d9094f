using Microsoft.ML;
using Microsoft.ML.Transforms;
using Microsoft.ML.Transforms.Onnx;

namespace MlNetBatchNorm.StandIns.Tests;

public sealed class PublicSurfaceTests
{
    private static readonly Dictionary<string, PublicType> Real = PublicSurface.Read(
        Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "public-api"), "*.txt").SelectMany(File.ReadLines));

    [Fact]
    public void StandIn_EveryPublicMember_ExistsInTheRealOne()
    {
        // One assembly here, several in the real ML.NET: there, this says that the lists are right.
        var assemblies = new[] { typeof(IDataView), typeof(ITransformer), typeof(MLContext), typeof(OneHotEncodingTransformer), typeof(OnnxTransformer) }
            .Select(t => t.Assembly).Distinct();
        var ours = PublicSurface.Read(PublicSurface.Describe(assemblies.SelectMany(a => a.GetTypes())));

        Assert.InRange(ours.Count, 90, 1000);
        Assert.Empty(PublicSurface.Missing(ours, Real));
    }

    [Fact]
    public void Missing_MadeUpTypeMemberBaseAndConstraint_AreAllFound()
    {
        const string MadeUp = """
            sealed class Microsoft.ML.MLContext : Microsoft.ML.Runtime.IHostEnvironment, IDisposable
              public .ctor(int? seed = default)
              public .ctor(int seed)
              public Microsoft.ML.DataOperationsCatalog Data { get; set; }
            sealed class Microsoft.ML.Data.TransformerChain<TLastTransformer> where TLastTransformer : Microsoft.ML.ITransformer
            sealed class Microsoft.ML.MadeUp
            """;

        Assert.Equal(
            [
                "sealed class Microsoft.ML.MLContext : IDisposable",
                "sealed class Microsoft.ML.MLContext: public .ctor(int seed)",
                "sealed class Microsoft.ML.MLContext: public Microsoft.ML.DataOperationsCatalog Data { get; set; }",
                "sealed class Microsoft.ML.Data.TransformerChain<TLastTransformer> where TLastTransformer : Microsoft.ML.ITransformer instead of"
                    + " where TLastTransformer : class, Microsoft.ML.ITransformer",
                "type: sealed class Microsoft.ML.MadeUp",
            ],
            PublicSurface.Missing(PublicSurface.Read(MadeUp.ReplaceLineEndings("\n").Split('\n')), Real));
    }

    [Fact]
    public void Describe_EveryKindOfMember_IsWrittenAsInTheLists()
    {
        var lines = PublicSurface.Describe([typeof(Sample<>), typeof(Sample<>.Kind), typeof(Sample<>.Map<>)]).ToArray();

        Assert.Equal(
            new[]
            {
                "class MlNetBatchNorm.StandIns.Tests.PublicSurfaceTests.Sample<T> : IDisposable where T : class, new()",
                "  protected .ctor(params int[] sizes)",
                "  public static TResult Get<TResult>(ref T value, out int? count, string name = \"Label\", DayOfWeek day = Monday) where TResult : struct",
                "  public override string ToString()",
                "  public void Dispose()",
                "  public virtual float this[int index] { get; set; }",
                "  public IEnumerable<T> Items { get; }",
                "  public readonly System.IO.Stream Stream",
                "  public event EventHandler Changed",
                "enum MlNetBatchNorm.StandIns.Tests.PublicSurfaceTests.Sample<T>.Kind",
                "  One = 1",
                "delegate TItem MlNetBatchNorm.StandIns.Tests.PublicSurfaceTests.Sample<T>.Map<TItem>(T value)",
            }.Order(StringComparer.Ordinal),
            lines.Order(StringComparer.Ordinal));
    }

#pragma warning disable CS0067, CA1000, CA1044, CA1051, CA1822 // Only its shape matters.
    public class Sample<T> : IDisposable where T : class, new()
    {
        public readonly Stream Stream = Stream.Null;

        private protected Sample()
        {
        }

        protected Sample(params int[] sizes) => Items = [];

        public event EventHandler? Changed;

        public IEnumerable<T> Items { get; private set; } = [];

        public virtual float this[int index]
        {
            get => index;
            set => Items = [];
        }

        public static TResult Get<TResult>(ref T value, out int? count, string name = "Label", DayOfWeek day = DayOfWeek.Monday) where TResult : struct
        {
            count = null;
            return default;
        }

        public override string ToString() => "";

        public void Dispose() => GC.SuppressFinalize(this);

        internal void Hidden()
        {
        }

        public enum Kind
        {
            One = 1,
        }

        public delegate TItem Map<TItem>(T value);
    }
}
