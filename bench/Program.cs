using MlNetBatchNorm.Bench;

// "dotnet run -c Release --project bench -- mlnet" prints figures within seconds; everything else is for BenchmarkDotNet.
if (args is ["mlnet"]) TransformerFigures.Print();
else BenchmarkDotNet.Running.BenchmarkSwitcher.FromAssembly(typeof(ScorerBenchmarks).Assembly).Run(args);
