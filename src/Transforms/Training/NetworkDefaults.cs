using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// The options that depend on the task, where the user has left them open. They were chosen by the figures on a table of each kind (see
/// <c>sample-data</c>), over several seeds.
/// </summary>
internal static class NetworkDefaults
{
    /// <summary>The options with every open one filled in.</summary>
    public static BatchNormNetworkOptions Complete(BatchNormNetworkOptions options, TaskKind task)
    {
        var open = For(task);
        return options with
        {
            HiddenLayers = options.HiddenLayers ?? open.HiddenLayers,
            Activation = options.Activation ?? open.Activation,
            Dropout = options.Dropout ?? open.Dropout,
            Epochs = options.Epochs ?? open.Epochs,
            Patience = options.Patience ?? open.Patience,
            ValidationFraction = options.ValidationFraction ?? open.ValidationFraction,
            Optimizer = options.Optimizer ?? open.Optimizer,
            Schedule = options.Schedule ?? open.Schedule,
        };
    }

    private static BatchNormNetworkOptions For(TaskKind task) => task switch
    {
        // Sigmoid, as in the paper's own experiments, overfits less than relu where labels are as noisy as people's decisions.
        TaskKind.Binary => new()
        {
            HiddenLayers = [64, 32],
            Activation = Activation.Sigmoid,
            Dropout = 0,
            Epochs = 30,
            Patience = 8,
            ValidationFraction = 0.1,
            Optimizer = Optimizer.AdamW(1e-3f),
            Schedule = LearningRateSchedule.Constant,
        },

        // A cosine is laid out over all epochs, so there is nothing to be gained from stopping early.
        TaskKind.Multiclass => new()
        {
            HiddenLayers = [256, 128],
            Activation = Activation.Relu,
            Dropout = 0,
            Epochs = 30,
            Patience = 0,
            ValidationFraction = 0.1,
            Optimizer = Optimizer.AdamW(3e-3f),
            Schedule = LearningRateSchedule.Cosine(),
        },

        // No rows held out: the best epoch on a few hundred rows is chance where single rows can be far off, and the rows are worth more in training.
        TaskKind.Regression => new()
        {
            HiddenLayers = [128, 64],
            Activation = Activation.Relu,
            Dropout = 0.5f,
            Epochs = 60,
            Patience = 0,
            ValidationFraction = 0,
            Optimizer = Optimizer.AdamW(3e-3f),
            Schedule = LearningRateSchedule.Cosine(),
        },
        _ => throw new ArgumentOutOfRangeException(nameof(task), task, "There is no such task."),
    };
}
