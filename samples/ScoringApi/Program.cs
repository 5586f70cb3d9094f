// A service that scores rows with an ONNX model: one row or many, health, OpenAPI, and a new model without a restart.
//
//   dotnet run -c Release --project samples/Churn         # trains a model: churn.onnx
//   dotnet run -c Release --project samples/ScoringApi    # serves it
//
// docs/hosting.md shows what to send.

await ScoringApi.ScoringService.Build(args).RunAsync();
