using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Trainer.Tests.Fixtures;

namespace MlNetBatchNorm.Trainer.Tests.Training;

/// <summary>The training step against PyTorch: the fixtures come from Fixtures/generate.py.</summary>
public class TrainingStepPyTorchTests
{
    private const double OneStep = 1e-5;
    private const double HundredSteps = 1e-3;

    public static TheoryData<string> Cases => [.. PyTorchCase.Names];

    [Fact]
    public void Fixtures_AllOfTheScripts_AreHere() => Assert.Equal(28, PyTorchCase.Names.Count());

    [Theory]
    [MemberData(nameof(Cases))]
    public void Run_FirstStep_GivesPyTorchsLossAndGradients(string name)
    {
        var expected = PyTorchCase.Read(name);
        using var step = expected.CreateStep(new GradientRecorder());

        var loss = expected.Run(step, 1);

        Assert.Equal(expected.FirstLoss, loss, OneStep * expected.FirstLoss);
        foreach (var (parameter, gradient) in expected.Gradients)
            Closeness.Require(gradient, step.Parameter(parameter), OneStep, $"The gradient of {parameter}");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Run_OneTwoAndHundredSteps_GivePyTorchsParametersAndStatistics(string name)
    {
        var expected = PyTorchCase.Read(name);
        using var step = expected.CreateStep();

        expected.Run(step, 1);
        Require(expected.After1, OneStep, "1 step");
        expected.Run(step, 1);
        Require(expected.After2, 2 * OneStep, "2 steps");
        expected.Run(step, 98);
        Require(expected.After100, HundredSteps, "100 steps");

        void Require(Dictionary<string, double[]> parameters, double tolerance, string when)
        {
            foreach (var (parameter, values) in parameters)
                Closeness.Require(values, step.Parameter(parameter), tolerance, $"{parameter} after {when}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Export_AfterHundredSteps_GivesPyTorchsInferenceOutput(string name)
    {
        var expected = PyTorchCase.Read(name);
        using var step = expected.CreateStep();
        expected.Run(step, 100);
        var network = expected.CreateNetwork();
        var parameters = network.Parameters.ToDictionary(
            parameter => parameter.Name, parameter => step.Parameter(parameter.Name).ToArray());
        var trained = new TrainedNetwork(network, expected.CreateLoss(), parameters, null, RunningStatistics.PyTorch(), [], Device.Cpu);
        using var session = OnnxSession.Load(trained.ToOnnx());

        var outputs = session.Run(new Dictionary<string, HostTensor>
        {
            [TrainedNetwork.FeaturesInput] = HostTensor.Of(expected.X, [expected.Rows, .. expected.Shape]),
        });

        Closeness.Require(expected.InferenceOutput, (float[])outputs[TrainedNetwork.ScoreOutput].Data, HundredSteps, "The score");
    }
}
