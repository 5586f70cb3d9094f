using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// The form in which a network is saved by ML.NET. A transformer of ours cannot write a model of its own (ModelSaveContext has no public
/// members for that), so the saving is left to ML.NET's transformers that do the same: the ONNX model, the mapping of its vector to scalar
/// columns, and the removal of the vector.
/// </summary>
internal static class SavedNetwork
{
    public static void SaveBinary(ModelSaveContext context, ModelProto folded, string featureColumn, int features)
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.onnx");
        try
        {
            ModelFile.Write(WithOneOutput(folded, featureColumn), path);
            var ml = new MLContext();
            var schema = SchemaDefinition.Create(typeof(FeatureRow));
            var column = schema[nameof(FeatureRow.Values)];
            column.ColumnName = featureColumn;
            column.ColumnType = new VectorDataViewType(NumberDataViewType.Single, features);
            var empty = ml.Data.LoadFromEnumerable(Array.Empty<FeatureRow>(), schema);

            // ML.NET runs an unknown first dimension as 1: one row at a time.
            var chain = ml.Transforms.ApplyOnnxModel([BinaryNetworkOutput.ColumnName], [featureColumn], path)
                .Append(ml.Transforms.CustomMapping<BinaryNetworkOutput, BinaryPrediction>(BinaryPredictionMapping.Map, BinaryPredictionMapping.ContractName))
                .Append(ml.Transforms.DropColumns(BinaryNetworkOutput.ColumnName))
                .Fit(empty);
            using (chain) ((ICanSaveModel)chain).Save(context);
        }
        finally
        {
            File.Delete(path);
        }
    }

    // ML.NET takes the names of columns from the model, and cannot read outputs that are scalars: the input gets the name of the feature
    // column, and logit and probability become one vector.
    private static ModelProto WithOneOutput(ModelProto folded, string featureColumn)
    {
        var model = folded.Clone();
        var graph = model.Graph;
        foreach (var node in graph.Node)
            for (var i = 0; i < node.Input.Count; i++)
                if (node.Input[i] == TrainedNetwork.FeaturesInput) node.Input[i] = featureColumn;
        graph.Input.Single(input => input.Name == TrainedNetwork.FeaturesInput).Name = featureColumn;

        graph.Node.Add(new NodeProto
        {
            OpType = "Concat",
            Name = BinaryNetworkOutput.ColumnName,
            Input = { TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput },
            Output = { BinaryNetworkOutput.ColumnName },
            Attribute = { new AttributeProto { Name = "axis", Type = AttributeProto.Types.AttributeType.Int, I = 1 } },
        });
        var output = graph.Output.Single(output => output.Name == TrainedNetwork.ScoreOutput).Clone();
        output.Name = BinaryNetworkOutput.ColumnName;
        output.Type.TensorType.Shape.Dim[1].DimValue = 2;
        graph.Output.Clear();
        graph.Output.Add(output);
        return model;
    }

    private sealed class FeatureRow
    {
        public float[] Values { get; set; } = [];
    }
}
