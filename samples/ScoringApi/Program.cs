// A service that scores rows with an ONNX model: one row or many, by plain JSON or by the Open Inference Protocol (REST and gRPC), with
// health, limits, metrics and traces, and a new model without a restart.
//
//   dotnet run -c Release --project samples/Churn         # trains a model: churn.onnx
//   dotnet run -c Release --project samples/ScoringApi    # serves it
//
// docs/serving.md shows what to send.

await ScoringApi.ScoringService.Build(args).RunAsync();
