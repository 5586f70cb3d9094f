using System.Xml.Linq;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>Several classes: which are taken for which.</summary>
internal static class MulticlassSection
{
    public static IEnumerable<XElement> Create(TrainedTable trained)
    {
        var rows = trained.Tested.Rows;
        yield return Html.H2("Where it is right and wrong");
        yield return Html.P(
            "Predicted is the class with the highest probability. Each line shows what became of the test rows of one class; what is not "
                + "on the diagonal is wrong.");
        yield return ConfusionTable.Create(
            ConfusionMatrix.Of(trained.Tested.Predictions, rows.TargetArray, rows.Outputs, rows.WeightArray), trained.Schema.Label.Classes);
    }
}
