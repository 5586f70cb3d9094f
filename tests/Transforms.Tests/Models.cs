using Microsoft.ML;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>Sends models through a file.</summary>
internal static class Models
{
    /// <summary>Saves a model and loads it in another context, as another program would.</summary>
    public static ITransformer SaveAndLoad(MLContext ml, ITransformer model, DataViewSchema schema, out DataViewSchema loadedSchema)
    {
        using var stream = new MemoryStream();
        ml.Model.Save(model, schema, stream);
        stream.Position = 0;
        return new MLContext().Model.Load(stream, out loadedSchema);
    }

    /// <summary>Saves a model and loads it, as ML.NET alone runs it or made fast again.</summary>
    public static ITransformer SaveAndLoad(MLContext ml, ITransformer model, DataViewSchema schema, bool batched)
    {
        var loaded = SaveAndLoad(ml, model, schema, out _);
        return batched ? ml.Model.ToBatched(loaded) : loaded;
    }
}
