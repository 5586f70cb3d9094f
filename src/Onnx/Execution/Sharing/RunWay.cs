namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How the cores of a processor share the rows of a call.</summary>
internal enum RunWay
{
    /// <summary>They do not: the caller's thread does all.</summary>
    OneThread,

    /// <summary>Each takes rows and runs the whole model on them, as soon as it is free: nobody waits for another before the end.</summary>
    Divided,

    /// <summary>All share each operator: for few rows with large weights, of which each core then reads its part only.</summary>
    SharedOperators,
}
