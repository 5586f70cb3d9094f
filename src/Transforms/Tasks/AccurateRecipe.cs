namespace MlNetBatchNorm.Transforms.Tasks;

/// <summary>
/// The options that <see cref="Preset.Accurate"/> stands for. They were chosen by out-of-fold rows of the tables of docs/defaults.md.
/// </summary>
internal static class AccurateRecipe
{
    private const int MembersOfEnsemble = 8;
    private const int ManyRows = 10_000;
    private const int UsualEpochs = 40;
    private const int FewestSteps = 600;
    private const int MostSteps = 6000;
    private const int LeastPatience = 8;
    private const int EpochsPerPatience = 5;
    private const float DropoutRate = 0.05f;

    /// <summary>The options for a task and so many rows.</summary>
    public static BatchNormNetworkOptions For(LearningTask task, int rows)
    {
        var batch = rows >= ManyRows ? 256 : 128;
        var stepsOfEpoch = Math.Max(1, rows / (double)Math.Min(batch, Math.Max(rows, 1)));
        var wanted = Math.Max(UsualEpochs, Math.Ceiling(FewestSteps / stepsOfEpoch));
        var epochs = (int)Math.Max(1, Math.Min(wanted, MostSteps / stepsOfEpoch));
        return new BatchNormNetworkOptions
        {
            HiddenLayers = task == LearningTask.Multiclass ? [128, 64] : [64, 64],
            Activation = Activation.Silu,
            Members = MembersOfEnsemble,
            NumericEncoding = NumericEncoding.PiecewiseLinear(),
            TargetTransform = TargetTransform.Auto,
            Dropout = DropoutRate,
            HiddenDropout = DropoutRate,
            BatchSize = batch,
            Epochs = epochs,
            EarlyStoppingPatience = Math.Max(LeastPatience, epochs / EpochsPerPatience),
            ValidationFraction = 0,
            Optimizer = Optimizer.AdamW(2e-3f, 0.01f),
            Schedule = LearningRateSchedule.Cosine(),
        };
    }
}
