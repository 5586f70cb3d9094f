using System.CommandLine;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>The options of the model that is written: its operator set and its precision.</summary>
internal sealed class DeploymentOptions
{
    private static readonly BatchNormNetworkOptions Defaults = new();

    private readonly Option<int> _opset = new("--opset")
    {
        Description = "the version of ONNX's operator set to export in, 9 to 21",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Opset,
    };

    private readonly Option<ModelPrecision> _precision = CommonOptions.Precision();

    private readonly Option<double> _precisionLoss = new("--precision-loss")
    {
        Description =
            "with --precision: the most that accuracy or AUC may fall, or RMSE grow in relation to itself; above it nothing is written",
        HelpName = "X",
        DefaultValueFactory = _ => Defaults.AllowedMetricLoss,
    };

    public DeploymentOptions()
    {
        _opset.RequireRange(9, 21);
        _precisionLoss.RequireRange(0, 1);
    }

    public IReadOnlyList<Option> All => [_opset, _precision, _precisionLoss];

    /// <summary>Sets the options that were given.</summary>
    public BatchNormNetworkOptions Apply(BatchNormNetworkOptions options, ParseResult arguments) => options with
    {
        Opset = arguments.GetValue(_opset),
        Precision = arguments.GetValue(_precision),
        AllowedMetricLoss = arguments.GetValue(_precisionLoss),
    };
}
