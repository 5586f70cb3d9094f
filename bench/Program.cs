using MlNetBatchNorm.Bench;

// What is compared in turn in one process, within seconds; everything else is for BenchmarkDotNet.
switch (args)
{
    case ["precision"]:
        PrecisionComparison.Run();
        break;
    case ["precision-tables"]:
        PrecisionTables.Print();
        break;
    case ["mlnet"]:
        TransformerFigures.Print();
        break;
    default:
        BenchmarkDotNet.Running.BenchmarkSwitcher.FromAssembly(typeof(ScorerBenchmarks).Assembly).Run(args);
        break;
}
