using System.Numerics.Tensors;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Gaussian vectors made orthonormal one after the other (Gram and Schmidt). That is the Q of a QR decomposition whose R has a positive
/// diagonal, so every orthogonal matrix is as likely as every other.
/// </summary>
internal sealed record OrthogonalInitializer(float Gain) : Initializer
{
    public override string Text => Choice.Write("orthogonal", Gain);

    public override void Fill(Span<float> values, IReadOnlyList<long> shape, Random random)
    {
        var rows = checked((int)shape[0]);
        var columns = values.Length / rows;
        var (count, length) = (Math.Min(rows, columns), Math.Max(rows, columns));
        var vectors = new double[count][];
        for (var i = 0; i < count; i++)
        {
            var vector = vectors[i] = new double[length];
            for (var j = 0; j < length; j++) vector[j] = NextGaussian(random);
            // Twice: what rounding leaves of the earlier vectors after the first time is gone after the second.
            for (var pass = 0; pass < 2; pass++)
                for (var earlier = 0; earlier < i; earlier++)
                    TensorPrimitives.MultiplyAdd<double>(vectors[earlier], -TensorPrimitives.Dot<double>(vector, vectors[earlier]), vector, vector);
            TensorPrimitives.Divide<double>(vector, TensorPrimitives.Norm<double>(vector), vector);
        }

        for (var row = 0; row < rows; row++)
            for (var column = 0; column < columns; column++)
                values[(row * columns) + column] = (float)(Gain * (rows <= columns ? vectors[row][column] : vectors[column][row]));
    }
}
