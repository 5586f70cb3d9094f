namespace MlNetBatchNorm.Cli.Tables;

/// <summary>What the text of one cell can be read as.</summary>
internal enum CellKind
{
    /// <summary>No value.</summary>
    Missing,

    /// <summary>A finite number.</summary>
    Number,

    /// <summary>Infinity, or a number too large for a float.</summary>
    Infinite,

    /// <summary>Anything else.</summary>
    Text,
}
