namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>What TestProvider.c counts, in its order.</summary>
public enum TestCount
{
    CopiesIn,
    CopiesOut,
    DeviceBlocks,
    PinnedBlocks,
    Runs,
    Recorded,
    Replayed,
    Unrecorded,
    PinnedCopies,
}
