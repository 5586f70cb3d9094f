using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Memory;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm;

/// <summary>
/// A tensor where a model reads or writes it: in the device's memory, or in the host's where the model runs there. It stays at its place
/// until it is disposed, and the model is not released before. From <see cref="OnnxScorer.CreateDeviceRun"/>. One thread at a time.
/// </summary>
public sealed class DeviceTensor : IDisposable
{
    private readonly OnnxSession _session;
    private readonly OrtValue[] _here;
    private readonly OrtValue[] _host = new OrtValue[1];
    private readonly object? _memory;
    private TensorBuffer<byte>? _staging;
    private bool _disposed;

    // The memory is what a tensor on the host lies in; null = it is on the device.
    internal DeviceTensor(OnnxSession session, string name, DataType type, long[] shape, OrtValue value, object? memory)
    {
        _session = session;
        Name = name;
        Type = type;
        Shape = [.. shape];
        Length = shape.Aggregate(1L, (product, size) => checked(product * size));
        Value = value;
        _here = [value];
        _memory = memory;
        session.AddUser();
    }

    /// <summary>The input or output that it was made for.</summary>
    public string Name { get; }

    /// <summary>The element type.</summary>
    public OnnxElementType ElementType => (OnnxElementType)Type;

    internal DataType Type { get; }

    /// <summary>The shape, outermost dimension first.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The number of elements.</summary>
    public long Length { get; }

    /// <summary>Whether it lies in a memory of the device's own.</summary>
    public bool IsOnDevice => _memory is null;

    /// <summary>The tensor as ONNX Runtime sees it; it lives as long as this object.</summary>
    internal OrtValue Value { get; }

    /// <summary>Copies values to the tensor.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="values"><see cref="Length"/> values, row-major.</param>
    /// <exception cref="ArgumentException">Another number of values, or another type.</exception>
    /// <exception cref="ModelRunException">The device failed.</exception>
    public void Upload<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        values.CopyTo(Host<T>(values.Length));
        if (IsOnDevice) _session.CopyTensors(this, _host, _here);
    }

    /// <summary>Copies the tensor's values to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="values">Room for <see cref="Length"/> values.</param>
    /// <exception cref="ArgumentException">Another number of values, or another type.</exception>
    /// <exception cref="ModelRunException">The device failed.</exception>
    public void Download<T>(Span<T> values)
        where T : unmanaged
    {
        var host = Host<T>(values.Length);
        if (IsOnDevice) _session.CopyTensors(this, _here, _host);
        host.CopyTo(values);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        Value.Dispose();
        _host[0]?.Dispose();
        _staging?.Dispose();
        (_memory as IDisposable)?.Dispose();
        _session.RemoveUser();
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        var place = IsOnDevice ? $"on {_session.Device}" : "on the host";
        return $"{Name}: {Type}[{string.Join(", ", Shape)}] {place}";
    }

    // The elements themselves on the host, or the place from which the device copies.
    private Span<T> Host<T>(int length)
        where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (TensorBuffer<T>.ElementType != (TensorElementType)(int)Type)
            throw new ArgumentException($"The tensor {this} does not hold values of the type {typeof(T).Name}.");
        if (length != Length) throw new ArgumentException($"The tensor {this} holds {Length} values, but there are {length}.");
        if (_memory is TensorBuffer<T> buffer) return buffer.Span;
        if (_staging is null)
        {
            _staging = _session.CreateBuffer<byte>(Length * Unsafe.SizeOf<T>());
            _host[0] = _staging.ToOrtValue((TensorElementType)(int)Type, [.. Shape]);
        }

        return MemoryMarshal.Cast<byte, T>(_staging.Span);
    }
}
