// What is compared in turn in one process; everything else is for BenchmarkDotNet.
if (args is ["precision"]) MlNetBatchNorm.Bench.PrecisionComparison.Run();
else BenchmarkDotNet.Running.BenchmarkSwitcher.FromAssembly(typeof(MlNetBatchNorm.Bench.ScorerBenchmarks).Assembly).Run(args);
