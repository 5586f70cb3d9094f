using Microsoft.ML;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Transforms.Tests.WholePipeline;

/// <summary>A pipeline exported to a temporary file, and run from there.</summary>
internal sealed class ExportedFile : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pipeline-");
    private readonly OnnxSession _session;

    public ExportedFile(ITransformer model, IDataView data, FoldedPipelineOptions? options = null)
    {
        Path = System.IO.Path.Combine(_folder.FullName, "pipeline.onnx");
        Result = new MLContext().Model.ConvertToFoldedOnnx(model, data, Path, options);
        GraphChecker.Check(MlNetBatchNorm.Onnx.Graph.ModelFile.Read(Path));
        _session = OnnxSession.Load(Path);
    }

    public string Path { get; }

    public FoldedPipeline Result { get; }

    public IEnumerable<string> Inputs => _session.Inputs.Select(input => input.Name).Order(StringComparer.Ordinal);

    public int Count(string opType) => Result.Model.Proto.Graph.Node.Count(node => node.OpType == opType);

    public IReadOnlyDictionary<string, HostTensor> Run(params (string Name, HostTensor Tensor)[] inputs) =>
        _session.Run(inputs.ToDictionary(input => input.Name, input => input.Tensor));

    public void Dispose()
    {
        _session.Dispose();
        _folder.Delete(recursive: true);
    }
}
