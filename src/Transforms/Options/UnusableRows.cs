namespace MlNetBatchNorm;

/// <summary>
/// What <c>Fit</c> does with a row that it cannot learn from: one with a feature that is not a finite number, a label that is missing (key
/// 0) or not a finite number, or a weight that is negative or not a finite number.
/// </summary>
public enum UnusableRows
{
    /// <summary>Ends with an error that names row and column: nothing is left out unnoticed.</summary>
    Fail,

    /// <summary>Leaves the row out, as ML.NET's own trainers do, and says in a warning how many were left out.</summary>
    Skip,
}
