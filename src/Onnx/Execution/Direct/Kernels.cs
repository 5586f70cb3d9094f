using System.Runtime.Intrinsics;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>
/// The arithmetic on rows. A row takes a multiple of <see cref="Step"/> numbers, of which the last ones may mean nothing: they may be
/// written, and never count.
/// </summary>
internal abstract unsafe class Kernels
{
    /// <summary>What the numbers that a row takes are a multiple of.</summary>
    public const int Step = 16;

    /// <summary>The columns of weights that lie together.</summary>
    public const int Panel = 64;

    /// <summary>Those of the widest vectors that the processor has.</summary>
    public static Kernels Best { get; } = Vector512.IsHardwareAccelerated ? Of(512) : Vector256.IsHardwareAccelerated ? Of(256) : Of(128);

    /// <summary>The bits of a vector.</summary>
    public abstract int Width { get; }

    /// <summary>Those of a width: 512, 256 or 128 bits.</summary>
    public static Kernels Of(int bits) => bits switch
    {
        512 => new Kernels<Lanes512, Vector512<float>>(),
        256 => new Kernels<Lanes256, Vector256<float>>(),
        _ => new Kernels<Lanes128, Vector128<float>>(),
    };

    /// <summary>The numbers that a row of so many takes.</summary>
    public static int Padded(int count) => (count + Step - 1) / Step * Step;

    /// <summary>y = x·W + bias, or y = y + x·W + bias.</summary>
    /// <param name="product">The weights and sizes.</param>
    /// <param name="x">The rows.</param>
    /// <param name="xStride">From one row to the next.</param>
    /// <param name="y">The results.</param>
    /// <param name="yStride">From one row to the next.</param>
    /// <param name="rows">Their number.</param>
    public abstract void Multiply(in PackedProduct product, float* x, int xStride, float* y, int yStride, int rows);

    /// <summary>
    /// The same for groups of columns with few results each: sums of products along rows of the transposed weights, which lie one behind
    /// the other, group by group.
    /// </summary>
    public abstract void Dots(
        float* weights, float* bias, int groups, int inner, int columns, float* x, int xStride, float* y, int yStride, int rows);

    /// <summary>Adds rows of a table: for each feature what lies between two neighbouring rows.</summary>
    /// <param name="table">The table, 16 columns after the other, so that a part of it stays in the nearest cache for many rows.</param>
    /// <param name="entries">The rows of the table.</param>
    /// <param name="at">For each row and feature the first of the two rows of the table.</param>
    /// <param name="between">How far it is from there to the next one, from 0 to 1.</param>
    /// <param name="features">Their number.</param>
    /// <param name="y">What they are added to.</param>
    /// <param name="width">The numbers of a row, padded.</param>
    /// <param name="rows">The rows.</param>
    public abstract void Interpolate(float* table, int entries, int* at, float* between, int features, float* y, int width, int rows);

    /// <summary>How many of so many numbers, padded, are at most as large as a number.</summary>
    public abstract int CountAtMost(float* numbers, int count, float limit);

    /// <summary>A function of each number.</summary>
    public abstract void Map(MapKind kind, float* x, float* y, int count, float a, float b);

    /// <summary>A function of two numbers, for each of a row; a constant has a stride of 0.</summary>
    public abstract void Combine(
        CombineKind kind, float* a, int aStride, float* b, int bStride, float* y, int yStride, int rows, int width);

    /// <summary>a where the condition is not 0, else b.</summary>
    public abstract void Select(
        float* condition, int conditionStride, float* a, int aStride, float* b, int bStride, float* y, int yStride, int rows, int width);

    /// <summary>Softmax, or its logarithm, of each of the groups that a row consists of.</summary>
    public abstract void Softmax(float* x, float* y, int stride, int rows, int groups, int width, bool isLog);
}
