using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>Scores one row at a time: what <c>PredictionEngine</c> uses.</summary>
internal sealed class ScoringRowMapper : IRowToRowMapper
{
    private readonly RowScoring _scoring;
    private readonly DataViewSchema.Column[] _inputs;

    public ScoringRowMapper(DataViewSchema input, RowScoring scoring)
    {
        _scoring = scoring;
        _inputs = scoring.RequireInputs(input);
        InputSchema = input;
        OutputSchema = scoring.OutputSchema(input);
    }

    public DataViewSchema InputSchema { get; }

    public DataViewSchema OutputSchema { get; }

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
    {
        var needed = new bool[InputSchema.Count];
        foreach (var column in dependingColumns)
        {
            if (column.Index < InputSchema.Count) needed[column.Index] = true;
            else foreach (var input in _inputs) needed[input.Index] = true;
        }

        return InputSchema.Where(column => needed[column.Index]);
    }

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        var active = new bool[OutputSchema.Count];
        foreach (var column in activeColumns) active[column.Index] = true;
        return new ScoredRow(input, OutputSchema, active, _scoring);
    }
}
