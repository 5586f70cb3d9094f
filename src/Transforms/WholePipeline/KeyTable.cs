using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>The values that the keys of a column stand for: at index 0 what a missing key becomes, then one for each key.</summary>
internal sealed class KeyTable
{
    private const string KeyValues = "KeyValues";

    private readonly DataType _type;
    private readonly Array _values;

    private KeyTable(DataType type, Array values) => (_type, _values) = (type, values);

    /// <summary>The table of a key column; null for a column without keys, or keys without values.</summary>
    public static KeyTable? Of(DataViewSchema.Column column)
    {
        var item = column.Type is VectorDataViewType columnVector ? columnVector.ItemType : column.Type;
        if (item is not KeyDataViewType) return null;
        var values = column.Annotations.Schema.GetColumnOrNull(KeyValues)?.Type;
        if (values is not VectorDataViewType { ItemType: var type } vector || vector.Size == 0) return null;
        if (ColumnTensor.TypeOf(type) is DataType.Undefined) return null;
        return (KeyTable)typeof(KeyTable).GetMethod(nameof(Read), BindingFlags.NonPublic | BindingFlags.Static)!
            .MakeGenericMethod(type.RawType).Invoke(null, [column, ColumnTensor.TypeOf(type)])!;
    }

    /// <summary>The element type of the values.</summary>
    public DataType Type => _type;

    /// <summary>Emits the values of keys.</summary>
    /// <param name="nodes">The graph.</param>
    /// <param name="keys">The keys, of any whole-number type; the result has their shape.</param>
    public Value Emit(GraphBuilder nodes, Value keys)
    {
        var indices = nodes.Named("indices", "Cast", [keys], ("to", (long)DataType.Int64));
        return nodes.Named(
            "value", "Gather", [nodes.Initializer(TensorData.FromArray("values", _type, _values, _values.Length)), indices], ("axis", 0));
    }

    /// <summary>The values of keys.</summary>
    public HostTensor Look(HostTensor keys)
    {
        var values = Array.CreateInstance(_values.GetType().GetElementType()!, keys.Data.Length);
        for (var i = 0; i < values.Length; i++)
            values.SetValue(_values.GetValue(Convert.ToInt64(keys.Data.GetValue(i), System.Globalization.CultureInfo.InvariantCulture)), i);
        return new HostTensor(_type, keys.Shape, values);
    }

    private static KeyTable Read<T>(DataViewSchema.Column column, DataType type)
    {
        VBuffer<T> values = default;
        column.GetKeyValues(ref values);
        var all = values.DenseValues();
        return all is IEnumerable<ReadOnlyMemory<char>> texts
            ? new KeyTable(type, (string[])[string.Empty, .. texts.Select(text => text.ToString())])
            : new KeyTable(type, (T[])[Missing<T>(), .. all]);
    }

    // As MapKeyToValue has it: a missing key is a missing value, and 0 where the type has none.
    private static T Missing<T>() =>
        typeof(T) == typeof(float) ? (T)(object)float.NaN : typeof(T) == typeof(double) ? (T)(object)double.NaN : default!;
}
