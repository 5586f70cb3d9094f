using System.Buffers;
using System.Runtime.CompilerServices;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>Products with weights, which are read row by row where they lie.</summary>
internal static partial class PartOperators
{
    // A matrix of columns as large as this stays in the second-level cache while the rows of a weight pass by.
    private const int ColumnElements = 1 << 17;

    // A stretch of a weight's row: with the sums that it goes into it stays in the first-level cache.
    private const int RowElements = 1 << 10;

    private static void AddProducts(Dictionary<string, Func<PartOperator, IReadOnlyList<ExactTensor>>> all)
    {
        all.Add("MatMul", node => [MatMul(node[0], node[1])]);
        all.Add("Gemm", node => [Gemm(node)]);
        all.Add("Conv", node => [Conv(node)]);
        all.Add("ConvTranspose", node => [ConvTranspose(node)]);
        all.Add("Einsum", node => [Einsum(node)]);
    }

    private static ExactTensor MatMul(ExactTensor left, ExactTensor right)
    {
        var (a, b) = (left.Rank == 1 ? Reshaped(left, [1, left.Count]) : left, right.Rank == 1 ? Reshaped(right, [right.Count, 1]) : right);
        var (rows, depth, columns) = (a.Shape[^2], a.Shape[^1], b.Shape[^1]);
        if (b.Shape[^2] != depth) throw new ArgumentException($"{depth} columns do not meet {b.Shape[^2]} rows.");
        var batch = Broadcast(a.Shape[..^2], b.Shape[..^2]);
        ExactTensor product;
        if (b.Rank == 2)
        {
            var result = ExactTensor.Room((long)a.Count / Math.Max(depth, 1) * columns);
            AddProduct(a.Data, b, 0, a.Count / Math.Max(depth, 1), depth, columns, result);
            product = new ExactTensor([.. a.Shape[..^1], columns], result);
        }
        else
        {
            var (x, y) = (Expanded(a, [.. batch, rows, depth]), Expanded(b, [.. batch, depth, columns]));
            var count = batch.Aggregate(1, (all, size) => all * size);
            var result = ExactTensor.Room((long)count * rows * columns);
            for (var i = 0; i < count; i++)
                AddProduct(x.Data.AsMemory(i * rows * depth), y, i * depth * columns, rows, depth, columns,
                    result.AsMemory(i * rows * columns));
            product = new ExactTensor([.. batch, rows, columns], result);
        }

        var shape = product.Shape.ToList();
        if (right.Rank == 1) shape.RemoveAt(shape.Count - 1);
        if (left.Rank == 1) shape.RemoveAt(shape.Count - (right.Rank == 1 ? 1 : 2));
        return Reshaped(product, [.. shape]);
    }

    // sums[r, :] += a[r, k]·b[k, :], in stretches of b's rows.
    private static void AddProduct(
        ReadOnlyMemory<double> a, ExactTensor b, int start, int rows, int depth, int columns, Memory<double> sums)
    {
        var stretches = (columns + RowElements - 1) / RowElements;
        Divide(stretches, (long)rows * depth * columns, stretch =>
        {
            var from = stretch * RowElements;
            var row = ExactTensor.Room(Math.Min(RowElements, columns - from));
            for (var k = 0; k < depth; k++)
            {
                b.Read(start + (k * columns) + from, row);
                for (var r = 0; r < rows; r++)
                {
                    RealKernels.AddMultiple(row, a.Span[(r * depth) + k], sums.Span.Slice((r * columns) + from, row.Length));
                }
            }
        });
    }

    // sums[m, p] = Σ w[m, k]·columns[p, k], one row of the weight after the other.
    private static void Dot(ExactTensor w, int start, int rows, int depth, double[] columns, int count, Action<int, double[]> take) =>
        Divide(rows, (long)rows * depth * count, m =>
        {
            var (rented, sums) = (ArrayPool<double>.Shared.Rent(depth), ExactTensor.Room(count));
            var row = rented.AsSpan(0, depth);
            w.Read(start + (m * depth), row);
            for (var p = 0; p < count; p++) sums[p] = RealKernels.Dot(row, columns.AsSpan(p * depth, depth));
            ArrayPool<double>.Shared.Return(rented);
            take(m, sums);
        });

    // Over the cores where it is worth it; each piece is computed by itself, so the result is the same.
    private static void Divide(int count, long work, Action<int> action)
    {
        if (work > 1 << 20) Parallel.For(0, count, action);
        else
        {
            for (var i = 0; i < count; i++) action(i);
        }
    }

    private static ExactTensor Gemm(PartOperator node)
    {
        double alpha = node.Node.Real("alpha", 1);
        var (a, b) = (node[0], node[1]);
        if (node.Node.Integer("transA", 0) != 0) a = Transposed(a);
        var isTransposed = node.Node.Integer("transB", 0) != 0;
        var (rows, depth) = (a.Shape[0], a.Shape[1]);
        var columns = isTransposed ? b.Shape[0] : b.Shape[1];
        if (b.Shape[isTransposed ? 1 : 0] != depth) throw new ArgumentException("The matrices do not fit together.");
        var result = ExactTensor.Room((long)rows * columns);
        if (isTransposed)
        {
            Dot(b, 0, columns, depth, a.Data, rows, (n, sums) =>
            {
                for (var r = 0; r < rows; r++) result[(r * columns) + n] = sums[r];
            });
        }
        else
        {
            AddProduct(a.Data, b, 0, rows, depth, columns, result);
        }

        RealKernels.Multiply(result, alpha);
        return new ExactTensor([rows, columns], result);
    }

    /// <summary>Whether a product has something added to it: the bias of a convolution, C of a Gemm.</summary>
    public static bool HasSummand(NodeProto node, ExactTensor?[] inputs) =>
        node.OpType is "Conv" or "ConvTranspose" or "Gemm" && inputs.Length > 2 && inputs[2] is not null
        && !(node.OpType == "Gemm" && node.Real("beta", 1) == 0);

    /// <summary>Adds it.</summary>
    public static ExactTensor AddSummand(PartOperator node, ExactTensor product)
    {
        if (node.Node.OpType == "Gemm")
        {
            double beta = node.Node.Real("beta", 1);
            return Join(product, Each(node[2], value => beta * value), (x, y) => x + y);
        }

        var bias = Reshaped(node[2], [node[2].Count, .. Enumerable.Repeat(1, product.Rank - 2)]);
        return Join(product, bias, (x, y) => x + y);
    }

    private static ExactTensor Transposed(ExactTensor matrix) =>
        Strided(matrix, [matrix.Shape[1], matrix.Shape[0]], 0, [1, matrix.Shape[1]]);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static ExactTensor Conv(PartOperator node)
    {
        var (x, w) = (node[0], node[1]);
        var window = Window.Of(node.Node, x, w.Shape[2..]);
        var group = (int)node.Node.Integer("group", 1);
        var (outputs, perGroup, taps) = (w.Shape[0] / group, w.Shape[1], w.Product(2, w.Rank));
        if (perGroup * group != x.Shape[1]) throw new ArgumentException($"{x.Shape[1]} channels do not fit the weight.");
        var (depth, size) = (perGroup * taps, x.Product(2, x.Rank));
        var places = x.Shape[0] * window.Locations;
        var result = ExactTensor.Room((long)x.Shape[0] * w.Shape[0] * window.Locations);
        var atOnce = Math.Clamp(ColumnElements / Math.Max(depth, 1), 8, Math.Max(places, 8));
        for (var first = 0; first < places; first += atOnce)
        {
            var count = Math.Min(atOnce, places - first);
            for (var g = 0; g < group; g++)
            {
                var columns = ExactTensor.Room((long)count * depth);
                for (var p = 0; p < count; p++)
                {
                    var (row, location) = ((first + p) / window.Locations, (first + p) % window.Locations);
                    var seen = window.Taps(location);
                    for (var c = 0; c < perGroup; c++)
                    {
                        var plane = ((row * x.Shape[1]) + (g * perGroup) + c) * size;
                        for (var tap = 0; tap < taps; tap++)
                            if (seen[tap] >= 0) columns[(((p * perGroup) + c) * taps) + tap] = x.Data[plane + seen[tap]];
                    }
                }

                var (start, channel, from) = (g * outputs * depth, g * outputs, first);
                Dot(w, start, outputs, depth, columns, count, (m, sums) =>
                {
                    for (var p = 0; p < count; p++)
                    {
                        var (row, location) = ((from + p) / window.Locations, (from + p) % window.Locations);
                        result[(((row * w.Shape[0]) + channel + m) * window.Locations) + location] = sums[p];
                    }
                });
            }
        }

        return new ExactTensor([x.Shape[0], w.Shape[0], .. window.Output], result);
    }

    // Each element of x adds its multiple of the kernel to what comes out.
    private static ExactTensor ConvTranspose(PartOperator node)
    {
        var (x, w) = (node[0], node[1]);
        var rank = w.Rank - 2;
        if (x.Rank != w.Rank || x.Shape[1] != w.Shape[0]) throw new ArgumentException("The weight does not fit.");
        var group = (int)node.Node.Integer("group", 1);
        var (perGroup, inPerGroup) = (w.Shape[1], w.Shape[0] / group);
        int[] List(string name, int otherwise) => node.Node.Integers(name) is { } values
            ? [.. values.Select(value => (int)value)]
            : [.. Enumerable.Repeat(otherwise, rank)];
        var (strides, dilations, extra) = (List("strides", 1), List("dilations", 1), List("output_padding", 0));
        int[] pads = node.Node.Integers("pads") is { } given ? [.. given.Select(pad => (int)pad)] : new int[2 * rank];
        var auto = node.Node.Text("auto_pad", "NOTSET");
        var wanted = node.Node.Integers("output_shape");
        var (output, begin) = (new int[rank], new int[rank]);
        for (var i = 0; i < rank; i++)
        {
            var full = (strides[i] * (x.Shape[2 + i] - 1)) + extra[i] + ((w.Shape[2 + i] - 1) * dilations[i]) + 1;
            if (wanted is null && auto is not ("SAME_UPPER" or "SAME_LOWER"))
            {
                (begin[i], output[i]) = auto == "VALID" ? (0, full) : (pads[i], full - pads[i] - pads[i + rank]);
                continue;
            }

            output[i] = wanted is null ? x.Shape[2 + i] * strides[i] : (int)wanted[wanted.Count - rank + i];
            var total = Math.Max(0, full - output[i]);
            begin[i] = auto == "SAME_UPPER" ? total / 2 : total - (total / 2);
        }

        var (size, outSize, taps) = (x.Product(2, x.Rank), output.Aggregate(1, (all, length) => all * length), w.Product(2, w.Rank));
        var channels = perGroup * group;
        var result = new ExactTensor([x.Shape[0], channels, .. output], ExactTensor.Room((long)x.Shape[0] * channels * outSize));
        var places = new int[size * taps];
        for (var i = 0; i < size; i++)
            for (var tap = 0; tap < taps; tap++) places[(i * taps) + tap] = Place(i, tap);
        var kernels = w.Data;
        for (var n = 0; n < x.Shape[0]; n++)
        {
            for (var c = 0; c < x.Shape[1]; c++)
            {
                for (var m = 0; m < perGroup; m++)
                {
                    var kernel = ((c * perGroup) + m) * taps;
                    var plane = ((n * channels) + (c / inPerGroup * perGroup) + m) * outSize;
                    for (var i = 0; i < size; i++)
                    {
                        var value = x.Data[(((n * x.Shape[1]) + c) * size) + i];
                        for (var tap = 0; tap < taps; tap++)
                            if (places[(i * taps) + tap] is >= 0 and var place) result.Data[plane + place] += value * kernels[kernel + tap];
                    }
                }
            }
        }

        return result;

        // Where a tap of the kernel at a location adds to; −1 where that is cut off.
        int Place(int location, int tap)
        {
            var place = 0;
            var step = 1;
            for (var i = rank - 1; i >= 0; i--)
            {
                var at = (location % x.Shape[2 + i] * strides[i]) + (tap % w.Shape[2 + i] * dilations[i]) - begin[i];
                if (at < 0 || at >= output[i]) return -1;
                location /= x.Shape[2 + i];
                tap /= w.Shape[2 + i];
                place += at * step;
                step *= output[i];
            }

            return place;
        }
    }

    // The axes of an ellipsis get letters of their own, which run together from the last one on.
    private static string WithoutEllipsis(string equation, PartOperator node)
    {
        var sides = equation.Split("->");
        var terms = sides[0].Split(',');
        var free = string.Concat(Enumerable.Range('A', 26).Select(letter => (char)letter).Where(letter => !equation.Contains(letter)));
        var hidden = terms
            .Select((term, i) => term.Contains("...", StringComparison.Ordinal) ? node[i].Shape.Length - (term.Length - 3) : 0).ToArray();
        string Written(string term, int count) => term.Replace("...", free[^count..], StringComparison.Ordinal);
        var left = string.Join(',', terms.Select((term, i) => Written(term, hidden[i])));
        var once = sides[0].Where(char.IsLetter).GroupBy(letter => letter).Where(group => group.Count() == 1)
            .Select(group => group.Key).Order();
        return $"{left}->{Written(sides.Length > 1 ? sides[1] : "..." + string.Concat(once), hidden.Max())}";
    }

    // Over all letters: slow, and right for every equation.
    private static ExactTensor Einsum(PartOperator node)
    {
        var equation = node.Node.Text("equation", string.Empty).Replace(" ", string.Empty, StringComparison.Ordinal);
        if (equation.Contains("...", StringComparison.Ordinal)) equation = WithoutEllipsis(equation, node);
        var sides = equation.Split("->");
        var terms = sides[0].Split(',');
        var sizes = new SortedDictionary<char, int>();
        for (var i = 0; i < terms.Length; i++)
            for (var axis = 0; axis < terms[i].Length; axis++) sizes[terms[i][axis]] = node[i].Shape[axis];
        var output = sides.Length > 1
            ? sides[1]
            : string.Concat(sizes.Keys.Where(letter => string.Concat(terms).Count(other => other == letter) == 1));
        char[] letters = [.. output, .. sizes.Keys.Where(letter => !output.Contains(letter, StringComparison.Ordinal))];
        var steps = terms.Select((term, i) => letters.Select(letter => Step(term, node[i], letter)).ToArray()).ToArray();
        int[] shape = [.. output.Select(letter => sizes[letter])];
        var result = ExactTensor.Room(shape.Aggregate(1L, (product, size) => product * size));
        var inner = letters[output.Length..].Aggregate(1, (product, letter) => product * sizes[letter]);
        var at = new int[letters.Length];
        for (var i = 0L; i < (long)result.Length * inner; i++)
        {
            var product = 1.0;
            for (var t = 0; t < terms.Length; t++)
            {
                var index = 0;
                for (var letter = 0; letter < at.Length; letter++) index += at[letter] * steps[t][letter];
                product *= node[t].Data[index];
            }

            result[i / inner] += product;
            for (var letter = at.Length - 1; letter >= 0 && ++at[letter] == sizes[letters[letter]]; letter--) at[letter] = 0;
        }

        return new ExactTensor(shape, result);

        static int Step(string term, ExactTensor tensor, char letter) =>
            Enumerable.Range(0, term.Length).Where(axis => term[axis] == letter).Sum(axis => tensor.Product(axis + 1, tensor.Rank));
    }
}
