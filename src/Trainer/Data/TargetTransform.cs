using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm
{
    /// <summary>In what form a network learns a number.</summary>
    public enum TargetTransform
    {
        /// <summary>As it is (or standardized, see <see cref="TrainingOptions.StandardizeTargets"/>); predictions have no bounds.</summary>
        None,

        /// <summary>
        /// By the training rows: where none is negative and their skewness is above 1 (prices, counts, durations), as log(1 + 10·y/median),
        /// so that small and large numbers count alike; predictions are taken back, averaged over an ensemble's members, and multiplied by
        /// the factor that makes the squared error of the out-of-fold predictions smallest, if there are any (the mean of a logarithm is
        /// not the logarithm of a mean). Elsewhere as they are. In both cases predictions stay between the smallest and the largest number
        /// that was seen. For one number a row; several are learned as they are.
        /// </summary>
        Auto,
    }
}

namespace MlNetBatchNorm.Trainer.Data
{
    /// <summary>The way from a number to what a network learns, and back; learned of the training rows.</summary>
    /// <param name="Rate">r in log(1 + r·y); 0 = numbers are learned as they are.</param>
    /// <param name="Low">The smallest number that was seen.</param>
    /// <param name="High">The largest.</param>
    /// <param name="Factor">What predictions are multiplied with in the end.</param>
    internal sealed record TargetMap(double Rate, double Low, double High, double Factor = 1)
    {
        private const double Skewed = 1;
        private const double MediansPerUnit = 10;

        /// <summary>Learns it of the targets; null = there is nothing to change.</summary>
        public static TargetMap? Fit(TargetTransform transform, TrainingData rows)
        {
            if (transform == TargetTransform.None || rows.Outputs != 1 || rows.TargetOffset != 0) return null;
            float[] sorted = [.. rows.TargetArray.Order()];
            double mean = 0, second = 0, third = 0;
            foreach (var target in sorted) mean += (double)target / sorted.Length;
            foreach (var target in sorted)
            {
                var difference = target - mean;
                second += difference * difference / sorted.Length;
                third += difference * difference * difference / sorted.Length;
            }

            // Of numbers that are mostly 0, the median of the others.
            var median = sorted[sorted.Length / 2] is > 0 and var middle ? middle : sorted.FirstOrDefault(target => target > 0);
            var isSkewed = sorted[0] >= 0 && median > 0 && second > 0 && third > Skewed * Math.Pow(second, 1.5);
            return new TargetMap(isSkewed ? MediansPerUnit / median : 0, sorted[0], sorted[^1]);
        }

        /// <summary>The rows with targets as they are learned.</summary>
        public TrainingData Apply(TrainingData rows) => Rate == 0
            ? rows
            : rows.With(Array.ConvertAll(rows.TargetArray, target => (float)double.LogP1(Rate * target)), rows.TargetOffset);

        /// <summary>Brings predictions back, in place.</summary>
        public void Restore(Span<float> predictions)
        {
            if (Rate != 0)
                foreach (ref var prediction in predictions)
                    prediction = (float)(double.ExpM1(Math.Clamp(prediction, Learned(Low), Learned(High))) / Rate);
            Bound(predictions);
        }

        /// <summary>The factor and the bounds, in place: all that is left to do where predictions are in the targets' unit.</summary>
        public void Bound(Span<float> predictions)
        {
            foreach (ref var prediction in predictions) prediction = (float)Math.Clamp(prediction * Factor, Low, High);
        }

        /// <summary>The same with the factor that makes the squared error of predictions smallest: Σ y·p / Σ p².</summary>
        /// <param name="predictions">What <see cref="Restore"/> gives with a factor of 1.</param>
        /// <param name="rows">The targets in their own unit, with weights.</param>
        public TargetMap Fitted(ReadOnlySpan<float> predictions, TrainingData rows)
        {
            if (Rate == 0) return this;
            double product = 0, square = 0;
            for (var row = 0; row < predictions.Length; row++)
            {
                var weight = rows.WeightArray is null ? 1.0 : rows.WeightArray[row];
                product += weight * rows.TargetArray[row] * predictions[row];
                square += weight * predictions[row] * predictions[row];
            }

            return product > 0 && square > 0 ? this with { Factor = product / square } : this;
        }

        /// <summary>Emits the way back of what each member of an ensemble gives, without the factor.</summary>
        public Value EmitRestored(GraphBuilder nodes, Value learned)
        {
            if (Rate == 0) return learned;
            var inside = nodes.Clip(learned, (float)Learned(Low), (float)Learned(High));
            var above = nodes.Node("Sub", [nodes.Node("Exp", [inside]), nodes.Constant(1)]);
            return nodes.Named("restored", "Mul", [above, nodes.Constant((float)(1 / Rate))]);
        }

        /// <summary>Emits the factor and the bounds.</summary>
        public Value EmitBounded(GraphBuilder nodes, Value mean)
        {
            if (Factor != 1) mean = nodes.Node("Mul", [mean, nodes.Constant((float)Factor)]);
            return nodes.Clip(mean, (float)Low, (float)High);
        }

        private double Learned(double value) => double.LogP1(Rate * value);
    }
}
