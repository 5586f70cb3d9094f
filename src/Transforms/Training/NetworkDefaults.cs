using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>The options that depend on the task, where the user has left them open.</summary>
internal static class NetworkDefaults
{
    /// <summary>The options with every open one filled in.</summary>
    public static BatchNormNetworkOptions Complete(BatchNormNetworkOptions options, TaskKind task) => options with
    {
        HiddenLayers = options.HiddenLayers ?? HiddenLayers(task),
        Activation = options.Activation ?? Activation(task),
        Optimizer = options.Optimizer ?? Optimizer(task),
        Schedule = options.Schedule ?? Schedule(task),
        Dropout = options.Dropout ?? (task == TaskKind.Regression ? 0.5f : 0),
        BatchSize = options.BatchSize ?? (task == TaskKind.Regression ? 64 : 128),
        Epochs = options.Epochs ?? (task == TaskKind.Regression ? 60 : 30),
        Patience = options.Patience ?? (task == TaskKind.Binary ? 8 : 0),
    };

    public static IReadOnlyList<int> HiddenLayers(TaskKind task) => task == TaskKind.Binary ? [64, 32] : [256, 128];

    // Sigmoid, as in the paper's own experiments, overfits less on tables with two classes and a few thousand rows.
    public static Activation Activation(TaskKind task) => task == TaskKind.Binary ? Trainer.Activation.Sigmoid : Trainer.Activation.Relu;

    public static Optimizer Optimizer(TaskKind task) => Trainer.Optimizer.AdamW(task == TaskKind.Binary ? 1e-3f : 3e-3f);

    public static Schedule Schedule(TaskKind task) => task == TaskKind.Binary ? Trainer.Schedule.Constant : Trainer.Schedule.Cosine();
}
