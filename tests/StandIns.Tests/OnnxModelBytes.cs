using System.Text;

namespace MlNetBatchNorm.StandIns.Tests;

/// <summary>The smallest model worth running, y = x · W with x [N, 3] and W [3, 2], written field by field of the ONNX format.</summary>
internal static class OnnxModelBytes
{
    public static byte[] MatMul()
    {
        var node = Join(Text(1, "x"), Text(1, "W"), Text(2, "y"), Text(4, "MatMul"));
        var weights = Join(Number(1, 3), Number(1, 2), Number(2, 1), Floats(4, 1, 0, 0, 10, 100, 1000), Text(8, "W"));
        var graph = Join(Field(1, node), Text(2, "g"), Field(5, weights), Field(11, Value("x", 3)), Field(12, Value("y", 2)));
        return Join(Number(1, 8), Field(7, graph), Field(8, Number(2, 13)));
    }

    private static byte[] Value(string name, int columns)
    {
        var shape = Join(Field(1, Text(2, "N")), Field(1, Number(1, columns)));
        return Join(Text(1, name), Field(2, Field(1, Join(Number(1, 1), Field(2, shape)))));
    }

    private static byte[] Text(int field, string text) => Field(field, Encoding.UTF8.GetBytes(text));

    private static byte[] Floats(int field, params float[] values) => Field(field, Join(values.Select(BitConverter.GetBytes).ToArray()));

    private static byte[] Field(int field, byte[] content) => Join([(byte)((field << 3) | 2), (byte)content.Length], content);

    private static byte[] Number(int field, int value) => [(byte)(field << 3), (byte)value];

    private static byte[] Join(params byte[][] parts) => parts.SelectMany(p => p).ToArray();
}
