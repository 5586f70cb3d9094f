using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// The operators of our own that a training step on the CPU is made of where ONNX Runtime would need a dozen nodes for each. The plain
/// graph computes the same, on every device; exported models never have them.
/// </summary>
internal static class TrainingOperators
{
    /// <summary>The domain of the operators in the model of a training step.</summary>
    public const string Name = "mlnetbn.training";

    /// <summary>The version of the domain: a change of what comes out, in its last digits, too, is another one.</summary>
    public const int Version = 2;

    private static readonly Lazy<OperatorDomain?> Made = new(() => OperatorDomain.Create(
        Name,
        Version,
        new BatchNormOperator(),
        new BatchNormGradientOperator(),
        new DropoutOperator(),
        new EncodedProductOperator(),
        new EncodedGradientOperator(),
        new LossOperator(),
        new UpdateOperator(),
        new ConvolutionOperator(),
        new ConvolutionGradientOperator(),
        new MaxPoolGradientOperator(),
        new BatchNormOperator(ofRanks: true),
        new BatchNormGradientOperator(ofRanks: true),
        new SumOperator(),
        new UpdateOperator(ofRanks: true)));

    /// <summary>The operators; null where the native library does not know the interface that they need. For the whole process.</summary>
    public static OperatorDomain? Domain => Made.Value;
}
