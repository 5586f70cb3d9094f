namespace MlNetBatchNorm;

/// <summary>
/// What options of a network mean that are left open: its shape, how numbers are encoded, how it is trained. An option that is given counts
/// as it is, whatever the preset. docs/defaults.md has what both bring and cost on real tables.
/// </summary>
public enum Preset
{
    /// <summary>
    /// An ensemble of eight members in one network, which learn from all rows but one fold each; numbers smoothly clipped and in
    /// piecewise-linear bins; the best epoch and the temperature by the out-of-fold predictions; skewed numbers learned as logarithms. For
    /// tables whose predictions matter: as good as gradient-boosted trees on most of them.
    /// </summary>
    Accurate,

    /// <summary>
    /// One small network on standardized features, with rows held out to stop by where there are classes. It trains in a fraction of the
    /// time and scores a row in a fraction of a microsecond to a few; a few per cent behind on smooth tables, far on those with thresholds.
    /// </summary>
    Fast,
}
