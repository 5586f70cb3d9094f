using Microsoft.ML.OnnxRuntime;
using Microsoft.Win32.SafeHandles;
using MlNetBatchNorm.Onnx.Execution.Devices;

namespace MlNetBatchNorm.Onnx.Execution.Operators;

/// <summary>
/// Operators of our own under a common name, as ONNX Runtime's sessions know them. Sessions hold bare pointers to it, so whoever makes one
/// keeps this as long (<see cref="ExecutionOptions.Operators"/> does).
/// </summary>
internal sealed unsafe class OperatorDomain : SafeHandleZeroOrMinusOneIsInvalid
{
    // ONNX Runtime writes the names of domains into a table that all sessions of a process share.
    private static readonly Lock Names = new();

    private readonly List<nint> _structures = [];
    private volatile bool _isKnown;

    private OperatorDomain(string name, int version)
        : base(ownsHandle: true) => (Name, Version) = (name, version);

    /// <summary>The name of the domain in models.</summary>
    public string Name { get; }

    /// <summary>The version that models import. A change of what an operator computes is another version.</summary>
    public int Version { get; }

    /// <summary>Makes a domain.</summary>
    /// <param name="name">Its name in models.</param>
    /// <param name="version">Its version.</param>
    /// <param name="operators">What is in it.</param>
    /// <returns>The domain; null where the native library does not know the interface that operators of our own need.</returns>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing or cannot be used.</exception>
    public static OperatorDomain? Create(string name, int version, params IReadOnlyList<OwnOperator> operators)
    {
        NativeRuntime.Require();
        if (!RuntimeInterface.IsThere) return null;
        var domain = new OperatorDomain(name, version);
        domain.SetHandle(RuntimeInterface.CreateDomain(name));
        foreach (var own in operators)
        {
            var structure = own.Describe();
            domain._structures.Add((nint)structure);
            RuntimeInterface.AddToDomain(domain.handle, structure);
        }

        return domain;
    }

    /// <summary>Makes the operators known to sessions that are made with some options.</summary>
    public void AddTo(SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        RuntimeInterface.AddDomain(options.DangerousGetHandle(), handle);
    }

    /// <summary>Makes a session with the operators, the first one while nobody else makes a first one.</summary>
    /// <remarks>
    /// ONNX Runtime looks whether it knows the domain and then adds it, in two steps: of two sessions that are made at once by the first
    /// that have it, one would fail.
    /// </remarks>
    public InferenceSession Introduce(Func<InferenceSession> open)
    {
        if (_isKnown) return open();
        lock (Names)
        {
            var session = open();
            _isKnown = true;
            return session;
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        RuntimeInterface.ReleaseDomain(handle);
        foreach (var structure in _structures) OwnOperator.Free((nint*)structure);
        return true;
    }
}
