open Microsoft.ML
open Microsoft.ML.Data
open MlNetBatchNorm

[<CLIMutable>]
type Point = { X: single; Y: single; Label: bool }

[<EntryPoint>]
let main _ =
    let points = [ for x in 0..19 do for y in 0..19 -> { X = single x; Y = single y; Label = x > y } ]
    let ml = MLContext(seed = 1)
    let data = ml.Data.LoadFromEnumerable points
    let options = BatchNormNetworkOptions(HiddenLayers = [| 16 |], Epochs = 40, BatchSize = 32, Optimizer = Optimizer.AdamW 1e-2f)

    let pipeline =
        EstimatorChain<ITransformer>()
            .Append(ml.Transforms.Concatenate("Features", "X", "Y"))
            .Append(ml.BinaryClassification.Trainers.BatchNormNetwork options)

    use model = pipeline.Fit data
    printfn "AUC %.3f" (ml.BinaryClassification.Evaluate(model.Transform data).AreaUnderRocCurve)
    0
