using Microsoft.ML.Data;

namespace Microsoft.ML.Rows;

/// <summary>Mappers one after another, each bound to the output of the one before.</summary>
internal sealed class MapperChain(DataViewSchema inputSchema, IReadOnlyList<IRowToRowMapper> mappers) : IRowToRowMapper
{
    public DataViewSchema InputSchema => inputSchema;

    public DataViewSchema OutputSchema => mappers.Count == 0 ? inputSchema : mappers[^1].OutputSchema;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
        => mappers.Reverse().Aggregate(dependingColumns, (columns, mapper) => mapper.GetDependencies(columns));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        // Each mapper need only make active what the next one reads.
        var active = new IEnumerable<DataViewSchema.Column>[mappers.Count];
        var needed = activeColumns;
        for (var i = mappers.Count - 1; i >= 0; i--)
        {
            active[i] = needed.ToArray();
            needed = mappers[i].GetDependencies(active[i]);
        }
        return mappers.Select((mapper, i) => (mapper, i)).Aggregate(input, (row, next) => next.mapper.GetRow(row, active[next.i]));
    }
}
