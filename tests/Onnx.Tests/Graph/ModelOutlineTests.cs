using Google.Protobuf;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Graph;

public sealed class ModelOutlineTests
{
    [Fact]
    public void Of_SmallModel_IsTheModel()
    {
        var model = Model(8);
        Assert.Equal(model, ModelOutline.Of(model.ToByteArray()));
    }

    [Fact]
    public void Of_LargeConstants_KeepNameTypeAndShapeAlone()
    {
        var model = Model(200);
        var body = model.Clone().Graph;
        model.Graph.Node.Add(new NodeProto
        {
            OpType = "If",
            Attribute = { new AttributeProto { Name = "then_branch", Type = AttributeProto.Types.AttributeType.Graph, G = body } },
        });
        model.Graph.Node.Add(new NodeProto
        {
            OpType = "Constant",
            Output = { "c" },
            Attribute =
            {
                new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = body.Initializer[0] },
            },
        });
        var outline = ModelOutline.Of(model.ToByteArray())!;
        Assert.InRange(outline.CalculateSize(), 1, 2000);
        var tensors = ExternalData.Tensors(outline.Graph).Where(tensor => tensor.Name == "w").ToList();
        Assert.Equal(3, tensors.Count);
        Assert.All(tensors, tensor =>
        {
            Assert.Equal((DataType.Float, 0), ((DataType)tensor.DataType, tensor.RawData.Length));
            Assert.Equal([200, 200], tensor.Dims);
            Assert.Null(RealTensor.From(tensor));
        });
        // All but the elements is there.
        foreach (var tensor in ExternalData.Tensors(model.Graph).Concat(ExternalData.Tensors(outline.Graph)))
        {
            tensor.ClearRawData();
            tensor.ClearDataLocation();
        }

        Assert.Equal(model, outline);
    }

    [Fact]
    public void OfFile_IsTheOutlineOfItsBytes()
    {
        var path = Path.GetTempFileName();
        File.WriteAllBytes(path, Model(200).ToByteArray());
        Assert.Equal(ModelOutline.Of(File.ReadAllBytes(path)), ModelOutline.OfFile(path));
        File.WriteAllBytes(path, []);
        Assert.Null(ModelOutline.OfFile(path));
        File.Delete(path);
    }

    [Fact]
    public void Of_EveryCutOff_IsNullOrAModel()
    {
        var bytes = Model(8).ToByteArray();
        for (var length = 0; length < bytes.Length; length++)
        {
            // A cut between two fields leaves a message; what Protobuf reads is then read alike.
            var outline = ModelOutline.Of(bytes.AsSpan(0, length));
            if (outline is not null) Assert.Equal(ModelProto.Parser.ParseFrom(bytes, 0, length), outline);
        }
    }

    [Fact]
    public void Of_NestingWithoutEnd_IsNull()
    {
        var graph = new GraphProto();
        for (var depth = 0; depth < 60; depth++)
        {
            graph = new GraphProto
            {
                Node = { new NodeProto { OpType = "If", Attribute = { new AttributeProto { Name = "then_branch", G = graph } } } },
            };
        }

        Assert.Null(ModelOutline.Of(new ModelProto { Graph = graph }.ToByteArray()));
    }

    private static ModelProto Model(int size)
    {
        var nodes = new GraphBuilder("model");
        var weights = nodes.Initializer(TensorData.Create("w", new float[size * size], size, size));
        nodes.Output("y", nodes.Node("MatMul", [nodes.Input("x", DataType.Float, "N", size), weights]), DataType.Float, "N", size);
        var model = nodes.Build();
        ModelFile.SetMetadata(model, "key", "value");
        return model;
    }
}
