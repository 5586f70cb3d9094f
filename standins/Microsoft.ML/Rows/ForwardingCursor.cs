using Microsoft.ML.Data;

namespace Microsoft.ML.Rows;

/// <summary>A cursor whose values are those of another row.</summary>
internal abstract class ForwardingCursor(DataViewRow row) : DataViewRowCursor
{
    protected DataViewRow Row { get; } = row;

    public override long Position => Row.Position;

    public override long Batch => Row.Batch;

    public override DataViewSchema Schema => Row.Schema;

    public override ValueGetter<DataViewRowId> GetIdGetter() => Row.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => Row.IsColumnActive(column);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => Row.GetGetter<TValue>(column);

    protected override void Dispose(bool disposing)
    {
        Row.Dispose();
        base.Dispose(disposing);
    }
}
