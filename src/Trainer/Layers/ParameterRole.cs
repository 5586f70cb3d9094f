namespace MlNetBatchNorm.Trainer;

/// <summary>What a parameter is for, which decides how it is trained.</summary>
public enum ParameterRole
{
    /// <summary>A weight matrix or kernel: trained, and the only role that weight decay shrinks.</summary>
    Weight,

    /// <summary>A scale or shift for each channel (gamma, beta, bias): trained, without weight decay.</summary>
    Affine,

    /// <summary>A running statistic: not trained by the optimizer but moved towards each batch's value.</summary>
    Statistic,
}
