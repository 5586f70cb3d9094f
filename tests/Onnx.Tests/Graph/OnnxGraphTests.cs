using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Graph;

public sealed class OnnxGraphTests
{
    [Fact]
    public void Upgrade_NameForMovedAxesIsTaken_GivesAModelThatRuns()
    {
        // Squeeze's axes become an input; the obvious name for it, s_axes, is that of another node's output.
        var graph = new GraphBuilder("axes", 12);
        var x = graph.Input("x", DataType.Float, 2, 1);
        var other = graph.Named("s_axes", "Identity", [x]);
        var squeezed = graph.Named("s", "Squeeze", [x], ("axes", new long[] { 1 }));
        graph.Output("y", graph.Node("Relu", [other]), DataType.Float, 2, 1);
        graph.Output("z", graph.Node("Neg", [squeezed]), DataType.Float, 2);
        var model = graph.Build();
        var upgraded = OperatorSetUpgrade.Upgrade(model, 17);
        GraphChecker.Check(upgraded);
        var input = new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([-1f, 2f], 2, 1) };
        using var session = OnnxSession.Load(upgraded);
        var outputs = session.Run(input);
        Assert.Equal([0f, 2f], (float[])outputs["y"].Data);
        Assert.Equal([1f, -2f], (float[])outputs["z"].Data);
        Assert.Equal([2L], outputs["z"].Shape);
    }

    [Fact]
    public void Fresh_NameIsTakenAnywhere_IsAnother()
    {
        var graph = new GraphBuilder("names");
        var x = graph.Input("input", DataType.Float, 1);
        var chosen = Choose(graph, Branch("inner", "Neg", "input"), Branch("else", "Abs", "input"));
        var product = graph.Node("Mul", [x, graph.Initializer(TensorData.Create("constant", [3f], 1))]);
        graph.Output("output", graph.Node("Add", [chosen, product]), DataType.Float, 1);
        var model = graph.Build();
        model.Graph.Node[1].Name = "node";
        var editor = new ModelEditor(model);
        foreach (var taken in new[] { "input", "output", "constant", "inner", "node", "Mul", "If" })
            Assert.Equal($"{taken}_2", editor.Main.Fresh(taken));
        Assert.Equal("free", editor.Main.Fresh("free"));
        Assert.Equal("free_2", editor.Main.Fresh("free"));
        // A node that is added brings the names inside of it along.
        editor.Main.Add(new NodeProto
        {
            OpType = "If",
            Name = "late",
            Input = { "c" },
            Output = { "later" },
            Attribute = { ((NodeArgument)("then_branch", Branch("deep", "Neg", "input"))).Proto },
        });
        Assert.Equal("deep_2", editor.Main.Fresh("deep"));
    }

    [Fact]
    public void Readers_OfAValueReadInASubgraph_AreUpToDateAfterChangesInside()
    {
        var graph = new GraphBuilder("captures");
        var x = graph.Named("h", "Neg", [graph.Input("x", DataType.Float, 1)]);
        var chosen = Choose(graph, Branch("a", "Neg", "h"), Branch("b", "Abs", "h"));
        graph.Output("y", graph.Node("Add", [chosen, x]), DataType.Float, 1);
        var editor = new ModelEditor(graph.Build());
        var (main, branch) = (editor.Main, editor.Graphs[1]);
        var (choice, sum) = (main.Nodes.Single(node => node.OpType == "If"), main.Nodes.Single(node => node.OpType == "Add"));
        Assert.Equal([(choice, true), (choice, true), (sum, false)], main.Readers("h").Select(use => (use.Node, use.IsCapture)));
        Assert.Equal([1, 2], [main.Subgraphs(choice).Count - 1, editor.Graphs.Count - 1]);
        branch.SetInput(branch.Nodes.First(), 0, "x");
        Assert.Equal([(choice, true), (sum, false)], main.Readers("h").Select(use => (use.Node, use.IsCapture)));
        Assert.Equal("'x' is also read inside If 'If'", main.WhyOthersRead("x", main.Nodes.First(), 0));
        main.Remove(choice);
        Assert.Equal([sum], main.Readers("h").Select(use => use.Node));
        Assert.Null(main.WhyOthersRead("x", main.Nodes.First(), 0));
        Assert.Single(editor.Graphs);
    }

    [Fact]
    public void Finish_ValuesThatLostTheirLastReader_GoWithAllThatOnlyTheyNeeded()
    {
        var graph = new GraphBuilder("orphans");
        var x = graph.Input("x", DataType.Float, 1);
        var k = graph.Initializer(TensorData.Create("k", [2f], 1));
        var shared = graph.Initializer(TensorData.Create("shared", [3f], 1));
        var chain = graph.Named("chain", "Mul", [graph.Named("first", "Add", [x, k]), shared]);
        graph.Output("y", graph.Named("last", "Add", [chain, shared]), DataType.Float, 1);
        var model = graph.Build();
        var editor = new ModelEditor(model);
        var last = editor.Main.Nodes.Last();
        editor.Main.SetInput(last, 0, "x");
        editor.Finish();
        Assert.Equal([last], model.Graph.Node);
        Assert.Equal(["shared"], model.Graph.Initializer.Select(tensor => tensor.Name));
        using var session = OnnxSession.Load(model);
        Assert.Equal([4f], (float[])session.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([1f], 1) })["y"].Data);
    }

    [Fact]
    public void Prune_SomeOutputs_KeepsWhatTheyNeedAlsoInsideSubgraphs()
    {
        var graph = new GraphBuilder("prune");
        var x = graph.Input("x", DataType.Float, 1);
        var unread = graph.Input("unread", DataType.Float, 1);
        graph.Named("captured", "Neg", [x]);
        var chosen = Choose(graph, Branch("a", "Neg", "captured"), Branch("b", "Abs", "x"));
        graph.Output("kept", chosen, DataType.Float, 1);
        graph.Output("gone", graph.Node("Mul", [unread, graph.Initializer(TensorData.Create("w", [2f], 1))]), DataType.Float, 1);
        var model = graph.Build();
        ModelEditor.Prune(model, ["kept"]);
        Assert.Equal(["Neg", "If", "Identity"], model.Graph.Node.Select(node => node.OpType));
        Assert.Equal(["x", "c"], model.Graph.Input.Select(input => input.Name));
        Assert.Empty(model.Graph.Initializer);
        using var session = OnnxSession.Load(model);
        Assert.Equal("kept", session.Outputs.Single().Name);
    }

    [Fact]
    public void ReplaceByStandard_NamesOfItsOwnNodesAreTaken_GivesAModelThatRuns()
    {
        // The value between Sub and BatchNormalization would be called like another node's output.
        var graph = new GraphBuilder("scaler");
        var x = graph.Input("x", DataType.Float, TensorDimension.Rows, 2);
        var other = graph.Named("y_centered", "Neg", [x]);
        graph.Output("z", other, DataType.Float, TensorDimension.Rows, 2);
        var model = graph.Build();
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "ai.onnx.ml", Version = 2 });
        model.Graph.Node.Insert(0, new NodeProto
        {
            OpType = "Scaler",
            Domain = "ai.onnx.ml",
            Name = "scaler",
            Input = { "x" },
            Output = { "y" },
            Attribute = { ((NodeArgument)("offset", new[] { 1000f, 2000f })).Proto, ((NodeArgument)("scale", new[] { 2f, 4f })).Proto },
        });
        model.Graph.Node.Insert(1, new NodeProto { OpType = "Identity", Name = "y_scale", Input = { "x" }, Output = { "y_scale" } });
        model.Graph.Output.Add(ValueInfo.Of("y", DataType.Float, TensorDimension.Rows, 2));
        model.Graph.Output.Add(ValueInfo.Of("y_scale", DataType.Float, TensorDimension.Rows, 2));
        MachineLearningOperators.ReplaceByStandard(model);
        GraphChecker.Check(model);
        using var session = OnnxSession.Load(model);
        var outputs = session.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([1001f, 2003f], 1, 2) });
        Assert.Equal([2f, 12f], (float[])outputs["y"].Data);
        Assert.Equal([1001f, 2003f], (float[])outputs["y_scale"].Data);
    }

    [Fact]
    public void Vacate_NameOfAValueAndItsNode_GivesThemAnother()
    {
        var graph = new GraphBuilder("vacate");
        var x = graph.Input("x", DataType.Float, 1);
        graph.Output("y", graph.Node("Add", [graph.Named("wanted", "Neg", [x]), x]), DataType.Float, 1);
        var model = graph.Build();
        ValueNames.Vacate(model.Graph, "wanted");
        ValueNames.Vacate(model.Graph, "nobody's");
        Assert.Equal(("wanted_2", "wanted_2"), (model.Graph.Node[0].Output[0], model.Graph.Node[0].Name));
        using var session = OnnxSession.Load(model);
        Assert.Equal([0f], (float[])session.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([3f], 1) })["y"].Data);
    }

    private static GraphProto Branch(string name, string operation, string input)
    {
        var output = ValueInfo.Of(name, DataType.Float);
        output.Type.TensorType.Shape = null;
        return new GraphProto
        {
            Name = name,
            Node = { new NodeProto { OpType = operation, Name = name, Input = { input }, Output = { name } } },
            Output = { output },
        };
    }

    private static Value Choose(GraphBuilder graph, GraphProto then, GraphProto otherwise) =>
        graph.Node("If", [graph.Input("c", DataType.Bool)], ("then_branch", then), ("else_branch", otherwise));

    [Fact]
    public void NodeList_ManyRandomEdits_KeepsTheOrderOfAPlainList()
    {
        var random = new Random(3);
        for (var round = 0; round < 50; round++)
        {
            var given = Enumerable.Range(0, random.Next(6)).Select(_ => new NodeProto()).ToList();
            var (nodes, expected) = (new NodeList([.. given]), given);
            for (var edit = 0; edit < 40; edit++)
            {
                // Nodes are equal in content, so that only references tell them apart; null is the place in front of all, or behind.
                var place = random.Next(expected.Count + 1);
                var at = place < expected.Count ? expected[place] : null;
                var added = new NodeProto();
                switch (random.Next(4))
                {
                    case 0 when at is not null:
                        nodes.Remove(at);
                        expected.RemoveAt(place);
                        Assert.False(nodes.Contains(at));
                        break;
                    case 1:
                        nodes.AddBehind(at, added);
                        expected.Insert(at is null ? 0 : place + 1, added);
                        break;
                    case 2:
                        nodes.AddBefore(at, added);
                        expected.Insert(place, added);
                        break;
                    case 3 when at is not null:
                        Assert.Same(place == 0 ? null : expected[place - 1], nodes.Previous(at));
                        // One that is taken out may come back somewhere else.
                        nodes.Remove(at);
                        nodes.AddBehind(null, at);
                        expected.RemoveAt(place);
                        expected.Insert(0, at);
                        break;
                }

                Assert.Equal(expected.Count, nodes.Count);
                Assert.Equal(expected, nodes, ReferenceEqualityComparer.Instance);
                Assert.Equal(expected.AsEnumerable().Reverse(), nodes.Backwards(), ReferenceEqualityComparer.Instance);
                Assert.All(expected, node => Assert.True(nodes.Contains(node)));
            }

            foreach (var node in nodes.Backwards()) nodes.Remove(node);
            Assert.Empty(nodes);
            Assert.Throws<ArgumentException>(() => nodes.Remove(new NodeProto()));
        }
    }

    [Fact]
    public void Uses_ManyRandomEdits_KeepTheOrderOfAPlainList()
    {
        var random = new Random(5);
        var nodes = Enumerable.Range(0, 40).Select(_ => new NodeProto()).ToArray();
        var (uses, expected) = (default(Uses), new List<Use>());
        for (var edit = 0; edit < 5000; edit++)
        {
            // A subgraph may read a value at several places, which are the same use; no node reads one twice at the same input.
            var use = new Use(nodes[random.Next(nodes.Length)], random.Next(-1, 3));
            var last = expected.FindLastIndex(other => other.Is(use.Node, use.Input));
            if (random.Next(1000) < (edit / 500 % 2 == 0 ? 700 : 300))
            {
                if (last >= 0 && !use.IsCapture) continue;
                uses = uses.With(use);
                expected.Add(use);
            }
            else
            {
                var without = uses.Without(use);
                Assert.Equal(last >= 0, without is not null);
                if (last < 0) continue;
                uses = without!.Value;
                expected.RemoveAt(last);
            }

            Assert.Equal(expected.Count, uses.Count);
            if (edit % 7 == 0) AssertSame();
        }

        AssertSame();

        // Which of two that are the same has gone nobody can tell.
        void AssertSame()
        {
            Assert.Equal(expected.Where(use => !use.IsCapture), uses.Where(use => !use.IsCapture), Same);
            Assert.Equal(
                nodes.Select(node => expected.Count(use => use.Is(node, -1))), nodes.Select(node => uses.Count(use => use.Is(node, -1))));
        }

        static bool Same(Use x, Use y) => x.Is(y.Node, y.Input);
    }
}
