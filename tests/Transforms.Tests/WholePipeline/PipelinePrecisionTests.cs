using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Transforms.Tests.WholePipeline;

/// <summary>Operator set and precision of what is exported, chosen after training.</summary>
public sealed class PipelinePrecisionTests : IDisposable
{
    private static readonly MLContext Ml = new(seed: 1);
    private static readonly BatchNormNetworkOptions Wide = new() { HiddenLayers = [48, 40], Epochs = 8, Device = Device.Cpu, Seed = 0 };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("precision-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(ModelPrecision.Float16, null)]
    [InlineData(ModelPrecision.Int8, null)]
    [InlineData(ModelPrecision.Int8, "Label")]
    public void Export_Precision_IsWrittenAndJudged(ModelPrecision precision, string? label)
    {
        var data = Ml.Data.LoadFromEnumerable(Clouds.Create(400));
        var model = new EstimatorChain<ITransformer>()
            .Append<ITransformer>(Ml.Transforms.Conversion.MapValueToKey("Class", "Label"))
            .Append<ITransformer>(Ml.MulticlassClassification.Trainers.BatchNormNetwork(Wide with { LabelColumnName = "Class" }))
            .Fit(data);

        using var file = new ExportedFile(
            model, data, new FoldedPipelineOptions { Precision = precision, LabelColumnName = label, AllowedMetricLoss = 0.05 });

        var reduction = file.Result.Reduction!;
        Assert.Equal(PrecisionNames.NameOf(precision), ModelFile.GetMetadata(ModelFile.Read(file.Path), ModelMetadata.Precision));
        Assert.True(reduction.Result.BytesAfter < reduction.Result.BytesBefore);
        Assert.InRange(reduction.Changed["PredictedLabel"], 0, 0.05);
        Assert.InRange(file.Result.LargestRelative, 0, 1e-4);
        Assert.Equal(label is null, reduction.Labeled is null);
        if (reduction.Labeled is not { } figures) return;

        // The accuracy again, from ML.NET's own predictions.
        var scored = model.Transform(data);
        var evaluated = Ml.MulticlassClassification.Evaluate(scored, "Class");
        Assert.Equal(("Score", 400), (figures.Output, figures.Rows));
        Assert.Equal(evaluated.MicroAccuracy, figures.Metrics.Before[Metric.MicroAccuracy]!.Value, 1e-9);
        Assert.Equal(evaluated.MacroAccuracy, figures.Metrics.Before[Metric.MacroAccuracy]!.Value, 1e-9);
    }

    [Fact]
    public void Export_PrecisionCostsTooMuch_IsRefused()
    {
        var data = Ml.Data.LoadFromEnumerable(Waves.Create(400));
        using var model = Ml.Regression.Trainers.BatchNormNetwork(Wide).Fit(data);
        var path = Path.Combine(_folder.FullName, "pipeline.onnx");
        var options = new FoldedPipelineOptions { Precision = ModelPrecision.Int8, LabelColumnName = "Label", AllowedMetricLoss = -1 };
        var exception = Assert.Throws<ModelVerificationException>(() => Ml.Model.ConvertToFoldedOnnx(model, data, path, options));
        Assert.StartsWith("With int8, rmse goes from ", exception.Message, StringComparison.Ordinal);
        Assert.Empty(_folder.GetFiles());
        exception = Assert.Throws<ModelVerificationException>(
            () => model.ExportOnnx(data, new NetworkExportOptions { Precision = ModelPrecision.Int8, AllowedMetricLoss = -1 }));
        Assert.StartsWith("With int8, rmse goes from ", exception.Message, StringComparison.Ordinal);
        Assert.Empty(_folder.GetFiles());
    }

    [Fact]
    public void Export_UnknownLabel_ListsTheColumns()
    {
        var data = Ml.Data.LoadFromEnumerable(Waves.Create(100));
        using var model = Ml.Regression.Trainers.BatchNormNetwork(Wide with { Epochs = 1 }).Fit(data);
        var options = new FoldedPipelineOptions { Precision = ModelPrecision.Float16, LabelColumnName = "Price" };
        var exception = Assert.Throws<ArgumentException>(
            () => Ml.Model.ConvertToFoldedOnnx(model, data, Path.Combine(_folder.FullName, "pipeline.onnx"), options));
        Assert.Contains(
            "There is no label column 'Price' to judge the file by; the columns are ", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(12)]
    [InlineData(15)]
    public void Export_OperatorSet_IsThatOfTheFile(int opset)
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(300));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Wide with { Epochs = 2 }).Fit(data);
        using var file = new ExportedFile(model, data, new FoldedPipelineOptions { Opset = opset });
        Assert.Equal(opset, ModelFile.Read(file.Path).OpsetImport.Single(import => import.Domain.Length == 0).Version);
        Assert.Throws<ArgumentOutOfRangeException>(() => new FoldedPipelineOptions { Opset = 18 });
    }

    [Fact]
    public void Export_StockTransformsInEarlierOperatorSetsAndFewerBits_KeepsThePredictions()
    {
        var data = Ml.Data.LoadFromEnumerable(Clouds.Create(400));
        var model = Ml.Transforms.NormalizeMinMax("Scaled", "Features")
            .Append(Ml.Transforms.Categorical.OneHotEncoding("Colour", "Number"))
            .Append(Ml.Transforms.Conversion.MapValueToKey("Class", "Label"))
            .Append(Ml.Transforms.Concatenate("All", "Scaled", "Colour"))
            .Append(
                Ml.MulticlassClassification.Trainers.BatchNormNetwork(Wide with { LabelColumnName = "Class", FeatureColumnName = "All" }))
            .Fit(data);
        foreach (var opset in new[] { 12, 13, 17 })
        {
            using var file = new ExportedFile(
                model, data, new FoldedPipelineOptions { Opset = opset, Precision = ModelPrecision.Int8, LabelColumnName = "Label" });
            Assert.Equal(opset, file.Result.Model.Proto.OpsetImport.Single(import => import.Domain.Length == 0).Version);
            Assert.Equal(["Features", "Number"], file.Inputs);
            Assert.InRange(file.Result.Reduction!.Labeled!.Metrics.After[Metric.MicroAccuracy]!.Value, 0.9, 1);
        }
    }

    [Theory]
    [InlineData(ModelPrecision.Float32)]
    [InlineData(ModelPrecision.Float16)]
    [InlineData(ModelPrecision.Int8)]
    public void ExportOnnx_Network_HasThePrecisionAndOperatorSet(ModelPrecision precision)
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(400));
        var test = Ml.Data.LoadFromEnumerable(Moons.Create(200, seed: 2));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Wide).Fit(data);

        var export = model.ExportOnnx(test, new NetworkExportOptions { Precision = precision, Opset = 13, AllowedMetricLoss = 0.05 });

        var written = export.Deployed.Proto;
        Assert.Equal(13, Assert.Single(written.OpsetImport).Version);
        Assert.Equal("binary", ModelFile.GetMetadata(written, ModelMetadata.Task));
        Assert.Equal(
            precision == ModelPrecision.Float32 ? null : PrecisionNames.NameOf(precision),
            ModelFile.GetMetadata(written, ModelMetadata.Precision));
        Assert.Null(model.Export.Reduced);
        if (export.Reduced is not { } reduced) return;
        Assert.Equal(200, reduced.Rows);
        var evaluated = Ml.BinaryClassification.Evaluate(model.Transform(test));
        Assert.Equal(evaluated.Accuracy, reduced.Metrics.Before[Metric.Accuracy]!.Value, 1e-9);
        Assert.Equal(evaluated.AreaUnderRocCurve, reduced.Metrics.Before[Metric.AreaUnderRocCurve]!.Value, 1e-6);
    }

    [Fact]
    public void ExportOnnx_FewerBitsOfARecomputedOrReducedNetwork_StartFromFloat32()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(400));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Wide with { Precision = ModelPrecision.Float16 }).Fit(data);
        var options = new NetworkExportOptions { Precision = ModelPrecision.Int8, AllowedMetricLoss = 0.05 };
        Assert.Equal("int8", ModelFile.GetMetadata(model.ExportOnnx(data, options).Deployed.Proto, ModelMetadata.Precision));
        Assert.Null(ModelFile.GetMetadata(model.ExportOnnx(data).Deployed.Proto, ModelMetadata.Precision));
    }

    [Fact]
    public void ExportOnnx_KeysOfOtherClasses_AreRefused()
    {
        var rows = Clouds.Create(300);
        IDataView Keyed(IEnumerable<Clouds.Row> some)
        {
            var view = Ml.Data.LoadFromEnumerable(some);
            return Ml.Transforms.Conversion.MapValueToKey("Class", "Label").Fit(view).Transform(view);
        }

        using var model = Ml.MulticlassClassification.Trainers.BatchNormNetwork(
            Wide with { LabelColumnName = "Class", Epochs = 2 }).Fit(Keyed(rows));
        var options = new NetworkExportOptions { Precision = ModelPrecision.Int8 };
        var exception = Assert.Throws<ArgumentException>(() => model.ExportOnnx(Keyed(rows.Reverse()), options));
        Assert.Contains("but the network was trained on red, blue, green", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SaveOnnx_ReducedNetwork_WritesWhatItScoresWith()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(400));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Wide with { Precision = ModelPrecision.Float16 }).Fit(data);
        var path = Path.Combine(_folder.FullName, "network.onnx");
        using var stream = new MemoryStream();

        model.SaveOnnx(path);
        model.SaveOnnx(stream);

        Assert.Equal("float16", ModelFile.GetMetadata(ModelFile.Read(path), ModelMetadata.Precision));
        Assert.Equal(File.ReadAllBytes(path), stream.ToArray());
        Assert.Equal(model.Export.Deployed.Proto, ModelFile.Read(path));
    }
}
