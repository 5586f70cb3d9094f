using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.Transforms.Onnx;

namespace Microsoft.ML
{
    public static class OnnxCatalog
    {
        public static OnnxScoringEstimator ApplyOnnxModel(this TransformsCatalog catalog, string modelFile, int? gpuDeviceId = null,
            bool fallbackToCpu = false)
            => catalog.ApplyOnnxModel([], [], modelFile, gpuDeviceId, fallbackToCpu);
        public static OnnxScoringEstimator ApplyOnnxModel(this TransformsCatalog catalog, string outputColumnName, string inputColumnName,
            string modelFile, int? gpuDeviceId = null, bool fallbackToCpu = false)
            => catalog.ApplyOnnxModel([outputColumnName], [inputColumnName], modelFile, gpuDeviceId, fallbackToCpu);
        public static OnnxScoringEstimator ApplyOnnxModel(this TransformsCatalog catalog, string[] outputColumnNames, string[] inputColumnNames,
            string modelFile, int? gpuDeviceId = null, bool fallbackToCpu = false)
            => Create(catalog, File.Exists(modelFile) ? () => File.ReadAllBytes(modelFile) : throw new IOException($"Model file {modelFile} does not exist."),
                outputColumnNames, inputColumnNames, gpuDeviceId, fallbackToCpu);
        public static OnnxScoringEstimator ApplyOnnxModel(this TransformsCatalog catalog, Stream modelBytes, int? gpuDeviceId = null,
            bool fallbackToCpu = false)
            => catalog.ApplyOnnxModel([], [], modelBytes, gpuDeviceId, fallbackToCpu);
        public static OnnxScoringEstimator ApplyOnnxModel(this TransformsCatalog catalog, string[] outputColumnNames, string[] inputColumnNames,
            Stream modelBytes, int? gpuDeviceId = null, bool fallbackToCpu = false)
        {
            using var memory = new MemoryStream();
            modelBytes.Seek(0, SeekOrigin.Begin);
            modelBytes.CopyTo(memory);
            return Create(catalog, memory.ToArray, outputColumnNames, inputColumnNames, gpuDeviceId, fallbackToCpu);
        }

        private static OnnxScoringEstimator Create(
            TransformsCatalog catalog, Func<byte[]> model, string[] outputs, string[] inputs, int? gpuDeviceId, bool fallbackToCpu)
        {
            var useContext = gpuDeviceId is null && catalog.Context.GpuDeviceId is not null;
            return new OnnxScoringEstimator(new OnnxTransformer(catalog.Context, model, outputs, inputs,
                useContext ? catalog.Context.GpuDeviceId : gpuDeviceId, useContext ? catalog.Context.FallbackToCpu : fallbackToCpu));
        }
    }

    public static class OnnxExportExtensions
    {
        public static void ConvertToOnnx(this ModelOperationsCatalog catalog, ITransformer transform, IDataView inputData, Stream stream, params string[] outputColumns)
            => throw new NotSupportedException("this is the stand-in of ML.NET, which has no ONNX converter; build with --packages nuget");
    }
}

namespace Microsoft.ML.Transforms.Onnx
{
    /// <summary>Of the real one's many options, those that a stand-in heeds.</summary>
    public sealed class OnnxSessionOptions
    {
        public delegate SessionOptions CreateOnnxSessionOptions();
        public CreateOnnxSessionOptions CreateSessionOptions { get; set; }
    }

    public static class OnnxSessionOptionsExtensions
    {
        public static OnnxSessionOptions GetOnnxSessionOption(this IHostEnvironment env)
            => ((MLContext)env).GetOptionOrDefault<OnnxSessionOptions>("OnnxSessionOptions");
        public static void SetOnnxSessionOption(this IHostEnvironment env, OnnxSessionOptions onnxSessionOptions)
            => ((MLContext)env).SetOption("OnnxSessionOptions", onnxSessionOptions);
    }
}
