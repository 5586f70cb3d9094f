BenchmarkDotNet.Running.BenchmarkSwitcher.FromAssembly(typeof(MlNetBatchNorm.Bench.ScorerBenchmarks).Assembly).Run(args);
