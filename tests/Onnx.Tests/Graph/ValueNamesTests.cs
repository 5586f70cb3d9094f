using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Graph;

public sealed class ValueNamesTests
{
    [Fact]
    public void Rename_ToNamesThatAreTaken_KeepsWhatTheGraphComputes()
    {
        // y = x · 3 + 1, where 3 is called like the output is to be called; x and y change places.
        var graph = new GraphBuilder("line");
        var x = graph.Input("x", DataType.Float, 1);
        var factor = graph.Initializer(TensorData.Create("z", [3f], 1));
        graph.Output("y", graph.Node("Add", [graph.Node("Mul", [x, factor]), graph.Constant(1f)]), DataType.Float, 1);
        var model = graph.Build();
        ValueNames.Rename(model.Graph, new Dictionary<string, string> { ["x"] = "y", ["y"] = "z" });
        using var session = OnnxSession.Load(model);
        var outputs = session.Run(new Dictionary<string, HostTensor> { ["y"] = HostTensor.Of([2f], 1) });
        Assert.Equal([7f], (float[])outputs["z"].Data);
    }

    [Fact]
    public void Rename_ValueReadByASubgraph_IsRenamedThereToo()
    {
        var graph = new GraphBuilder("choice");
        var x = graph.Input("x", DataType.Float, 1);
        var condition = graph.Input("c", DataType.Bool);
        graph.Output("y", graph.Node("If", [condition], ("then_branch", Branch("Neg")), ("else_branch", Branch("Abs"))), DataType.Float, 1);
        var model = graph.Build();
        ValueNames.Rename(model.Graph, new Dictionary<string, string> { ["x"] = "value" });
        using var session = OnnxSession.Load(model);
        foreach (var (chosen, expected) in new[] { (true, 5f), (false, 5f) })
        {
            var outputs = session.Run(new Dictionary<string, HostTensor>
            {
                ["value"] = HostTensor.Of([-5f], 1),
                ["c"] = new(DataType.Bool, [], new[] { chosen }),
            });
            Assert.Equal([expected], (float[])outputs["y"].Data);
        }

        static GraphProto Branch(string operation) => new()
        {
            Name = operation,
            Node = { new NodeProto { OpType = operation, Input = { "x" }, Output = { $"{operation}.result" } } },
            Output =
            {
                new ValueInfoProto
                {
                    Name = $"{operation}.result",
                    Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float } },
                },
            },
        };
    }
}
