using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.NamedColumns;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// Scores the rows of a table with a whole pipeline, whose inputs are its columns: cell by cell, as rows of a service are.
/// </summary>
internal sealed class PipelineScorer : IDisposable
{
    private readonly NamedModel _model;
    private readonly Dictionary<string, CellReading> _readings;

    private PipelineScorer(NamedModel model)
    {
        _model = model;
        var task = NetworkTask.Find(model.Outputs.Task)!;
        Task = TableTask.Of(task.Kind);
        _readings = model.Columns.All.ToDictionary(column => column.Name, column => column is NumberRowColumn numbers
            ? FeatureBinding.ReadingOf(numbers.Format)
            : CellReading.Text);
    }

    /// <summary>What is predicted.</summary>
    public TableTask Task { get; }

    /// <summary>The classes; none for regression.</summary>
    public IReadOnlyList<string> Classes => _model.Outputs.Labels;

    /// <summary>The device that is used, and why.</summary>
    public DeviceReport Device => _model.DeviceReport;

    /// <summary>Opens a model if its inputs are columns; null where they are not.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">What is in it.</param>
    /// <param name="settings">How to run it.</param>
    /// <exception cref="InvalidModelException">It does not say what it predicts.</exception>
    public static PipelineScorer? TryOpen(string path, ModelProto model, OnnxScorerOptions settings)
    {
        var map = ModelFile.GetMetadata(model, ModelMetadata.FeatureMap) is { } json ? FeatureMap.FromJson(json) : null;
        return NamedModel.IsPipeline(new OnnxModel(model).Inputs, map) ? new(NamedModel.Load(model, path, settings)) : null;
    }

    /// <summary>As what the cells of a column are best read.</summary>
    public CellReading ReadingOf(string column) => _readings.GetValueOrDefault(column, CellReading.None);

    /// <summary>Scores all rows of a table.</summary>
    /// <param name="table">The rows; columns that the model does not know are passed over.</param>
    /// <param name="note">Takes up what was not there in training.</param>
    /// <returns>One output after the other, each of them row by row.</returns>
    /// <exception cref="TableException">The table lacks columns, or has a text that cannot be a value of its column.</exception>
    public float[] Score(CsvTable table, Action<UnknownValues> note)
    {
        var columns = _model.Columns.All;
        if (columns.Select(column => column.Name).Where(name => table.Find(name) is null).ToList() is [_, ..] missing)
            throw FeatureBinding.Lacks(table, missing);
        TableColumn[] cells = [.. columns.Select(column => column is NumberRowColumn numbers
            ? table.Column(column.Name).ReadAs(numbers.Format)
            : table.Column(column.Name))];
        var (count, width) = (table.RowCount, _model.Outputs.Width);
        if (count == 0) return [];
        var parts = _model.Outputs.Outputs.Count;
        var values = new float[count * width];
        var size = Math.Min(count, _model.BatchSize);
        var lane = _model.Rent();
        try
        {
            lane.Reserve(size);
            for (var first = 0; first < count; first += size)
            {
                var rows = Math.Min(size, count - first);
                for (var i = 0; i < rows; i++)
                {
                    Read(first + i, lane.Cells);
                    lane.Put(i);
                }

                var result = lane.Run(rows);
                var part = width / parts;
                for (var output = 0; output < parts; output++)
                    result.Slice(output * rows * part, rows * part).CopyTo(values.AsSpan(((output * count) + first) * part));
            }

            return values;
        }
        finally
        {
            _model.Return(lane);
        }

        void Read(int row, RowCells into)
        {
            into.Begin();
            for (var i = 0; i < cells.Length; i++)
            {
                try
                {
                    if (columns[i] is NumberRowColumn && cells[i].Numbers is not null) columns[i].Number(into, cells[i].NumberAt(row));
                    else columns[i].Text(into, cells[i][row]);
                }
                catch (ColumnValueException exception)
                {
                    throw table.CellError(row, columns[i].Name, exception.Problem);
                }
            }

            foreach (var (column, value) in into.Unknown) note(new UnknownValues(column, 1, [value]));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _model.Dispose();
}
