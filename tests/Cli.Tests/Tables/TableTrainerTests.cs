using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Tests.Referees;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class TableTrainerTests
{
    [Theory]
    [InlineData("churn.csv", "churn", LearningTask.Binary)]
    [InlineData("ames.csv", "Sale_Price", LearningTask.Regression)]
    [InlineData("letters.csv", "lettr", LearningTask.Multiclass)]
    public void SavePipeline_SampleTable_ReadsTheTablesColumns(string file, string label, LearningTask task)
    {
        var (training, test) = TableSplit.Every(CsvTable.Read(SampleData.PathOf(file)), 0.2);
        var network = new BatchNormNetworkOptions { HiddenLayers = [8], Epochs = 1, Seed = 0 };
        using var trained = TableTrainer.Train(training, test, new TableTrainingOptions { Label = label, Task = task, Network = network });
        using var folder = new TemporaryFolder();

        var (path, pipeline) = trained.SavePipeline(folder.Path, test);

        Assert.Equal(test.RowCount, pipeline.RowsCompared);
        Assert.True(pipeline.TakesBatches);
        Assert.Equal(
            trained.Schema.Features.Columns.Select(column => column.Name).Order(), pipeline.Inputs.Select(input => input.Name).Order());
        Assert.InRange(pipeline.LargestRelative, 0, 1e-5);
        if (OnnxChecker.IsInstalled) OnnxChecker.Require([(label, ModelFile.Read(path))]);
    }
}
