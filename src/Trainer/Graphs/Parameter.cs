namespace MlNetBatchNorm.Trainer.Graphs;

/// <summary>An array of numbers that a layer learns or keeps.</summary>
/// <param name="Name">
/// Its name in the layer (<c>weight</c>, <c>gamma</c>), or with the layer's name in front (<c>dense1.weight</c>).
/// </param>
/// <param name="Shape">Its shape.</param>
/// <param name="Role">How it is trained.</param>
/// <param name="Initializer">Its first values.</param>
internal sealed record Parameter(string Name, IReadOnlyList<long> Shape, ParameterRole Role, Initializer Initializer)
{
    /// <summary>The number of values.</summary>
    public int Count { get; } = checked((int)Shape.Aggregate(1L, (product, size) => product * size));
}

/// <summary>What a parameter is for, which decides how it is trained.</summary>
internal enum ParameterRole
{
    /// <summary>A weight matrix or kernel: trained, and the only role that weight decay shrinks.</summary>
    Weight,

    /// <summary>A scale or shift for each channel (gamma, beta, bias): trained, without weight decay.</summary>
    Affine,

    /// <summary>A running statistic: not trained by the optimizer but moved towards each batch's value.</summary>
    Statistic,
}

/// <summary>
/// Parameters of one role, stored one behind the other in one vector, so that an update can run over all of them at once.
/// </summary>
/// <param name="Role">The role that they share.</param>
/// <param name="Parameters">The parameters, in the order of the layers.</param>
internal sealed record ParameterGroup(ParameterRole Role, IReadOnlyList<Parameter> Parameters)
{
    /// <summary>The name of the group's vector in a training step: <c>weights</c>, <c>affine</c> or <c>statistics</c>.</summary>
    public string Name => Role switch
    {
        ParameterRole.Weight => "weights",
        ParameterRole.Affine => "affine",
        ParameterRole.Statistic => "statistics",
        _ => throw new InvalidOperationException($"Unknown role {Role}."),
    };

    /// <summary>The length of the vector.</summary>
    public int Count { get; } = Parameters.Sum(parameter => parameter.Count);

    /// <summary>The groups that have any of some parameters.</summary>
    internal static IReadOnlyList<ParameterGroup> Of(IReadOnlyList<Parameter> parameters) =>
        [.. Enum.GetValues<ParameterRole>()
            .Select(role => new ParameterGroup(role, [.. parameters.Where(parameter => parameter.Role == role)]))
            .Where(group => group.Count > 0)];

    /// <summary>Where a parameter starts in the vector.</summary>
    internal int OffsetOf(string parameterName)
    {
        var offset = 0;
        foreach (var parameter in Parameters)
        {
            if (parameter.Name == parameterName) return offset;
            offset += parameter.Count;
        }

        throw new ArgumentException($"The network has no parameter '{parameterName}'.", nameof(parameterName));
    }
}
