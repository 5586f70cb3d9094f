using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Transforms.Rows;
using MlNetBatchNorm.Transforms.Training;

namespace MlNetBatchNorm.Transforms.Tasks;

/// <summary>What a task learns from: the columns of a view as rows, and what is made small on them.</summary>
internal sealed class TrainingInput
{
    private readonly NetworkTask _task;
    private readonly BatchNormNetworkOptions _options;

    /// <param name="task">What is predicted.</param>
    /// <param name="options">The options, as they were given.</param>
    /// <exception cref="ArgumentException">The loss is not one of the task.</exception>
    public TrainingInput(NetworkTask task, BatchNormNetworkOptions options)
    {
        (_task, _options) = (task, options);
        if (options.Loss is { } loss && loss.IsRegression != task.Loss.IsRegression)
            throw new ArgumentException(
                $"The loss '{loss.Kind}' is one for {(loss.IsRegression ? "numbers" : "classes")}, which the task {task.Name} does not "
                + "predict; leave Loss out, or use another.");
    }

    /// <summary>Finds the columns in a view.</summary>
    /// <exception cref="ArgumentException">One is missing, or has another type.</exception>
    public TrainingRowReader Open(IDataView data)
    {
        var reader = new TrainingRowReader(
            data,
            _options.LabelColumnName,
            _options.FeatureColumnName,
            _options.ExampleWeightColumnName,
            _options.Network?.InputShape,
            _options.UnusableRows,
            _options.RowMemory);
        Columns.RequireKnownSize(data, data.Schema[_options.FeatureColumnName]);
        var label = reader.Label;
        RequireLabelType(label.Name, label.Type.RawType, label.Type is KeyDataViewType, label.Type.ToString()!);
        return reader;
    }

    /// <summary>Reads the rows, and says what became of those that cannot be used.</summary>
    /// <param name="reader">The columns.</param>
    /// <param name="what">What they are for, as "training".</param>
    /// <param name="log">Who is told.</param>
    public TrainingData Read(TrainingRowReader reader, string what, TrainingLog log)
    {
        var rows = _task.ReadRows(reader, _options.CancellationToken);
        log.LeftOut(reader.LeftOut, what);
        log.InFile(rows, what);
        return rows;
    }

    /// <summary>What is made small.</summary>
    /// <param name="rows">The rows to learn from.</param>
    /// <param name="classes">The classes of their label.</param>
    /// <param name="chosen">The loss; null = that of the task.</param>
    public Loss CreateLoss(TrainingData rows, ClassLabels classes, Loss? chosen)
    {
        var loss = chosen ?? _task.Loss;
        return _options.ClassWeights is { } weights ? loss.WithClassWeights(weights.For(classes.Texts, rows)) : loss;
    }

    /// <summary>Rejects a label column of another type than the task's.</summary>
    /// <exception cref="ArgumentException">It is one.</exception>
    public void RequireLabelType(string name, Type rawType, bool isKey, string type)
    {
        if (!_task.TakesLabel(rawType, isKey))
            throw new ArgumentException($"The label column '{name}' has the type {type}; {_task.ExpectedLabel.Advice}");
    }
}
