namespace MlNetBatchNorm.Trainer;

/// <summary>Parameters of one role, stored one behind the other in one vector, so that an update can run over all of them at once.</summary>
/// <param name="Role">The role that they share.</param>
/// <param name="Parameters">The parameters, in the order of the layers.</param>
public sealed record ParameterGroup(ParameterRole Role, IReadOnlyList<Parameter> Parameters)
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

    /// <summary>The groups of a network that have any parameter.</summary>
    internal static IReadOnlyList<ParameterGroup> Of(Network network) =>
        [.. Enum.GetValues<ParameterRole>()
            .Select(role => new ParameterGroup(role, [.. network.Parameters.Where(parameter => parameter.Role == role)]))
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
