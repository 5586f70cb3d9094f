using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace MlNetBatchNorm.StandIns.Tests;

internal sealed class Customer
{
    public string City { get; set; } = "";

    public float Age { get; set; }

    [VectorType(2)]
    public float[] Usage { get; set; } = [];

    public bool Label { get; set; }
}

internal sealed class CustomerOnFile
{
    [LoadColumn(0)]
    public string City { get; set; } = "";

    [LoadColumn(1)]
    public float Age { get; set; }

    [LoadColumn(2, 3)]
    [VectorType(2)]
    public float[] Usage { get; set; } = [];

    [LoadColumn(4)]
    [ColumnName("Label")]
    public bool Churned { get; set; }
}

internal sealed class Featurized
{
    public float[] Features { get; set; } = [];
}

internal sealed class Scored
{
    public bool Label { get; set; }

    public float Score { get; set; }

    public float Probability { get; set; }

    public bool PredictedLabel { get; set; }
}

internal sealed class AgeOnly
{
    public float Age { get; set; }
}

internal sealed class Doubled
{
    public float Twice { get; set; }

    public string Said { get; set; } = "";
}

/// <summary>Found by its contract when a model that names it is loaded.</summary>
[CustomMappingFactoryAttribute("twice")]
internal sealed class TwiceFactory : CustomMappingFactory<AgeOnly, Doubled>
{
    public static void Map(AgeOnly source, Doubled destination)
    {
        destination.Twice = 2 * source.Age;
        destination.Said = $"twice {source.Age}";
    }

    public override Action<AgeOnly, Doubled> GetMapping() => Map;
}
