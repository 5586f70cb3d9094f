using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Onnx;

/// <summary>
/// Folds a model and judges every part that changed by itself. What loses digits is declined, and the model is folded again without it,
/// until all that is left holds.
/// </summary>
internal sealed class ProvenFold
{
    // A part that fails again and again is left alone as a whole.
    private const int SingleTries = 3;

    private readonly ModelProto _model;
    private readonly FoldOptions _options;
    private readonly double? _tolerance;
    private readonly IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? _data;
    private readonly Action<string, int, int>? _stage;
    private readonly CancellationToken _cancellation;
    private readonly FoldTrace _trace = new();
    private readonly Dictionary<NodeProto, PartProof> _causes = new(ReferenceEqualityComparer.Instance);
    private List<(ChangedPart Part, PartProof Proof)> _parts = [];

    private ProvenFold(
        ModelProto model, FoldOptions options, double? tolerance, IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? data,
        Action<string, int, int>? stage, CancellationToken cancellation) =>
        (_model, _options, _tolerance, _data, _stage, _cancellation) = (model, options, tolerance, data, stage, cancellation);

    /// <summary>What was folded, with the errors.</summary>
    public FoldResult Fold { get; private set; } = null!;

    /// <summary>Why parts cannot be computed by themselves; empty where all were judged.</summary>
    public IReadOnlyList<string> Unknown => [.. _parts.Select(part => part.Proof.WhyNot).OfType<string>()];

    /// <summary>Folds and judges.</summary>
    /// <param name="model">The model; it is left as it is.</param>
    /// <param name="options">How to fold.</param>
    /// <param name="tolerance">See <see cref="PartProof.Of"/>.</param>
    /// <param name="data">Sets of the model's inputs to judge on as well; null = none.</param>
    /// <param name="stage">See <see cref="FoldFileOptions.Stage"/>.</param>
    /// <param name="cancellationToken">Looked at between parts.</param>
    public static ProvenFold Run(
        ModelProto model,
        FoldOptions options,
        double? tolerance = null,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? data = null,
        Action<string, int, int>? stage = null,
        CancellationToken cancellationToken = default)
    {
        // What stands in functions is judged where it is called.
        var given = FunctionInlining.Of(model, "BatchNormalization").Model;
        var fold = new ProvenFold(given, options, tolerance, data, stage, cancellationToken);
        fold.FoldUntilProven();
        return fold;
    }

    /// <summary>Leaves alone what could not be judged.</summary>
    /// <param name="why">What else could not be done, as a clause; empty = nothing.</param>
    public void DeclineUnknown(string why)
    {
        foreach (var (part, proof) in _parts.Where(part => part.Proof.WhyNot is not null))
            Decline(part.Changed, $"its part of the graph cannot be computed by itself: {proof.WhyNot}{why}", proof, all: true);
        FoldUntilProven();
    }

    private void FoldUntilProven()
    {
        while (true)
        {
            // The nodes that a part changes say what became of it: the same ones have been judged.
            var known = _parts.Where(part => part.Part.Changed.Count > 0)
                .GroupBy(part => part.Part.Changed[0], ReferenceEqualityComparer.Instance)
                .ToDictionary(group => group.Key!, group => group.ToList(), ReferenceEqualityComparer.Instance);
            _stage?.Invoke("folding", 0, 0);
            Fold = BatchNormFolder.Fold(_model, _options, _trace);
            var changed = ChangedPart.Of(_trace).ToList();
            _parts = [.. changed.Zip(Prove(changed, [.. changed.Select(part => Known(part, known))]))];
            var failed = _parts.Where(part => !part.Proof.IsWithin && part.Proof.WhyNot is null).ToList();
            if (failed.Count == 0) break;
            foreach (var (part, proof) in failed)
                Decline(part.Changed, $"folding it would lose digits: {proof}", proof, all: part.Changed.Count(IsDeclined) >= SingleTries);
        }

        var proofs = new Dictionary<NodeProto, PartProof>(ReferenceEqualityComparer.Instance);
        foreach (var (part, proof) in _parts)
            foreach (var node in part.Changed) proofs[node] = proof;
        Fold = Fold with
        {
            BatchNorms = [.. Fold.BatchNorms.Select((outcome, i) => WithErrors(outcome, i, _trace.BatchNorms, proofs))],
            Chains = [.. Fold.Chains.Select((outcome, i) => WithErrors(outcome, i, _trace.Chains, proofs))],
        };
    }

    private PartProof[] Prove(List<ChangedPart> parts, PartProof?[] proofs)
    {
        var (number, gate) = (0, new Lock());
        // Those with many numbers one after the other: two of them would be in memory at once, and one keeps all cores busy.
        SideBySide.Do(parts.Count, i =>
        {
            if (proofs[i] is null && parts[i].IsSmall) Prove(i);
        });
        for (var i = 0; i < parts.Count; i++)
            if (proofs[i] is null) Prove(i);
        return proofs!;

        void Prove(int i)
        {
            lock (gate) _stage?.Invoke("proving each part", number++, parts.Count);
            _cancellation.ThrowIfCancellationRequested();
            proofs[i] = PartProof.Of(parts[i], _tolerance, _data);
        }
    }

    private static PartProof? Known(ChangedPart part, Dictionary<object, List<(ChangedPart Part, PartProof Proof)>> known) =>
        part.Changed.Count > 0 && known.TryGetValue(part.Changed[0], out var candidates)
            ? candidates.Where(other => other.Part.Changed.SequenceEqual(part.Changed, ReferenceEqualityComparer.Instance))
                .Select(other => other.Proof).FirstOrDefault()
            : null;

    private bool IsDeclined(NodeProto node) => _trace.Declined.ContainsKey(node);

    // The batch normalizations of a part one by one, the most suspicious first; then whatever else may have started a change.
    private void Decline(IReadOnlyList<NodeProto> changed, string reason, PartProof proof, bool all)
    {
        var open = changed.Where(node => !IsDeclined(node)).ToList();
        var batchNorms = open.Where(node => node.Is("BatchNormalization")).OrderByDescending(Suspicion).ToList();
        var declined = batchNorms.Count == 0 ? open : all ? batchNorms : batchNorms[..1];
        if (declined.Count == 0)
            throw new ModelVerificationException(
                $"Folding changed {string.Join(", ", changed.Select(node => node.Describe()))}, which it was to leave alone: {reason}.");
        foreach (var node in declined)
        {
            _trace.Declined.Add(node, reason);
            _causes.Add(node, proof);
        }
    }

    // How far the mean lies from zero in deviations, and the scale from one.
    private double Suspicion(NodeProto node)
    {
        if (!BatchNormReader.Read(node, new FoldPlan(_trace.Before.Main), out var map).IsYes) return double.MaxValue;
        var worst = 0.0;
        for (var c = 0; c < map.Count; c++)
        {
            var scale = Math.Abs(map.ScaleAt(c));
            worst = Math.Max(worst, Math.Max(Math.Abs(map.ShiftAt(c)), Math.Max(scale, scale > 0 ? 1 / scale : 0)));
        }

        return worst;
    }

    private BatchNormOutcome WithErrors(
        BatchNormOutcome outcome, int index, IReadOnlyList<NodeProto> nodes, Dictionary<NodeProto, PartProof> proofs)
    {
        if (index >= nodes.Count) return outcome;
        var node = nodes[index];
        var proof = _causes.GetValueOrDefault(node)
            ?? (outcome.Status == FoldStatus.Declined ? null : proofs.GetValueOrDefault(node));
        if (outcome.Status == FoldStatus.Declined && outcome.WouldFoldIf.Length == 0 && _causes.ContainsKey(node))
            outcome = outcome with { WouldFoldIf = "its mean lay nearer to zero beside its deviation, or the weights had a wider type" };
        return proof is null or { WhyNot: not null }
            ? outcome
            : outcome with { AbsoluteError = proof.Absolute, RelativeError = proof.Relative, RelativeErrorBefore = proof.Before };
    }
}
