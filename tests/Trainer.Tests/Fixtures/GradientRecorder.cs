using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Tests.Fixtures;

/// <summary>An optimizer that replaces each parameter by its gradient, so that a test can read the gradients.</summary>
internal sealed record GradientRecorder() : Optimizer(1)
{
    private protected override string Text => "recorder";

    internal override void Emit(UpdateGraph graph)
    {
        foreach (var parameter in graph.Groups.SelectMany(group => group.Parameters))
            graph.Update(parameter, graph.Nodes.Node("Identity", [graph.GradientOf(parameter).Emit(graph.Nodes)]));
    }
}
