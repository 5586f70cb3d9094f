using Google.Protobuf;
using Google.Protobuf.Collections;

namespace MlNetBatchNorm.Onnx.Proto;

// Copies that are equal to those of Clone, but take half the memory: Clone makes each list twice, and each with all the room that the
// original has. A model may have millions of nodes and constants.

internal sealed partial class ModelProto
{
    /// <summary>
    /// A copy that shares nothing with the original but the constants of its main graph, which are replaced and never changed in place.
    /// </summary>
    public ModelProto Copy()
    {
        var copy = new ModelProto
        {
            _hasBits0 = _hasBits0,
            irVersion_ = irVersion_,
            producerName_ = producerName_,
            producerVersion_ = producerVersion_,
            domain_ = domain_,
            modelVersion_ = modelVersion_,
            docString_ = docString_,
            graph_ = graph_?.Copy(),
            _unknownFields = UnknownFieldSet.Clone(_unknownFields),
        };
        copy.opsetImport_.AddRange(opsetImport_.Clone());
        copy.metadataProps_.AddRange(metadataProps_.Clone());
        copy.trainingInfo_.AddRange(trainingInfo_.Clone());
        copy.functions_.AddRange(functions_.Clone());
        return copy;
    }
}

internal sealed partial class GraphProto
{
    /// <summary>A copy as <see cref="ModelProto.Copy"/> makes it.</summary>
    public GraphProto Copy()
    {
        var copy = new GraphProto
        {
            name_ = name_,
            docString_ = docString_,
            _unknownFields = UnknownFieldSet.Clone(_unknownFields),
        };
        copy.node_.Capacity = node_.Count;
        for (var i = 0; i < node_.Count; i++) copy.node_.Add(node_[i].Copy());
        Copies.Add(initializer_, copy.initializer_);
        copy.sparseInitializer_.AddRange(sparseInitializer_.Clone());
        copy.input_.AddRange(input_.Clone());
        copy.output_.AddRange(output_.Clone());
        copy.valueInfo_.AddRange(valueInfo_.Clone());
        copy.quantizationAnnotation_.AddRange(quantizationAnnotation_.Clone());
        copy.metadataProps_.AddRange(metadataProps_.Clone());
        return copy;
    }
}

internal sealed partial class NodeProto
{
    /// <summary>A copy as <see cref="ModelProto.Copy"/> makes it.</summary>
    public NodeProto Copy()
    {
        var copy = new NodeProto
        {
            name_ = name_,
            opType_ = opType_,
            domain_ = domain_,
            overload_ = overload_,
            docString_ = docString_,
            _unknownFields = UnknownFieldSet.Clone(_unknownFields),
        };
        Copies.Add(input_, copy.input_);
        Copies.Add(output_, copy.output_);
        if (attribute_.Count > 0) copy.attribute_.AddRange(attribute_.Clone());
        if (metadataProps_.Count > 0) copy.metadataProps_.AddRange(metadataProps_.Clone());
        return copy;
    }
}

internal sealed partial class TensorProto
{
    /// <summary>The same constant under another name, with the same bytes.</summary>
    public TensorProto Renamed(string name)
    {
        var copy = new TensorProto
        {
            _hasBits0 = _hasBits0,
            dataType_ = dataType_,
            segment_ = segment_?.Clone(),
            name_ = name,
            docString_ = docString_,
            rawData_ = rawData_,
            dataLocation_ = dataLocation_,
            _unknownFields = UnknownFieldSet.Clone(_unknownFields),
        };
        Copies.Add(dims_, copy.dims_);
        Copies.Add(floatData_, copy.floatData_);
        Copies.Add(int32Data_, copy.int32Data_);
        Copies.Add(stringData_, copy.stringData_);
        Copies.Add(int64Data_, copy.int64Data_);
        Copies.Add(doubleData_, copy.doubleData_);
        Copies.Add(uint64Data_, copy.uint64Data_);
        if (externalData_.Count > 0) copy.externalData_.AddRange(externalData_.Clone());
        if (metadataProps_.Count > 0) copy.metadataProps_.AddRange(metadataProps_.Clone());
        return copy;
    }
}

/// <summary>Lists of what cannot be changed.</summary>
internal static class Copies
{
    /// <summary>Adds all of one list to an empty one, which gets no more room than it needs.</summary>
    public static void Add<T>(RepeatedField<T> from, RepeatedField<T> to)
    {
        if (from.Count == 0) return;
        to.Capacity = from.Count;
        to.AddRange(from);
    }
}
