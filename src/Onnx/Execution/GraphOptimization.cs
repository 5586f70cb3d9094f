namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How much ONNX Runtime rewrites a graph while it loads it.</summary>
public enum GraphOptimization
{
    /// <summary>Nothing: the graph runs as it is written. What a verification needs.</summary>
    None,

    /// <summary>Constant folding and removal of nodes that do nothing.</summary>
    Basic,

    /// <summary>Also fusions for the chosen device.</summary>
    Extended,

    /// <summary>Also memory layouts.</summary>
    All,
}
