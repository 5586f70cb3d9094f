namespace MlNetBatchNorm;

/// <summary>What a network is trained to predict.</summary>
public enum LearningTask
{
    /// <summary>One of two classes, one of which is the positive one.</summary>
    Binary,

    /// <summary>One of two or more classes.</summary>
    Multiclass,

    /// <summary>A number.</summary>
    Regression,
}
