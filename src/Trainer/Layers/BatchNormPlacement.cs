namespace MlNetBatchNorm.Trainer;

/// <summary>Where a batch normalization stands in a hidden layer.</summary>
public enum BatchNormPlacement
{
    /// <summary>Between the weights and the activation, as in the paper; folds into the weights in front.</summary>
    BeforeActivation,

    /// <summary>Behind the activation, as many practitioners do; folds into the weights behind.</summary>
    AfterActivation,

    /// <summary>Nowhere: a plain network, for comparison.</summary>
    None,
}
