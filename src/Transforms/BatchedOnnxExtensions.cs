using System.Reflection;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using MlNetBatchNorm;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Devices;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.Interop;
using MlNetBatchNorm.Transforms.Loading;
using MlNetBatchNorm.Transforms.WholePipeline;

namespace Microsoft.ML;

/// <summary>ONNX models in batches, and whole pipelines as ONNX models, where ML.NET's own operations are found.</summary>
public static class BatchedOnnxExtensions
{
    /// <summary>
    /// Loads a saved model as <c>Load</c> does, but with what ML.NET runs row by row in batches: in place of each saved network, each saved
    /// <c>ApplyOnnxModelBatched</c> and each <c>ApplyOnnxModel</c> it has a transformer that adds the same columns with the same types and
    /// values, a batch at a time. A network is a <see cref="BatchNormTransformer"/> again.
    /// </summary>
    /// <param name="catalog">The operations on models.</param>
    /// <param name="filePath">The file.</param>
    /// <param name="inputSchema">The schema of the data that the model takes; null where the file does not say.</param>
    /// <param name="options">Device, threads and batches; null = the defaults.</param>
    /// <returns>The model, which is the caller's to dispose of. It can be saved again.</returns>
    /// <remarks>
    /// An ONNX model that cannot be run in batches stays with ML.NET: one without a free first dimension, with other free dimensions, or
    /// with outputs that are not tensors. Where the rows of a batch influence one another in a model, do not use it.
    /// </remarks>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">
    /// What was saved is damaged or no model of ML.NET, or was saved by a later version of this library.
    /// </exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static TransformerChain<ITransformer> LoadBatched(
        this ModelOperationsCatalog catalog, string filePath, out DataViewSchema? inputSchema, BatchedScoringOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrEmpty(filePath);
        // A missing assembly is the same exception, but another matter.
        if (!File.Exists(filePath)) throw new FileNotFoundException($"There is no file '{filePath}'.", filePath);
        return ToBatchedAlone(catalog, Load(catalog.Load, filePath, out inputSchema), $"'{filePath}'", options);
    }

    /// <summary>
    /// Loads a saved model as <see cref="LoadBatched(ModelOperationsCatalog, string, out DataViewSchema?, BatchedScoringOptions?)"/> does.
    /// </summary>
    /// <param name="catalog">The operations on models.</param>
    /// <param name="stream">What was saved.</param>
    /// <param name="inputSchema">The schema of the data that the model takes; null where the file does not say.</param>
    /// <param name="options">Device, threads and batches; null = the defaults.</param>
    /// <returns>The model, which is the caller's to dispose of.</returns>
    /// <exception cref="InvalidModelException">
    /// What was saved is damaged or no model of ML.NET, or was saved by a later version of this library.
    /// </exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static TransformerChain<ITransformer> LoadBatched(
        this ModelOperationsCatalog catalog, Stream stream, out DataViewSchema? inputSchema, BatchedScoringOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return ToBatchedAlone(catalog, Load(catalog.Load, stream, out inputSchema), "The stream", options);
    }

    /// <summary>
    /// Makes a model that was loaded by <c>Load</c> fast, as
    /// <see cref="LoadBatched(ModelOperationsCatalog, string, out DataViewSchema?, BatchedScoringOptions?)"/> would have loaded it.
    /// </summary>
    /// <param name="catalog">The operations on models.</param>
    /// <param name="model">What <c>Load</c> or <c>Fit</c> gave.</param>
    /// <param name="options">Device, threads and batches; null = the defaults.</param>
    /// <returns>
    /// A chain with the same transformers otherwise. They are shared, so that either the model or the result is to be disposed of, not one
    /// while the other is in use.
    /// </returns>
    /// <exception cref="InvalidModelException">The model was saved by a later version of this library.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static TransformerChain<ITransformer> ToBatched(
        this ModelOperationsCatalog catalog, ITransformer model, BatchedScoringOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        return new BatchedRebuild(catalog, options ?? new()).ToChain(model);
    }

    /// <summary>
    /// Scores rows with an ONNX model in batches: all its inputs and outputs, each as a column of its own name. Any model will do whose
    /// tensors count rows in their first dimension.
    /// </summary>
    /// <param name="catalog">The transforms.</param>
    /// <param name="modelFile">The model; external data is found beside it. It is read again when the transformer is saved.</param>
    /// <param name="gpuDeviceId">The number of a CUDA GPU to run on; null = the context's <c>GpuDeviceId</c>, or else the CPU.</param>
    /// <param name="fallbackToCpu">Whether the CPU is to do where the GPU cannot be used; otherwise that is an error.</param>
    /// <returns>An estimator whose transformer adds a column for each output.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">It is not a model, or not one that can be run on rows; the message says why.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static BatchedOnnxEstimator ApplyOnnxModelBatched(
        this TransformsCatalog catalog, string modelFile, int? gpuDeviceId = null, bool fallbackToCpu = false) =>
        catalog.ApplyOnnxModelBatched(modelFile, new BatchedOnnxOptions { Device = Gpu(gpuDeviceId, fallbackToCpu) });

    /// <summary>Scores rows with an ONNX model in batches: one input and one output.</summary>
    /// <param name="catalog">The transforms.</param>
    /// <param name="outputColumnName">The column to add: an output of the model, or any name where the model has only one.</param>
    /// <param name="inputColumnName">The column to read: an input of the model, or any name where the model has only one.</param>
    /// <param name="modelFile">The model; external data is found beside it. It is read again when the transformer is saved.</param>
    /// <param name="gpuDeviceId">The number of a CUDA GPU to run on; null = the context's <c>GpuDeviceId</c>, or else the CPU.</param>
    /// <param name="fallbackToCpu">Whether the CPU is to do where the GPU cannot be used; otherwise that is an error.</param>
    /// <returns>An estimator whose transformer adds the column.</returns>
    /// <exception cref="ArgumentException">The model has several inputs or outputs, and none of that name.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">It is not a model, or not one that can be run on rows; the message says why.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static BatchedOnnxEstimator ApplyOnnxModelBatched(
        this TransformsCatalog catalog,
        string outputColumnName,
        string inputColumnName,
        string modelFile,
        int? gpuDeviceId = null,
        bool fallbackToCpu = false) =>
        catalog.ApplyOnnxModelBatched([outputColumnName], [inputColumnName], modelFile, gpuDeviceId, fallbackToCpu);

    /// <summary>Scores rows with an ONNX model in batches: some of its outputs.</summary>
    /// <param name="catalog">The transforms.</param>
    /// <param name="outputColumnNames">The columns to add: outputs of the model, or any name where the model has only one.</param>
    /// <param name="inputColumnNames">The columns to read: inputs of the model, or any name where the model has only one.</param>
    /// <param name="modelFile">The model; external data is found beside it. It is read again when the transformer is saved.</param>
    /// <param name="gpuDeviceId">The number of a CUDA GPU to run on; null = the context's <c>GpuDeviceId</c>, or else the CPU.</param>
    /// <param name="fallbackToCpu">Whether the CPU is to do where the GPU cannot be used; otherwise that is an error.</param>
    /// <returns>An estimator whose transformer adds the columns.</returns>
    /// <exception cref="ArgumentException">The model has several inputs or outputs, and none of a name.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">It is not a model, or not one that can be run on rows; the message says why.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static BatchedOnnxEstimator ApplyOnnxModelBatched(
        this TransformsCatalog catalog,
        string[] outputColumnNames,
        string[] inputColumnNames,
        string modelFile,
        int? gpuDeviceId = null,
        bool fallbackToCpu = false) =>
        catalog.ApplyOnnxModelBatched(
            modelFile, Named(ModelFile.Read(modelFile), outputColumnNames, inputColumnNames, Gpu(gpuDeviceId, fallbackToCpu)));

    /// <summary>Scores rows with an ONNX model in batches: some of its outputs.</summary>
    /// <param name="catalog">The transforms.</param>
    /// <param name="outputColumnNames">The columns to add: outputs of the model, or any name where the model has only one.</param>
    /// <param name="inputColumnNames">The columns to read: inputs of the model, or any name where the model has only one.</param>
    /// <param name="modelBytes">The bytes of the model, from where the stream stands to its end.</param>
    /// <param name="gpuDeviceId">The number of a CUDA GPU to run on; null = the context's <c>GpuDeviceId</c>, or else the CPU.</param>
    /// <param name="fallbackToCpu">Whether the CPU is to do where the GPU cannot be used; otherwise that is an error.</param>
    /// <returns>An estimator whose transformer adds the columns.</returns>
    /// <exception cref="ArgumentException">The model has several inputs or outputs, and none of a name.</exception>
    /// <exception cref="InvalidModelException">It is not a model, or not one that can be run on rows; the message says why.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static BatchedOnnxEstimator ApplyOnnxModelBatched(
        this TransformsCatalog catalog,
        string[] outputColumnNames,
        string[] inputColumnNames,
        Stream modelBytes,
        int? gpuDeviceId = null,
        bool fallbackToCpu = false)
    {
        var bytes = ReadAll(modelBytes);
        var options = Named(ModelFile.Parse(bytes), outputColumnNames, inputColumnNames, Gpu(gpuDeviceId, fallbackToCpu));
        return Apply(catalog, settings => RowModel.Load(bytes, settings), () => ModelFile.Parse(bytes), options);
    }

    /// <summary>Scores rows with an ONNX model in batches.</summary>
    /// <param name="catalog">The transforms.</param>
    /// <param name="modelFile">The model; external data is found beside it. It is read again when the transformer is saved.</param>
    /// <param name="options">Columns, shapes, device and batches.</param>
    /// <returns>An estimator whose transformer adds a column for each output.</returns>
    /// <exception cref="ArgumentException">The options name an input or output that the model does not have.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">It is not a model, or not one that can be run on rows; the message says why.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static BatchedOnnxEstimator ApplyOnnxModelBatched(this TransformsCatalog catalog, string modelFile, BatchedOnnxOptions options)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelFile);
        return Apply(catalog, settings => RowModel.Load(modelFile, settings), () => ModelFile.Read(modelFile), options);
    }

    /// <summary>Scores rows with an ONNX model in batches.</summary>
    /// <param name="catalog">The transforms.</param>
    /// <param name="modelBytes">The bytes of the model, from where the stream stands to its end.</param>
    /// <param name="options">Columns, shapes, device and batches; null = the defaults.</param>
    /// <returns>An estimator whose transformer adds a column for each output.</returns>
    /// <exception cref="ArgumentException">The options name an input or output that the model does not have.</exception>
    /// <exception cref="InvalidModelException">It is not a model, or not one that can be run on rows; the message says why.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static BatchedOnnxEstimator ApplyOnnxModelBatched(
        this TransformsCatalog catalog, Stream modelBytes, BatchedOnnxOptions? options = null)
    {
        var bytes = ReadAll(modelBytes);
        return Apply(catalog, settings => RowModel.Load(bytes, settings), () => ModelFile.Parse(bytes), options ?? new());
    }

    /// <summary>
    /// Writes a whole fitted pipeline as one ONNX file, from the raw columns to the prediction: ML.NET's own transforms by its own
    /// converter (<c>Microsoft.ML.OnnxConverter</c>), batch-normalised networks folded, affine normalizers in front of them folded too. The
    /// file is compared with ML.NET's predictions on the rows given, and only written when both agree.
    /// </summary>
    /// <remarks>
    /// The file reads the columns that the outputs depend on (a label is none of them), each as a tensor <c>[N, 1]</c>, or <c>[N, …]</c>
    /// for a vector. It gives <c>Score</c>, <c>Probability</c> and <c>PredictedLabel</c> as far as the pipeline has them; a key becomes the
    /// value that it stands for, which for <c>PredictedLabel</c> is the label's own text or number. ML.NET's own <c>ConvertToOnnx</c> does
    /// not know networks: it makes their columns inputs of the graph.
    /// </remarks>
    /// <param name="catalog">The catalog of model operations.</param>
    /// <param name="model">The fitted pipeline.</param>
    /// <param name="data">Rows as they go into the pipeline, to compare on.</param>
    /// <param name="filePath">The file to create or replace.</param>
    /// <param name="options">Outputs and tolerance; null = the defaults.</param>
    /// <returns>What was written, and how far it is from ML.NET's predictions.</returns>
    /// <exception cref="NotSupportedException">
    /// A part of the pipeline cannot be exported; the transformer and the column are named.
    /// </exception>
    /// <exception cref="ArgumentException">A column is missing.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">There are no rows to compare on.</exception>
    /// <exception cref="OperationCanceledException">The options' token was cancelled; nothing is written.</exception>
    /// <exception cref="ModelVerificationException">The file would not give ML.NET's predictions; nothing is written.</exception>
    public static FoldedPipeline ConvertToFoldedOnnx(
        this ModelOperationsCatalog catalog, ITransformer model, IDataView data, string filePath, FoldedPipelineOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(filePath);
        if (Path.GetDirectoryName(Path.GetFullPath(filePath)) is { } folder && !Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no folder '{folder}' to write '{Path.GetFileName(filePath)}' to.");
        var pipeline = Convert(catalog, model, data, options);
        pipeline.Model.Save(filePath);
        return pipeline;
    }

    /// <summary>Writes a whole fitted pipeline as one ONNX model to a stream, as the overload for a file does.</summary>
    /// <param name="catalog">The catalog of model operations.</param>
    /// <param name="model">The fitted pipeline.</param>
    /// <param name="data">Rows as they go into the pipeline, to compare on.</param>
    /// <param name="stream">Where to; it stays open. Nothing is written where the pipeline cannot be exported.</param>
    /// <param name="options">Outputs and tolerance; null = the defaults.</param>
    /// <returns>What was written, and how far it is from ML.NET's predictions.</returns>
    /// <exception cref="NotSupportedException">
    /// A part of the pipeline cannot be exported; the transformer and the column are named.
    /// </exception>
    /// <exception cref="ArgumentException">A column is missing.</exception>
    /// <exception cref="InvalidDataException">There are no rows to compare on.</exception>
    /// <exception cref="OperationCanceledException">The options' token was cancelled; nothing is written.</exception>
    /// <exception cref="ModelVerificationException">The model would not give ML.NET's predictions; nothing is written.</exception>
    public static FoldedPipeline ConvertToFoldedOnnx(
        this ModelOperationsCatalog catalog, ITransformer model, IDataView data, Stream stream, FoldedPipelineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var pipeline = Convert(catalog, model, data, options);
        pipeline.Model.Save(stream);
        return pipeline;
    }

    private static FoldedPipeline Convert(
        ModelOperationsCatalog catalog, ITransformer model, IDataView data, FoldedPipelineOptions? options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);

        // What was loaded is networks in ML.NET's own transformers, and has to become networks again.
        var pipeline = catalog.ToBatched(model);
        try
        {
            var exported = PipelineExporter.Export(pipeline, data, options ?? new FoldedPipelineOptions());
            using var log = MlNetInternals.EnvironmentOf(catalog)?.Register("ConvertToFoldedOnnx").Start("Export");
            foreach (var value in exported.DiffersFor)
                log?.Warning(MessageSensitivity.UserData, $"The exported pipeline differs from ML.NET for {value}");
            return exported;
        }
        finally
        {
            DisposeOfWhatIsOnlyIn(pipeline, model);
        }
    }

    // What ML.NET throws at a file that is damaged depends on which of its parts reads the bytes first, and it wraps what its own ONNX
    // transformer meets three times over; a missing native library has words of its own.
    private static ITransformer Load<TSource>(Loader<TSource> load, TSource source, out DataViewSchema? inputSchema)
    {
        try
        {
            return load(source, out inputSchema);
        }
        catch (Exception exception) when (IsDamage(exception))
        {
            if (exception is TargetInvocationException) NativeRuntime.Require();
            throw Damaged(source is string path ? $"'{path}'" : "The stream", exception);
        }
    }

    // Nobody else has what was loaded: the parts that others have taken the places of are not needed any more.
    private static TransformerChain<ITransformer> ToBatchedAlone(
        ModelOperationsCatalog catalog, ITransformer loaded, string what, BatchedScoringOptions? options)
    {
        try
        {
            var batched = catalog.ToBatched(loaded, options);
            DisposeOfWhatIsOnlyIn(loaded, batched);
            return batched;
        }
        catch (Exception exception)
        {
            (loaded as IDisposable)?.Dispose();
            if (!IsDamage(exception)) throw;
            throw Damaged(what, exception);
        }
    }

    // Not what is wrong with the machine, or with how this was called. ML.NET allocates what a length in the file says: a damaged one may
    // well be out of memory.
    private static bool IsDamage(Exception exception) => exception
        is not (InvalidModelException or DeviceNotAvailableException or NativeRuntimeException or OperationCanceledException
            or UnauthorizedAccessException or ArgumentNullException or ArgumentException { ParamName: "options" or "batchSize" })
        && exception is not IOException or EndOfStreamException or FileLoadException or FileNotFoundException;

    private static InvalidModelException Damaged(string what, Exception exception) => new(
        $"{what} is no saved model of ML.NET, or is damaged: {exception.GetBaseException().Message.Split('\n')[0].TrimEnd()}",
        exception);

    private static void DisposeOfWhatIsOnlyIn(ITransformer one, ITransformer other)
    {
        var kept = PipelineSteps.Flatten(other).ToHashSet<ITransformer>(ReferenceEqualityComparer.Instance);
        foreach (var part in PipelineSteps.Flatten(one).Where(part => !kept.Contains(part)).OfType<IDisposable>()) part.Dispose();
    }

    private static BatchedOnnxEstimator Apply(
        TransformsCatalog catalog, Func<RowModelSettings, RowModel> load, Func<ModelProto> read, BatchedOnnxOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(options);
        var device = options.Device ?? MlNetInternals.GpuOf(MlNetInternals.EnvironmentOf(catalog)) ?? Device.Cpu;
        return new BatchedOnnxEstimator(load, read, options, device);
    }

    private static Device? Gpu(int? index, bool fallbackToCpu) =>
        index is not { } number ? null : fallbackToCpu ? Device.Cuda(number).OrCpu() : Device.Cuda(number);

    private static BatchedOnnxOptions Named(ModelProto model, string[] outputColumnNames, string[] inputColumnNames, Device? device)
    {
        ArgumentNullException.ThrowIfNull(outputColumnNames);
        ArgumentNullException.ThrowIfNull(inputColumnNames);
        var constants = model.Graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        string[] inputs = [.. model.Graph.Input.Select(input => input.Name).Where(name => !constants.Contains(name))];
        string[] outputs = [.. model.Graph.Output.Select(output => output.Name)];
        return new BatchedOnnxOptions
        {
            Inputs = ColumnsBy(inputs, inputColumnNames, "input"),
            Outputs = ColumnsBy(outputs, outputColumnNames, "output"),
            Device = device,
        };
    }

    // The column for each of a model's tensors; what it is called does not matter where there is only one.
    private static Dictionary<string, string> ColumnsBy(string[] tensors, string[] columns, string what)
    {
        var result = new Dictionary<string, string>(StringComparer.Ordinal); // Whose keys come in the order in which they were added.
        foreach (var column in columns)
        {
            var tensor = tensors.Contains(column) ? column
                : tensors is [var only] && columns.Length == 1 ? only
                : throw new ArgumentException(
                    $"The model has no {what} '{column}'; its {what}s are {string.Join(", ", tensors)}. For columns of other names, "
                    + $"say in {nameof(BatchedOnnxOptions)} which {what} is which column.");
            result[tensor] = column;
        }

        return result;
    }

    private static byte[] ReadAll(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }

    private delegate ITransformer Loader<TSource>(TSource source, out DataViewSchema? inputSchema);
}
