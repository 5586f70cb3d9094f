namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>Whether something can be done; if not, a clause that says why ("'relu1' is not linear").</summary>
/// <param name="Reason">Null when it can be done.</param>
internal readonly record struct Verdict(string? Reason)
{
    public static Verdict Yes => default;

    public bool IsYes => Reason is null;

    public static Verdict No(string reason) => new(reason);
}
