using Google.Protobuf;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.Tests.Scoring;

public sealed class ApplyOnnxModelBatchedTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void SeveralInputsAndOutputs_MappedBothWays_GiveTheNamedColumns()
    {
        var data = _ml.Data.LoadFromEnumerable(
            Enumerable.Range(0, 50).Select(i => new Choice { IsLeft = i % 3 == 0, A = [i, -i], B = [100, 200 + i] }));
        using var model = _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.Where()), new BatchedOnnxOptions
        {
            Inputs = new Dictionary<string, string> { ["flag"] = "IsLeft", ["left"] = "A", ["right"] = "B" },
            Outputs = new Dictionary<string, string> { ["not"] = "IsRight", ["where"] = "Chosen" },
        }).Fit(data);
        foreach (var scored in new[]
        {
            model.Transform(data),
            Reloaded(model, data, batched: false).Transform(data),
            Reloaded(model, data, batched: true).Transform(data),
        })
        {
            Assert.Equal(["IsRight", "Chosen"], scored.Schema.TakeLast(2).Select(column => column.Name));
            Assert.Equal(BooleanDataViewType.Instance, scored.Schema["IsRight"].Type);
            Assert.Equal(new VectorDataViewType(NumberDataViewType.Int64, 2), scored.Schema["Chosen"].Type);
            Assert.Equal(Enumerable.Range(0, 50).Select(i => i % 3 != 0), scored.GetColumn<bool>("IsRight"));
            Assert.Equal(
                Enumerable.Range(0, 50).Select(i => i % 3 == 0 ? new long[] { i, -i } : [100, 200 + i]),
                scored.GetColumn<long[]>("Chosen"));
        }
    }

    [Fact]
    public void ColumnNames_OfTheModel_AreReadAndAdded()
    {
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 5).Select(i => new Floats { x = [i, 1, 2] }));
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.onnx");
        try
        {
            File.WriteAllBytes(path, OnnxModels.SumAndTwice(3));
            using var all = _ml.Transforms.ApplyOnnxModelBatched(path).Fit(data);
            using var one = _ml.Transforms.ApplyOnnxModelBatched("sum", "x", path).Fit(data);
            using var two = _ml.Transforms.ApplyOnnxModelBatched(["twice", "sum"], ["x"], path).Fit(data);
            Assert.Equal(["sum", "twice"], all.OutputColumns);
            Assert.Equal(["sum"], one.OutputColumns);
            Assert.Equal(["twice", "sum"], two.OutputColumns);
            Assert.Equal(Enumerable.Range(0, 5).Select(i => i + 3f), one.Transform(data).GetColumn<float>("sum"));
            Assert.Contains(
                "no output 'y'; its outputs are sum, twice",
                Assert.Throws<ArgumentException>(() => _ml.Transforms.ApplyOnnxModelBatched("y", "x", path)).Message,
                StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void ColumnNames_ModelWithOneInputAndOutput_MayBeAny()
    {
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 5).Select(i => new Floats { x = [i, 1, 2] }));
        using var stream = new MemoryStream(OnnxModels.Identity(DataType.Float, 3));
        using var model = _ml.Transforms.ApplyOnnxModelBatched(["Copied"], ["x"], stream).Fit(data);
        Assert.Equal(data.GetColumn<float[]>("x"), model.Transform(data).GetColumn<float[]>("Copied"));
    }

    [Fact]
    public void Output_ChosenAlone_IsTheOnlyColumn()
    {
        var view = new RecordingView(10, 3);
        using var model = _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.SumAndTwice(3)), new BatchedOnnxOptions
        {
            Inputs = new Dictionary<string, string> { ["x"] = "Features" },
            Outputs = new Dictionary<string, string> { ["twice"] = "Both" },
        }).Fit(view);
        Assert.Equal(
            [.. view.Schema.Select(column => column.Name), "Both"], model.GetOutputSchema(view.Schema).Select(column => column.Name));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void FixedNumberOfRows_RunsInBlocksOfIt(int rows)
    {
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 11).Select(i => new Floats { x = [i, 1, 2] }));
        using var model = _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.SumAndTwice(3, rows))).Fit(data);
        Assert.Equal(Enumerable.Range(0, 11).Select(i => i + 3f), model.Transform(data).GetColumn<float>("sum"));
        using var engine = _ml.Model.CreatePredictionEngine<Floats, Sums>(model, new PredictionEngineOptions { OwnsTransformer = false });
        Assert.Equal(12f, engine.Predict(new Floats { x = [9, 1, 2] }).sum);
        if (rows == 1)
        {
            Assert.Equal(
                Enumerable.Range(0, 11).Select(i => i + 3f), Reloaded(model, data, batched: false).Transform(data).GetColumn<float>("sum"));
            return;
        }

        using var file = new MemoryStream();
        var exception = Assert.Throws<InvalidOperationException>(() => _ml.Model.Save(model, data.Schema, file));
        Assert.Contains("always takes 4 rows at once", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SingleValuesAsVectors_OneValueForARow_StaysAVector()
    {
        var data = _ml.Data.LoadFromEnumerable([new Floats { x = [1, 2, 3] }]);
        using var model = _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.SumAndTwice(3)), new BatchedOnnxOptions
        {
            SingleValuesAsVectors = true,
        }).Fit(data);
        foreach (var scored in new[]
        {
            model.Transform(data),
            Reloaded(model, data, batched: false).Transform(data),
            Reloaded(model, data, batched: true).Transform(data),
        })
        {
            Assert.Equal(new VectorDataViewType(NumberDataViewType.Single, 1), scored.Schema["sum"].Type);
            Assert.Equal([6f], scored.GetColumn<float[]>("sum").Single());
        }
    }

    [Fact]
    public void ColumnCalledLikeAValueInsideTheModel_SavedAndLoaded_StaysTheSame()
    {
        var nodes = new GraphBuilder("inner names");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, 3);
        var inner = nodes.Named("Total/shape", "Mul", [nodes.Named("Total", "Add", [x, x]), nodes.Constant(2)]);
        nodes.Output("y", nodes.Node("Add", [inner, x]), DataType.Float, TensorDimension.Rows, 3);
        var data = _ml.Data.LoadFromEnumerable([new Floats { x = [1, 2, 3] }]);
        using var model = _ml.Transforms.ApplyOnnxModelBatched(
            new MemoryStream(nodes.Build().ToByteArray()),
            new BatchedOnnxOptions { Outputs = new Dictionary<string, string> { ["y"] = "Total" } }).Fit(data);
        foreach (var batched in new[] { false, true })
            Assert.Equal([5f, 10f, 15f], Reloaded(model, data, batched).Transform(data).GetColumn<float[]>("Total").Single());
    }

    [Fact]
    public void FreeDimensions_WithoutShapes_SaysWhatToDo()
    {
        var exception = Assert.Throws<InvalidModelException>(
            () => _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.FreeImage())));
        Assert.Contains("The input 'image' has the shape [N, 3, H, W]", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Say in Shapes what one row has, for example [\"image\"] = [3, 8, 8]", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FreeDimensions_WithShapes_ReachTheOutputs()
    {
        var data = _ml.Data.LoadFromEnumerable(
            Enumerable.Range(0, 40).Select(i => new Image { image = [.. Enumerable.Range(0, 12).Select(k => (float)(i * k % 13))] }));
        using var model = _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.FreeImage()), new BatchedOnnxOptions
        {
            Shapes = new Dictionary<string, IReadOnlyList<long>> { ["image"] = [3, 2, 2] },
        }).Fit(data);
        foreach (var scored in new[]
        {
            model.Transform(data),
            Reloaded(model, data, batched: false).Transform(data),
            Reloaded(model, data, batched: true).Transform(data),
        })
        {
            Assert.Equal(new VectorDataViewType(NumberDataViewType.Single, 3, 2, 2), scored.Schema["same"].Type);
            Assert.Equal(data.GetColumn<float[]>("image"), scored.GetColumn<float[]>("same"));
            Assert.Equal(data.GetColumn<float[]>("image").Select(image => image.Max()), scored.GetColumn<float>("largest"));
        }
    }

    [Fact]
    public void RowByRow_ModelWithoutDimensionForRows_TakesEachRowWhole()
    {
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 5).Select(i => new Floats { x = [i, 1, 2] }));
        using var model = _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.WithoutRows()), new BatchedOnnxOptions
        {
            RowByRow = true,
        }).Fit(data);
        foreach (var scored in new[]
        {
            model.Transform(data),
            Reloaded(model, data, batched: false).Transform(data),
            Reloaded(model, data, batched: true).Transform(data),
        })
            Assert.Equal(Enumerable.Range(0, 5).Select(i => new float[] { i + 1, 2, 3 }), scored.GetColumn<float[]>("y"));
    }

    [Fact]
    public void Columns_MissingOrOfAnotherKind_AreNamed()
    {
        var data = _ml.Data.LoadFromEnumerable([new Floats { x = [1, 2, 3] }]);
        var other = _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.SumAndTwice(4)));
        Assert.Contains(
            "'x' has 3 values, but the model's input 'x' takes 4",
            Assert.Throws<ArgumentException>(() => other.Fit(data)).Message,
            StringComparison.Ordinal);
        var missing = _ml.Transforms.ApplyOnnxModelBatched(
            new MemoryStream(OnnxModels.SumAndTwice(3)),
            new BatchedOnnxOptions { Inputs = new Dictionary<string, string> { ["x"] = "features" } });
        Assert.Contains(
            "There is no input column 'features'",
            Assert.Throws<ArgumentException>(() => missing.Fit(data)).Message,
            StringComparison.Ordinal);
        var wrong = _ml.Transforms.ApplyOnnxModelBatched(
            new MemoryStream(OnnxModels.Identity(DataType.Int64, 3)),
            new BatchedOnnxOptions { Inputs = new Dictionary<string, string> { ["in"] = "x" } });
        Assert.Contains(
            "takes Int64. Put ConvertType in front",
            Assert.Throws<ArgumentException>(() => wrong.Fit(data)).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "no input 'y'; its inputs are x",
            Assert.Throws<ArgumentException>(() => Sums(new() { Inputs = new Dictionary<string, string> { ["y"] = "x" } })).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "no output 'z'; its outputs are sum, twice",
            Assert.Throws<InvalidModelException>(() => Sums(new() { Outputs = new Dictionary<string, string> { ["z"] = "x" } })).Message,
            StringComparison.Ordinal);

        BatchedOnnxEstimator Sums(BatchedOnnxOptions options) =>
            _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.SumAndTwice(3)), options);
    }

    [Fact]
    public void VaryingVectors_WrongLength_NamesTheRow()
    {
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 30).Select(i => new Varying { x = new float[i == 21 ? 2 : 3] }));
        using var model = _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.SumAndTwice(3))).Fit(data);
        var exception = Assert.Throws<InvalidDataException>(() => model.Transform(data).GetColumn<float>("sum").ToArray());
        Assert.Contains("Row 21 has 2 values in the column 'x'", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GetOutputSchema_InAPipeline_AgreesWithWhatIsFitted()
    {
        var data = _ml.Data.LoadFromEnumerable([new Floats { x = [1, 2, 3] }]);
        SchemaShape? shape = null;
        var pipeline = _ml.Transforms.CopyColumns("copy", "x").Append(
            new ShapeProbe<BatchedOnnxTransformer>(
                _ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(OnnxModels.SumAndTwice(3))), seen => shape = seen));
        var schema = pipeline.Fit(data).Transform(data).Schema;
        Assert.Equal(schema.Select(column => column.Name), shape!.Select(column => column.Name));
        Assert.Equal(
            schema.TakeLast(2).Select(column => (column.Type as VectorDataViewType)?.ItemType ?? column.Type), shape!.TakeLast(2).Select(
                column => column.ItemType));
        Assert.Equal(
            [SchemaShape.Column.VectorKind.Scalar, SchemaShape.Column.VectorKind.Vector], shape!.TakeLast(2).Select(column => column.Kind));
    }

    [Fact]
    public void File_GivesWhatTheBytesGive()
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.onnx");
        try
        {
            File.WriteAllBytes(path, OnnxModels.SumAndTwice(3));
            var data = _ml.Data.LoadFromEnumerable([new Floats { x = [1, 2, 3] }]);
            using var model = _ml.Transforms.ApplyOnnxModelBatched(path).Fit(data);
            Assert.Equal(6f, Reloaded(model, data, batched: true).Transform(data).GetColumn<float>("sum").Single());
            Assert.Equal(Device.Cpu, model.Device);
        }
        finally
        {
            File.Delete(path);
        }

        Assert.Throws<FileNotFoundException>(() => _ml.Transforms.ApplyOnnxModelBatched(path));
    }

    private ITransformer Reloaded(ITransformer model, IDataView data, bool batched) => Models.SaveAndLoad(_ml, model, data.Schema, batched);

    private sealed class Choice
    {
        public bool IsLeft { get; set; }

        [VectorType(2)]
        public long[] A { get; set; } = [];

        [VectorType(2)]
        public long[] B { get; set; } = [];
    }

    // The names of the members are those of the model's inputs and outputs.
    private sealed class Floats
    {
        [VectorType(3)]
        public float[] x { get; set; } = [];
    }

    private sealed class Varying
    {
        [VectorType]
        public float[] x { get; set; } = [];
    }

    private sealed class Image
    {
        [VectorType(12)]
        public float[] image { get; set; } = [];
    }

    private sealed class Sums
    {
        public float sum { get; set; }
    }
}
