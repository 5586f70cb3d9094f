namespace MlNetBatchNorm.Transforms;

/// <summary>The names of the tasks on the command line, in reports and in the metadata of models.</summary>
public static class TaskNames
{
    /// <summary>All names.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Enum.GetValues<TaskKind>().Select(NameOf)];

    /// <summary>The name of a task: <c>binary</c>, <c>multiclass</c> or <c>regression</c>.</summary>
    public static string NameOf(TaskKind task) => task.ToString().ToLowerInvariant();

    /// <summary>The task of a name; null where there is no such task.</summary>
    public static TaskKind? Find(string? name)
    {
        foreach (var task in Enum.GetValues<TaskKind>())
            if (NameOf(task) == name) return task;
        return null;
    }
}
