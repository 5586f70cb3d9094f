using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Memory;

/// <summary>
/// A tensor of texts that a model reads from or writes to. The texts live in native memory: each one in or out is a copy.
/// </summary>
internal sealed class TextBuffer : IDisposable
{
    /// <summary>Makes a tensor of empty texts.</summary>
    /// <param name="shape">Its shape; empty for a scalar.</param>
    public TextBuffer(params long[] shape)
    {
        Shape = [.. shape];
        Length = checked((int)shape.Aggregate(1L, (product, size) => product * size));
        Value = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
    }

    /// <summary>The number of texts.</summary>
    public int Length { get; }

    /// <summary>The shape.</summary>
    public IReadOnlyList<long> Shape { get; }

    internal OrtValue Value { get; }

    /// <summary>Sets a text.</summary>
    public void Set(int index, ReadOnlySpan<char> text) => Value.StringTensorSetElementAt(text, index);

    /// <summary>Reads a text.</summary>
    public string Get(int index) => Value.GetStringElement(index);

    /// <inheritdoc/>
    public void Dispose() => Value.Dispose();
}
