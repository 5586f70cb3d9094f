namespace MlNetBatchNorm.Transforms.Tables;

/// <summary>What a network is trained to predict from a table.</summary>
public enum TaskKind
{
    /// <summary>One of two classes, one of which is the positive one.</summary>
    Binary,

    /// <summary>One of two or more classes.</summary>
    Multiclass,

    /// <summary>A number.</summary>
    Regression,
}
