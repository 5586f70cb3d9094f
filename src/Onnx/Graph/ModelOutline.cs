using System.Buffers;
using System.IO.MemoryMappedFiles;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// A model as it is drawn, without the elements of its large constants: what is needed to look at its nodes, at the price of the nodes and
/// not of the weights. A large constant keeps name, type and shape, and counts as one whose elements lie elsewhere.
/// </summary>
/// <remarks>
/// Works on the bytes of the messages (protobuf's wire format: a tag, then a varint, 4 or 8 bytes, or a length and as many bytes), because
/// Protobuf itself can only read a message whole. The pages of a file that hold weights are never touched.
/// </remarks>
internal static unsafe class ModelOutline
{
    /// <summary>Constants of more bytes than this are left out.</summary>
    public const int LargestKept = 1 << 16;

    // Deeper nesting than Protobuf itself reads.
    private const int Deepest = 100;

    private static readonly byte[] LiesElsewhere = [14 << 3, (byte)TensorProto.Types.DataLocation.External];

    /// <summary>The outline of a model in memory; null where the bytes are no model.</summary>
    public static ModelProto? Of(ReadOnlySpan<byte> model)
    {
        try
        {
            var kept = new ArrayBufferWriter<byte>();
            Copy(model, Message.Model, kept, 0);
            var outline = ModelProto.Parser.ParseFrom(kept.WrittenSpan);
            return outline.Graph is null ? null : outline;
        }
        catch (Exception exception) when (exception is InvalidProtocolBufferException or InvalidModelException)
        {
            return null;
        }
    }

    /// <summary>The outline of a model in a file; null where the file is no model, or larger than one can be.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static ModelProto? OfFile(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        if (file.Length is 0 or > int.MaxValue) return null;
        using var map = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, true);
        using var view = map.CreateViewAccessor(0, file.Length, MemoryMappedFileAccess.Read);
        byte* bytes = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref bytes);
        try
        {
            return Of(new ReadOnlySpan<byte>(bytes + view.PointerOffset, (int)file.Length));
        }
        finally
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    private static void Copy(ReadOnlySpan<byte> from, Message message, ArrayBufferWriter<byte> to, int depth)
    {
        if (depth > Deepest) throw new InvalidModelException("The model is nested too deeply.");
        for (var rest = from; rest.Length > 0;)
        {
            var start = rest;
            var tag = Varint(ref rest);
            var field = (int)(tag >> 3);
            if ((tag & 7) != 2)
            {
                Skip(ref rest, (int)(tag & 7));
                to.Write(start[..^rest.Length]);
                continue;
            }

            var content = Take(ref rest, Varint(ref rest));
            if (Inner(message, field) is { } inner)
            {
                // Its length is known only when it is written.
                var part = new ArrayBufferWriter<byte>(Math.Clamp(content.Length, 1, LargestKept));
                if (inner == Message.Tensor && content.Length > LargestKept)
                {
                    CopyHead(content, part);
                    part.Write(LiesElsewhere);
                }
                else
                {
                    Copy(content, inner, part, depth + 1);
                }

                WriteVarint(to, tag);
                WriteVarint(to, (ulong)part.WrittenCount);
                to.Write(part.WrittenSpan);
            }
            else if (content.Length <= LargestKept)
            {
                to.Write(start[..^rest.Length]);
            }
        }
    }

    // Dims, type and name of a tensor; not its elements.
    private static void CopyHead(ReadOnlySpan<byte> tensor, ArrayBufferWriter<byte> to)
    {
        for (var rest = tensor; rest.Length > 0;)
        {
            var start = rest;
            var tag = Varint(ref rest);
            Skip(ref rest, (int)(tag & 7));
            if (tag >> 3 is 1 or 2 or 8) to.Write(start[..^rest.Length]);
        }
    }

    // Which message a field holds, where tensors can be in it.
    private static Message? Inner(Message message, int field) => (message, field) switch
    {
        (Message.Model, 7) => Message.Graph,
        (Message.Model, 25) => Message.Function,
        (Message.Graph, 1) or (Message.Function, 7) => Message.Node,
        (Message.Graph, 5) or (Message.Attribute, 5 or 10) => Message.Tensor,
        (Message.Node, 5) => Message.Attribute,
        (Message.Attribute, 6 or 11) => Message.Graph,
        _ => null,
    };

    private static void Skip(ref ReadOnlySpan<byte> bytes, int wireType)
    {
        switch (wireType)
        {
            case 0: Varint(ref bytes); break;
            case 1: Take(ref bytes, 8); break;
            case 2: Take(ref bytes, Varint(ref bytes)); break;
            case 5: Take(ref bytes, 4); break;
            default: throw new InvalidModelException($"A field has the unknown wire type {wireType}.");
        }
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> bytes, ulong count)
    {
        if (count > (ulong)bytes.Length) throw new InvalidModelException("The model is cut off.");
        var taken = bytes[..(int)count];
        bytes = bytes[(int)count..];
        return taken;
    }

    private static ulong Varint(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Take(ref bytes, 1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }

        throw new InvalidModelException("A number has more than 64 bits.");
    }

    private static void WriteVarint(ArrayBufferWriter<byte> to, ulong value)
    {
        for (; value >= 0x80; value >>= 7) to.Write([(byte)(value | 0x80)]);
        to.Write([(byte)value]);
    }

    private enum Message
    {
        Model,
        Graph,
        Function,
        Node,
        Attribute,
        Tensor,
    }
}
