using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Operators;

/// <summary>
/// The part of ONNX Runtime's C interface that operators of our own need and that its managed library does not show. The table of functions
/// only ever grows at its end, so a number in it means the same function in every later version.
/// </summary>
internal static unsafe class RuntimeInterface
{
    /// <summary>The version of the interface that is asked for, the first with all functions below (ONNX Runtime 1.23).</summary>
    public const uint Version = 23;

    private const int Fail = 1;
    private static readonly nint* Functions = Find();

    /// <summary>Whether the native library knows this interface.</summary>
    public static bool IsThere => Functions is not null;

    public static nint CreateDomain(string name)
    {
        nint domain;
        fixed (byte* text = Utf8(name)) Check(((delegate* unmanaged<byte*, nint*, nint>)Functions[26])(text, &domain));
        return domain;
    }

    public static void AddToDomain(nint domain, void* operation) =>
        Check(((delegate* unmanaged<nint, void*, nint>)Functions[27])(domain, operation));

    public static void AddDomain(nint options, nint domain) =>
        Check(((delegate* unmanaged<nint, nint, nint>)Functions[28])(options, domain));

    public static void ReleaseDomain(nint domain) => ((delegate* unmanaged<nint, void>)Functions[101])(domain);

    public static float FloatAttribute(nint info, string name)
    {
        float value;
        fixed (byte* text = Utf8(name)) Check(((delegate* unmanaged<nint, byte*, float*, nint>)Functions[85])(info, text, &value));
        return value;
    }

    public static long IntegerAttribute(nint info, string name)
    {
        long value;
        fixed (byte* text = Utf8(name)) Check(((delegate* unmanaged<nint, byte*, long*, nint>)Functions[86])(info, text, &value));
        return value;
    }

    public static float[] FloatsAttribute(nint info, string name) => ArrayAttribute<float>(162, info, name);

    public static long[] IntegersAttribute(nint info, string name) => ArrayAttribute<long>(163, info, name);

    /// <summary>An input of a node that runs; 0 where it is left out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Input(nint context, int index)
    {
        nint value;
        CheckQuickly(((delegate* unmanaged[SuppressGCTransition]<nint, nuint, nint*, nint>)Functions[90])(context, (nuint)index, &value));
        return value;
    }

    /// <summary>An output of a node that runs, which is made by this; 0 where nobody reads it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Output(nint context, int index, ReadOnlySpan<long> shape)
    {
        nint value;
        fixed (long* sizes = shape)
        {
            CheckQuickly(((delegate* unmanaged<nint, nuint, long*, nuint, nint*, nint>)Functions[91])(
                context, (nuint)index, sizes, (nuint)shape.Length, &value));
        }

        return value;
    }

    /// <summary>Where the numbers of a tensor lie.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float* Numbers(nint value)
    {
        float* numbers;
        CheckQuickly(((delegate* unmanaged[SuppressGCTransition]<nint, float**, nint>)Functions[51])(value, &numbers));
        return numbers;
    }

    /// <summary>The bytes of a tensor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Bytes(nint value)
    {
        nuint bytes;
        CheckQuickly(((delegate* unmanaged[SuppressGCTransition]<nint, nuint*, nint>)Functions[318])(value, &bytes));
        return (long)bytes;
    }

    /// <summary>Calls a function with 0, 1, … on the threads of the session.</summary>
    public static void InParallel(nint context, delegate* unmanaged<void*, nuint, void> function, int count, void* state) =>
        Check(((delegate* unmanaged<nint, delegate* unmanaged<void*, nuint, void>, nuint, nuint, void*, nint>)Functions[274])(
            context, function, (nuint)count, 0, state));

    /// <summary>What a callback returns where it failed.</summary>
    public static nint Status(string message)
    {
        fixed (byte* text = Utf8(message)) return ((delegate* unmanaged<int, byte*, nint>)Functions[0])(Fail, text);
    }

    private static T[] ArrayAttribute<T>(int function, nint info, string name)
        where T : unmanaged
    {
        var read = (delegate* unmanaged<nint, byte*, T*, nuint*, nint>)Functions[function];
        nuint count = 0;
        fixed (byte* text = Utf8(name))
        {
            Check(read(info, text, null, &count));
            var values = new T[count];
            fixed (T* to = values)
            {
                if (count > 0) Check(read(info, text, to, &count));
            }

            return values;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CheckQuickly(nint status)
    {
        if (status != 0) Check(status);
    }

    private static void Check(nint status)
    {
        if (status == 0) return;
        var message = Marshal.PtrToStringUTF8(((delegate* unmanaged<nint, nint>)Functions[2])(status));
        ((delegate* unmanaged<nint, void>)Functions[93])(status);
        throw new InvalidOperationException($"ONNX Runtime refused a call of an operator of our own: {message}");
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text + '\0');

    // OrtApiBase has GetApi, then GetVersionString. Another library than the one that is in use would have sessions of its own.
    private static nint* Find()
    {
        if (!NativeLibrary.TryLoad("onnxruntime", typeof(OrtEnv).Assembly, null, out var library)
            || !NativeLibrary.TryGetExport(library, "OrtGetApiBase", out var export)) return null;
        var functions = ((delegate* unmanaged<nint*>)export)();
        var version = Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)functions[1])());
        return version == OrtEnv.Instance().GetVersionString() ? ((delegate* unmanaged<uint, nint*>)functions[0])(Version) : null;
    }
}
