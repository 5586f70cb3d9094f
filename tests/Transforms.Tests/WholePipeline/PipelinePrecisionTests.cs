using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms.Tests.WholePipeline;

/// <summary>Operator set and precision of what is exported, chosen after training.</summary>
public sealed class PipelinePrecisionTests : IDisposable
{
    private static readonly MLContext Ml = new(seed: 1);
    private static readonly BatchNormNetworkOptions Wide = new() { HiddenLayers = [48, 40], Epochs = 8, Device = Device.Cpu };

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

        using var file = new ExportedFile(model, data, new PipelineExportOptions { Precision = precision, LabelColumnName = label, PrecisionLoss = 0.05 });

        var reduction = file.Result.Reduction!;
        Assert.Equal(PrecisionNames.NameOf(precision), ModelFile.GetMetadata(ModelFile.Read(file.Path), ModelMetadata.Precision));
        Assert.True(reduction.Result.BytesAfter < reduction.Result.BytesBefore);
        Assert.InRange(reduction.Changed["PredictedLabel"], 0, 0.05);
        Assert.InRange(file.Result.LargestRelative, 0, 1e-4);
        Assert.Equal(label is null, reduction.Figures is null);
        if (reduction.Figures is not { } figures) return;

        // The accuracy again, from ML.NET's own predictions.
        var scored = model.Transform(data);
        var evaluated = Ml.MulticlassClassification.Evaluate(scored, "Class");
        Assert.Equal(("Score", 400), (figures.Output, figures.Rows));
        Assert.Equal(evaluated.MicroAccuracy, figures.Before["accuracy"], 1e-9);
        Assert.Equal(evaluated.MacroAccuracy, figures.Before["macroAccuracy"], 1e-9);
    }

    [Fact]
    public void Export_PrecisionCostsTooMuch_IsRefused()
    {
        var data = Ml.Data.LoadFromEnumerable(Waves.Create(400));
        using var model = Ml.Regression.Trainers.BatchNormNetwork(Wide).Fit(data);
        var path = Path.Combine(_folder.FullName, "pipeline.onnx");
        var options = new PipelineExportOptions { Precision = ModelPrecision.Int8, LabelColumnName = "Label", PrecisionLoss = -1 };
        var exception = Assert.Throws<VerificationException>(() => Ml.Model.ExportToOnnx(model, data, path, options));
        Assert.StartsWith("With int8, rmse goes from ", exception.Message, StringComparison.Ordinal);
        Assert.Empty(_folder.GetFiles());
        exception = Assert.Throws<VerificationException>(() => model.ExportToOnnx(path, data, new ExportOptions { Precision = ModelPrecision.Int8, PrecisionLoss = -1 }));
        Assert.StartsWith("With int8, rmse goes from ", exception.Message, StringComparison.Ordinal);
        Assert.Empty(_folder.GetFiles());
    }

    [Fact]
    public void Export_UnknownLabel_ListsTheColumns()
    {
        var data = Ml.Data.LoadFromEnumerable(Waves.Create(100));
        using var model = Ml.Regression.Trainers.BatchNormNetwork(Wide with { Epochs = 1 }).Fit(data);
        var options = new PipelineExportOptions { Precision = ModelPrecision.Float16, LabelColumnName = "Price" };
        var exception = Assert.Throws<ArgumentException>(() => Ml.Model.ExportToOnnx(model, data, Path.Combine(_folder.FullName, "pipeline.onnx"), options));
        Assert.Contains("There is no label column 'Price' to judge the file by; the columns are ", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(12)]
    [InlineData(15)]
    public void Export_OperatorSet_IsThatOfTheFile(int opset)
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(300));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Wide with { Epochs = 2 }).Fit(data);
        using var file = new ExportedFile(model, data, new PipelineExportOptions { Opset = opset });
        Assert.Equal(opset, ModelFile.Read(file.Path).OpsetImport.Single(import => import.Domain.Length == 0).Version);
        Assert.Throws<ArgumentOutOfRangeException>(() => new PipelineExportOptions { Opset = 18 });
    }

    [Fact]
    public void Export_StockTransformsInEarlierOperatorSetsAndFewerBits_KeepsThePredictions()
    {
        var data = Ml.Data.LoadFromEnumerable(Clouds.Create(400));
        var model = Ml.Transforms.NormalizeMinMax("Scaled", "Features")
            .Append(Ml.Transforms.Categorical.OneHotEncoding("Colour", "Number"))
            .Append(Ml.Transforms.Conversion.MapValueToKey("Class", "Label"))
            .Append(Ml.Transforms.Concatenate("All", "Scaled", "Colour"))
            .Append(Ml.MulticlassClassification.Trainers.BatchNormNetwork(Wide with { LabelColumnName = "Class", FeatureColumnName = "All" }))
            .Fit(data);
        foreach (var opset in new[] { 12, 13, 17 })
        {
            using var file = new ExportedFile(model, data, new PipelineExportOptions { Opset = opset, Precision = ModelPrecision.Int8, LabelColumnName = "Label" });
            Assert.Equal(opset, file.Result.Model.Proto.OpsetImport.Single(import => import.Domain.Length == 0).Version);
            Assert.Equal(["Features", "Number"], file.Inputs);
            Assert.InRange(file.Result.Reduction!.Figures!.After["accuracy"], 0.9, 1);
        }
    }

    [Theory]
    [InlineData(ModelPrecision.Float32)]
    [InlineData(ModelPrecision.Float16)]
    [InlineData(ModelPrecision.Int8)]
    public void ExportToOnnx_Network_IsWrittenInPrecisionAndOperatorSet(ModelPrecision precision)
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(400));
        var test = Ml.Data.LoadFromEnumerable(Moons.Create(200, seed: 2));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Wide).Fit(data);
        var path = Path.Combine(_folder.FullName, "network.onnx");

        var export = model.ExportToOnnx(path, test, new ExportOptions { Precision = precision, Opset = 13, PrecisionLoss = 0.05 });

        var written = ModelFile.Read(path);
        Assert.Equal(export.Deployed.Proto, written);
        Assert.Equal(13, Assert.Single(written.OpsetImport).Version);
        Assert.Equal("binary", ModelFile.GetMetadata(written, ModelMetadata.Task));
        Assert.Equal(precision == ModelPrecision.Float32 ? null : PrecisionNames.NameOf(precision), ModelFile.GetMetadata(written, ModelMetadata.Precision));
        Assert.Null(model.Export.Reduced);
        if (export.Reduced is not { } reduced) return;
        Assert.Equal(200, reduced.Rows);
        var evaluated = Ml.BinaryClassification.Evaluate(model.Transform(test));
        Assert.Equal(evaluated.Accuracy, reduced.Before["accuracy"], 1e-9);
        Assert.Equal(evaluated.AreaUnderRocCurve, reduced.Before["auc"], 1e-6);
    }

    [Fact]
    public void ExportToOnnx_FewerBitsOfARecomputedOrReducedNetwork_StartFromFloat32()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(400));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Wide with { Precision = ModelPrecision.Float16 }).Fit(data);
        var path = Path.Combine(_folder.FullName, "network.onnx");
        Assert.Equal("int8", ModelFile.GetMetadata(model.ExportToOnnx(path, data, new ExportOptions { Precision = ModelPrecision.Int8, PrecisionLoss = 0.05 }).Deployed.Proto, ModelMetadata.Precision));
        Assert.Null(ModelFile.GetMetadata(model.ExportToOnnx(path, data).Deployed.Proto, ModelMetadata.Precision));
    }

    [Fact]
    public void ExportToOnnx_KeysOfOtherClasses_AreRefused()
    {
        var rows = Clouds.Create(300);
        IDataView Keyed(IEnumerable<Clouds.Row> some)
        {
            var view = Ml.Data.LoadFromEnumerable(some);
            return Ml.Transforms.Conversion.MapValueToKey("Class", "Label").Fit(view).Transform(view);
        }

        using var model = Ml.MulticlassClassification.Trainers.BatchNormNetwork(Wide with { LabelColumnName = "Class", Epochs = 2 }).Fit(Keyed(rows));
        var path = Path.Combine(_folder.FullName, "network.onnx");
        var exception = Assert.Throws<ArgumentException>(() => model.ExportToOnnx(path, Keyed(rows.Reverse()), new ExportOptions { Precision = ModelPrecision.Int8 }));
        Assert.Contains("but the network was trained on red, blue, green", exception.Message, StringComparison.Ordinal);
        Assert.Empty(_folder.GetFiles());
    }

    [Fact]
    public void ExportToOnnx_NoSuchFolder_SaysSo()
    {
        var data = Ml.Data.LoadFromEnumerable(Moons.Create(100));
        using var model = Ml.BinaryClassification.Trainers.BatchNormNetwork(Wide with { Epochs = 1 }).Fit(data);
        Assert.Throws<DirectoryNotFoundException>(() => model.ExportToOnnx(Path.Combine(_folder.FullName, "nowhere", "network.onnx"), data));
    }
}
