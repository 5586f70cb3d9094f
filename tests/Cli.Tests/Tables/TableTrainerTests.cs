using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Tests.Referees;
using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class TableTrainerTests
{
    [Theory]
    [InlineData("churn.csv", "churn", TaskKind.Binary)]
    [InlineData("ames.csv", "Sale_Price", TaskKind.Regression)]
    [InlineData("letters.csv", "lettr", TaskKind.Multiclass)]
    public void SavePipeline_SampleTable_ReadsTheTablesColumns(string file, string label, TaskKind task)
    {
        var (training, test) = TableSplit.Every(CsvTable.Read(SampleData.PathOf(file)), 0.2);
        var network = new BatchNormNetworkOptions { HiddenLayers = [8], Epochs = 1, Seed = 0 };
        using var trained = TableTrainer.Train(training, test, new TableTrainingOptions { Label = label, Task = task, Network = network });
        using var folder = new TemporaryFolder();

        var pipeline = trained.SavePipeline(folder.Path, test);

        Assert.Equal(test.RowCount, pipeline.RowsCompared);
        Assert.True(pipeline.TakesBatches);
        Assert.Equal(trained.Schema.Features.Columns.Select(column => column.Name).Order(), pipeline.Inputs.Select(input => input.Name).Order());
        Assert.InRange(pipeline.LargestRelative, 0, 1e-5);
        if (OnnxChecker.IsInstalled) OnnxChecker.Require([(label, ModelFile.Read(pipeline.Path))]);
    }
}
