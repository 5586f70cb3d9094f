using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlNetBatchNorm.Onnx.Execution.Operators;

/// <summary>
/// An operator that ONNX Runtime does not have, on float32 tensors in the host's memory: what it is called, what it takes and gives, and
/// how a kernel for a node is made. Register it with an <see cref="OperatorDomain"/>.
/// </summary>
/// <param name="name">The operator's name in its domain.</param>
/// <param name="inputs">The most inputs; each may be left out of a node.</param>
/// <param name="outputs">The most outputs; each may be left out of a node.</param>
/// <param name="isVariadic">Whether the last input and the last output stand for any number of them.</param>
internal abstract unsafe class OwnOperator(string name, int inputs, int outputs, bool isVariadic = false)
{
    // Version 1.17 of the structure: all of its fields up to the versions of the operator.
    private const uint StructureVersion = 17;
    private const int Fields = 26;
    private const int Float = 1;

    private enum Characteristic
    {
        Optional = 1,
        Variadic = 2,
    }

    /// <summary>The operator's name in its domain.</summary>
    public string Name => name;

    /// <summary>Makes the kernel of a node.</summary>
    /// <param name="attributes">The node's attributes.</param>
    public abstract OwnKernel CreateKernel(in KernelAttributes attributes);

    // The structure as ONNX Runtime knows it, in the order of its fields, and behind it where this object is.
    internal nint* Describe()
    {
        var fields = (nint*)NativeMemory.AllocZeroed(Fields + 2, (nuint)sizeof(nint));
        *(uint*)fields = StructureVersion;
        fields[2] = (nint)(delegate* unmanaged<nint*, nint>)&NameOf;
        fields[3] = (nint)(delegate* unmanaged<nint*, nint>)&ProviderOf;
        fields[4] = fields[6] = (nint)(delegate* unmanaged<nint*, nuint, int>)&TypeOf;
        fields[5] = (nint)(delegate* unmanaged<nint*, nuint>)&InputsOf;
        fields[7] = (nint)(delegate* unmanaged<nint*, nuint>)&OutputsOf;
        fields[9] = (nint)(delegate* unmanaged<nint, void>)&Destroy;
        fields[10] = (nint)(delegate* unmanaged<nint*, nuint, int>)&InputKindOf;
        fields[11] = (nint)(delegate* unmanaged<nint*, nuint, int>)&OutputKindOf;
        fields[12] = (nint)(delegate* unmanaged<nint*, nuint, int>)&MemoryOf;
        fields[13] = fields[14] = fields[15] = fields[16] = (nint)(delegate* unmanaged<nint*, int>)&One;
        fields[17] = (nint)(delegate* unmanaged<nint*, nint, nint, nint*, nint>)&Create;
        fields[18] = (nint)(delegate* unmanaged<nint, nint, nint>)&Compute;
        fields[20] = (nint)(delegate* unmanaged<nint*, int>)&One;
        fields[21] = (nint)(delegate* unmanaged<nint*, int>)&LastVersion;
        fields[Fields] = GCHandle.ToIntPtr(GCHandle.Alloc(this));
        fields[Fields + 1] = Marshal.StringToCoTaskMemUTF8(Name);
        return fields;
    }

    internal static void Free(nint* fields)
    {
        GCHandle.FromIntPtr(fields[Fields]).Free();
        Marshal.FreeCoTaskMem(fields[Fields + 1]);
        NativeMemory.Free(fields);
    }

    private Characteristic Kind(nuint index, int count) =>
        isVariadic && (int)index == count - 1 ? Characteristic.Variadic : Characteristic.Optional;

    private static OwnOperator Of(nint* fields) => Unsafe.As<OwnOperator>(GCHandle.FromIntPtr(fields[Fields]).Target)!;

    [UnmanagedCallersOnly]
    private static nint NameOf(nint* fields) => fields[Fields + 1];

    // None: the CPU's.
    [UnmanagedCallersOnly]
    private static nint ProviderOf(nint* fields) => 0;

    [UnmanagedCallersOnly]
    private static int TypeOf(nint* fields, nuint index) => Float;

    [UnmanagedCallersOnly]
    private static nuint InputsOf(nint* fields) => (nuint)Of(fields).Inputs;

    [UnmanagedCallersOnly]
    private static nuint OutputsOf(nint* fields) => (nuint)Of(fields).Outputs;

    [UnmanagedCallersOnly]
    private static int InputKindOf(nint* fields, nuint index) => (int)Of(fields).Kind(index, Of(fields).Inputs);

    [UnmanagedCallersOnly]
    private static int OutputKindOf(nint* fields, nuint index) => (int)Of(fields).Kind(index, Of(fields).Outputs);

    [UnmanagedCallersOnly]
    private static int MemoryOf(nint* fields, nuint index) => 0;

    [UnmanagedCallersOnly]
    private static int One(nint* fields) => 1;

    [UnmanagedCallersOnly]
    private static int LastVersion(nint* fields) => int.MaxValue;

    private int Inputs => inputs;

    private int Outputs => outputs;

    [UnmanagedCallersOnly]
    private static nint Create(nint* fields, nint api, nint info, nint* kernel)
    {
        try
        {
            *kernel = GCHandle.ToIntPtr(GCHandle.Alloc(Of(fields).CreateKernel(new KernelAttributes(info))));
            return 0;
        }
        catch (Exception exception)
        {
            return RuntimeInterface.Status(exception.Message);
        }
    }

    [UnmanagedCallersOnly]
    private static nint Compute(nint kernel, nint context)
    {
        try
        {
            Unsafe.As<OwnKernel>(GCHandle.FromIntPtr(kernel).Target)!.Compute(new KernelContext(context));
            return 0;
        }
        catch (Exception exception)
        {
            return RuntimeInterface.Status(exception.Message);
        }
    }

    [UnmanagedCallersOnly]
    private static void Destroy(nint kernel) => GCHandle.FromIntPtr(kernel).Free();
}

/// <summary>What computes a node with an operator of our own. Runs of one session may call it from several threads at a time.</summary>
internal abstract class OwnKernel
{
    /// <summary>Reads the inputs and makes the outputs; what it throws becomes ONNX Runtime's error.</summary>
    /// <param name="context">The inputs and outputs.</param>
    public abstract void Compute(KernelContext context);
}

/// <summary>The attributes of a node.</summary>
internal readonly ref struct KernelAttributes(nint info)
{
    private readonly nint _info = info;

    /// <summary>A float attribute, which must be there.</summary>
    public float Float(string name) => RuntimeInterface.FloatAttribute(_info, name);

    /// <summary>An integer attribute, which must be there.</summary>
    public int Integer(string name) => checked((int)RuntimeInterface.IntegerAttribute(_info, name));

    /// <summary>A list of floats, which must be there.</summary>
    public float[] Floats(string name) => RuntimeInterface.FloatsAttribute(_info, name);

    /// <summary>A list of integers, which must be there.</summary>
    public long[] Integers(string name) => RuntimeInterface.IntegersAttribute(_info, name);
}

/// <summary>The inputs and outputs of a node while it runs.</summary>
internal readonly unsafe ref struct KernelContext(nint context)
{
    private readonly nint _context = context;

    /// <summary>An input.</summary>
    /// <param name="index">From 0.</param>
    public Tensor Input(int index) => Tensor.Of(RuntimeInterface.Input(_context, index));

    /// <summary>Where the numbers of an input lie whose size is known; null where it is left out.</summary>
    /// <param name="index">From 0.</param>
    public float* Numbers(int index)
    {
        var value = RuntimeInterface.Input(_context, index);
        return value == 0 ? null : RuntimeInterface.Numbers(value);
    }

    /// <summary>Makes an output.</summary>
    /// <param name="index">From 0.</param>
    /// <param name="shape">Its shape.</param>
    /// <returns>Where its numbers are to be written; null where nobody reads it.</returns>
    public float* Output(int index, params ReadOnlySpan<long> shape)
    {
        var value = RuntimeInterface.Output(_context, index, shape);
        return value == 0 ? null : RuntimeInterface.Numbers(value);
    }

    /// <summary>Makes an output of rows.</summary>
    /// <param name="index">From 0.</param>
    /// <param name="rows">The rows, N.</param>
    /// <param name="row">The sizes of a row.</param>
    /// <param name="groups">
    /// Groups, one behind the other, <c>[G, N, C/G]</c>, that the values of a row lie in; 1 (the default) = row by row, <c>[N, …row]</c>.
    /// </param>
    /// <returns>Where its numbers are to be written; null where nobody reads it.</returns>
    public float* OutputOfRows(int index, long rows, ReadOnlySpan<long> row, int groups = 1)
    {
        if (groups > 1)
        {
            var width = 1L;
            foreach (var size in row) width *= size;
            return Output(index, groups, rows, width / groups);
        }

        Span<long> shape = stackalloc long[row.Length + 1];
        shape[0] = rows;
        row.CopyTo(shape[1..]);
        return Output(index, shape);
    }

    /// <summary>Does parts of the work, on the session's threads where it has some.</summary>
    /// <param name="part">Does one part, given its number and the state; it must not throw.</param>
    /// <param name="count">The number of parts.</param>
    /// <param name="state">What the parts have in common.</param>
    public void InParallel(delegate* unmanaged<void*, nuint, void> part, int count, void* state) =>
        RuntimeInterface.InParallel(_context, part, count, state);

    /// <summary>Numbers of an input.</summary>
    /// <param name="Numbers">Where they lie; null where the input is left out.</param>
    /// <param name="Count">How many there are.</param>
    public readonly record struct Tensor(nint Numbers, long Count)
    {
        internal static Tensor Of(nint value) =>
            value == 0 ? default : new((nint)RuntimeInterface.Numbers(value), RuntimeInterface.Bytes(value) / sizeof(float));
    }
}
