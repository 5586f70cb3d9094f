using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Tests.Graph;

/// <summary>Copies of models, against those that Protobuf makes itself.</summary>
public sealed class ModelCopyTests
{
    [Fact]
    public void Copy_EveryFieldGiven_IsWhatProtobufClones()
    {
        var model = (ModelProto)Filled(ModelProto.Descriptor, depth: 6);

        var copy = model.Copy();

        // Also what this version of the format does not know, which no field shows.
        Assert.Equal(model.Clone(), copy);
        Assert.Equal(model.ToByteArray(), copy.ToByteArray());
    }

    [Fact]
    public void Copy_ThenChanged_LeavesTheOriginal()
    {
        var model = (ModelProto)Filled(ModelProto.Descriptor, depth: 6);
        var before = model.ToByteArray();

        var copy = model.Copy();
        copy.Graph.Node[0].Input[0] = "other";
        copy.Graph.Node[0].Attribute[0].Name = "other";
        copy.Graph.Initializer[0] = copy.Graph.Initializer[0].Renamed("other");
        copy.Graph.Output.Clear();
        copy.OpsetImport[0].Version = 99;

        Assert.Equal(before, model.ToByteArray());
    }

    [Fact]
    public void Renamed_EveryFieldGiven_IsTheSameUnderAnotherName()
    {
        var tensor = (TensorProto)Filled(TensorProto.Descriptor, depth: 6);
        var expected = tensor.Clone();
        expected.Name = "other";

        Assert.Equal(expected, tensor.Renamed("other"));
        Assert.Equal("text of name", tensor.Name);
    }

    // The constants of a copy are those of the original.
    [Fact]
    public void Rename_ConstantsOfACopy_LeavesTheOriginal()
    {
        var model = new ModelProto { Graph = new GraphProto { Initializer = { new TensorProto { Name = "w", FloatData = { 1 } } } } };
        var copy = model.Copy();

        ValueNames.Rename(copy.Graph, new Dictionary<string, string> { ["w"] = "v" });

        Assert.Equal(("w", "v"), (model.Graph.Initializer[0].Name, copy.Graph.Initializer[0].Name));
    }

    // A message with something in each field, and a field that the format does not have.
    private static IMessage Filled(MessageDescriptor type, int depth)
    {
        var message = type.Parser.ParseFrom([0xF8, 0x3F, 0x07]);
        foreach (var field in type.Fields.InFieldNumberOrder().Where(field => depth > 0 || field.FieldType != FieldType.Message))
        {
            // The members of a choice exclude each other: the last stays.
            if (!field.IsRepeated) field.Accessor.SetValue(message, Value(field, depth));
            else ((IList)field.Accessor.GetValue(message)).Add(Value(field, depth));
        }

        return message;
    }

    private static object Value(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.Message => Filled(field.MessageType, depth - 1),
        FieldType.String => $"text of {field.Name}",
        FieldType.Bytes => ByteString.CopyFromUtf8(field.Name),
        FieldType.Float => 1.5f,
        FieldType.Double => 2.5,
        FieldType.Int32 => 3,
        FieldType.Int64 => 4L,
        FieldType.UInt64 => 5UL,
        FieldType.Enum => Enum.ToObject(field.EnumType.ClrType, 1),
        var other => throw new NotSupportedException($"{field.FullName} has the type {other}."),
    };
}
